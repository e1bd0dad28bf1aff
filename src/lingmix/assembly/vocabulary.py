"""The vocabulary that a run trains with: all pieces of an encoder, or those that its texts use."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

from lingmix.cli.config import Config, build
from lingmix.cli.networks import vocabulary_of
from lingmix.data.columns.columns import Columns
from lingmix.data.columns.shard import QUERY
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.tokens import ROLE_MASKS, Role
from lingmix.model.encoder import Encoder
from lingmix.model.vocabulary import keep_ids_in_use, restored, with_vocabulary


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
    ids = keep_ids_in_use(
        encoder,
        _texts(columns, sets),
        digest=_digest(columns, sets),
        folder=cache / "vocabularies",
    )
    smaller = with_vocabulary(encoder, ids)
    if vocabulary == "used":
        return smaller, lambda trained: trained
    whole = partial(build(config["encoder"]), texts=(), cache=cache, seed=config["seed"])
    return smaller, lambda trained: restored(trained, ids, whole=whole())


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
