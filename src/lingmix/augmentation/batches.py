"""Work of a local model in batches of like lengths, kept in the journal batch by batch."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from lingmix.augmentation.journal import Journal
from lingmix.augmentation.requests import Answer, Request
from lingmix.progress import with_progress

WEIGHTS = (".safetensors", ".gguf", ".json", ".model", ".spm")
"""Endings of the files that decide what a model says."""


def in_batches(
    asked: Sequence[Request],
    journal: Journal,
    *,
    sizes: Sequence[int],
    batch_size: int,
    answer: Callable[[Sequence[Request]], Sequence[Answer]],
) -> list[Answer]:
    """Answer the requests that the journal does not hold, longest first.

    The batches are of all requests, answered or not: padding changes the last bits of a model's
    scores, so a run that goes on must form the batches of one that was never stopped.
    """
    keys = [one.key for one in asked]
    distinct = {key: number for number, key in reversed([*enumerate(keys)])}
    order = sorted(distinct.values(), key=lambda number: (-sizes[number], keys[number]))
    parts = [order[begin : begin + batch_size] for begin in range(0, len(order), batch_size)]
    missing = [part for part in parts if any(journal.answer(keys[n]) is None for n in part)]
    for part in with_progress(missing, "Batches", total=len(missing), size=lambda _: 1):
        found = answer([asked[number] for number in part])
        journal.append(
            *(
                {"answer": keys[number], "text": one.text, "failure": one.failure}
                for number, one in zip(part, found, strict=True)
                if journal.answer(keys[number]) is None
            )
        )
    records = [journal.answer(key) or {} for key in keys]
    return [Answer(record["text"], record["failure"]) for record in records]


def fingerprint(folder: str, revision: str | None) -> str:
    """Return what a model is known by: a digest of a folder's files, or the name and revision."""
    place = Path(folder)
    if not place.is_dir():
        return f"{folder}@{revision or 'main'}"
    found = sha256()
    for path in sorted(place.iterdir()):
        if path.suffix in WEIGHTS:
            with path.open("rb") as file:
                while block := file.read(2**20):
                    found.update(block)
    return f"{place.name}-{found.hexdigest()[:12]}"
