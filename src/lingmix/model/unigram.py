"""Learns a subword vocabulary: Unigram (Kudo 2018, arXiv 1804.10959) with byte fallback."""

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from lingmix.data.file_cache import keep
from lingmix.errors import InputError

UNKNOWN = "[UNK]"
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
RECIPE = 2
"""A version, raised whenever the same texts would give another vocabulary."""

SAMPLE = 4_000_000
"""The most characters to learn from: 13 million took about three times as long and split texts into
4% fewer pieces."""

PENALTY = 1e-4
"""The trainer gives characters that it must include but did not score multiples of this."""


def learn_unigram(
    texts: Iterable[str], *, vocabulary: int, special_tokens: Sequence[str], cache: Path
) -> Tokenizer:
    """Returns a tokenizer that is learned once for the same texts and settings, and cached in
    `cache`, also for parallel runs.

    The special tokens come first, `[UNK]` among them. A character that the vocabulary lacks
    becomes its UTF-8 bytes, so nothing is unknown. Raises InputError where `vocabulary` has no
    room for more than bytes and special tokens, or there are no texts.
    """
    reserved = len(special_tokens) + len(BYTES)
    if vocabulary <= reserved:
        raise InputError(
            f"encoder.scratch.vocabulary: must be above {reserved} (bytes and special tokens), "
            f"got {vocabulary}"
        )
    sample, digest = _sample(texts)
    if not sample:
        raise InputError(
            "encoder.name: an encoder from scratch learns its vocabulary from training texts and "
            "there are none; name a trained model or a folder"
        )
    settings = json.dumps([RECIPE, vocabulary, list(special_tokens)])
    digest.update(settings.encode())

    def write(file: BinaryIO) -> None:
        learned = _train(sample, vocabulary=vocabulary, special_tokens=special_tokens)
        file.write(learned.to_str(pretty=True).encode())

    return keep(cache / f"unigram-{digest.hexdigest()}.json", read=_read, write=write)


def _read(path: Path) -> Tokenizer:
    text = path.read_text(encoding="utf-8")
    json.loads(text)  # a broken file raises ValueError here, a bare Exception in from_str
    return Tokenizer.from_str(text)


def _sample(texts: Iterable[str]) -> tuple[list[str], Any]:
    """Takes distinct texts in the order of their hashes, so that their own order does not matter,
    up to `SAMPLE` characters; returns them and their digest."""
    by_hash = sorted((blake2b(text.encode(), digest_size=16).digest(), text) for text in set(texts))
    sample, characters, digest = [], 0, blake2b(digest_size=20)
    for text_hash, text in by_hash:
        if characters >= SAMPLE:
            break
        sample.append(text)
        characters += len(text)
        digest.update(text_hash)
    return sample, digest


def _train(sample: Sequence[str], *, vocabulary: int, special_tokens: Sequence[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    normalizer = tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    room = vocabulary - len(special_tokens) - len(BYTES)
    characters = set().union(*map(normalizer.normalize_str, sample))
    trainer = trainers.UnigramTrainer(
        vocab_size=1 + max(room, len(characters) + 1),  # it refuses fewer, and counts its [UNK]
        unk_token=UNKNOWN,
        show_progress=False,
        n_sub_iterations=1,
        shrinking_factor=0.5,
    )
    tokenizer.train_from_iterator(sample, trainer)
    state = json.loads(tokenizer.to_str())
    learned = {piece: score for piece, score in state["model"]["vocab"] if piece != UNKNOWN}
    pieces = _settled(learned)[:room]
    lowest = min(pieces, key=lambda piece: piece[1])[1]
    below = [(byte, lowest) for byte in BYTES]
    specials = [(token, 0.0) for token in special_tokens]
    state["model"] |= {
        "vocab": [*specials, *below, *pieces],
        "unk_id": list(special_tokens).index(UNKNOWN),
        "byte_fallback": True,
    }
    settled = Tokenizer.from_str(json.dumps(state))
    settled.add_special_tokens(list(special_tokens))
    return settled


def _settled(learned: dict[str, float]) -> list[tuple[str, float]]:
    """Removes what depends on the trainer's hash tables from the vocabulary.

    From run to run the trainer adds floats in another order, orders equal scores differently, and
    gives unscored characters `lowest + k * PENALTY` at random. Scores are rounded, unscored
    characters get `lowest`, and equal scores are ordered by piece.
    """
    lowest = min(learned.values())

    def score_of(piece: str, score: float) -> float:
        steps = (score - lowest) / PENALTY
        unscored = len(piece) == 1 and abs(steps - round(steps)) < 1e-6
        return round(lowest if unscored else score, 4)

    pieces = [(piece, score_of(piece, score)) for piece, score in learned.items()]
    return sorted(pieces, key=lambda piece: (-piece[1], piece[0]))
