"""The vocabulary of a run and of its export: all pieces of an encoder, or those of its texts."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from lingmix.assembly.sources import load_columns
from lingmix.cli.config import Config, build, evaluation_sets
from lingmix.cli.networks import vocabulary_of
from lingmix.data.columns.columns import Columns
from lingmix.data.columns.shard import QUERY
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.tokens import ROLE_MASKS, Role
from lingmix.errors import InputError
from lingmix.model.encoder import Encoder
from lingmix.model.vocabulary import Ids, ids_of_pieces, keep_ids_in_use, restored, with_vocabulary


def fit_vocabulary(
    encoder: Encoder,
    config: Config,
    columns: Columns,
    sets: Sequence[EvaluationSet],
    *,
    cache: Path,
) -> tuple[Encoder, Callable[[Encoder], Encoder]]:
    """Returns the encoder to train, and what makes the one to record of it.

    The texts in use are those of all training data, whatever the run's scale, languages and pairs,
    so that the cells of a sweep share a vocabulary and tokens, and of `sets`.
    """
    vocabulary = vocabulary_of(config["encoder"])
    if vocabulary == "all":
        return encoder, lambda trained: trained
    ids = _ids_in_use(encoder, columns, sets, cache=cache, key="encoder.vocabulary")
    smaller = with_vocabulary(encoder, ids)
    if vocabulary == "used":
        return smaller, lambda trained: trained
    whole = partial(build(config["encoder"]), texts=(), cache=cache, seed=config["seed"])
    return smaller, lambda trained: restored(trained, ids, whole=whole())


def exported_vocabulary(
    encoder: Encoder, asked: Literal["used", "restored"], config: Config, *, output_dir: Path
) -> Encoder:
    """Returns the encoder that a run of this configuration has recorded, which is used up, with the
    pieces of the run's texts alone, or `restored`: with those again that the training left out.

    Raises InputError where the texts, or the encoder that the run began with, are not as they were.
    """
    cache = output_dir / "cache"
    if asked == "used":
        development = config["data"]["development"]
        nodes = config["evaluation"] | ({"development": development} if development else {})
        sets = evaluation_sets(nodes, languages=config["languages"])
        columns = load_columns(config | {"output_dir": str(output_dir)})
        ids = _ids_in_use(encoder, columns, sets, cache=cache, key="vocabulary")
        return with_vocabulary(encoder, ids)
    if (trained := vocabulary_of(config["encoder"])) != "used":
        raise InputError(
            "vocabulary: restored is for a run with encoder.vocabulary=used, got one with "
            f"{trained}, which has all pieces; leave it null"
        )
    whole = build(config["encoder"])(texts=(), cache=cache, seed=config["seed"]).eval()
    ids = ids_of_pieces(encoder.tokenizer.tokenizer, whole=whole.tokenizer.tokenizer)
    return restored(encoder, ids, whole=whole)


def _ids_in_use(
    encoder: Encoder, columns: Columns, sets: Sequence[EvaluationSet], *, cache: Path, key: str
) -> Ids:
    return keep_ids_in_use(
        encoder,
        _texts(columns, sets),
        digest=_digest(columns, sets),
        folder=cache / "vocabularies",
        key=key,
    )


def _texts(columns: Columns, sets: Sequence[EvaluationSet]) -> Iterator[tuple[Role, Sequence[str]]]:
    for shard in columns.joined.shards:
        for read in shard.batches("texts", "text", "role"):
            query_R = read.column("role").to_numpy() == QUERY
            for role, of_role in ROLE_MASKS:
                yield role, read.column("text").filter(query_R == of_role).to_pylist()
    for one in sets:
        yield "query", one.queries
        yield "passage", one.passages


def _digest(columns: Columns, sets: Sequence[EvaluationSet]) -> str:
    digest = blake2b(repr(columns.digests).encode(), digest_size=20)
    for one in sets:
        for texts in (one.queries, one.passages):
            digest.update(f"{len(texts)}:".encode())
            for text in texts:
                digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()
