"""The order in which passages are taken: every scale covers the domain evenly, and holds each
smaller one."""

import re
from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from operator import itemgetter

from lingmix.augmentation.drafts import Draft
from lingmix.errors import InputError

QUARTERS = 4


def stratified(drafts: Sequence[Draft], *, section: str | None, seed: int) -> list[Draft]:
    """Return the drafts in an order of which each prefix has its share of every stratum, to less
    than one draft.

    A stratum is of the same domain and languages, a quarter of the lengths, and the same section:
    what the regular expression finds in the id. Within it, digests of the ids give the order.
    """
    pattern = _pattern(section)
    strata: dict[tuple[object, ...], list[tuple[int, Draft]]] = defaultdict(list)
    for draft, quarter in zip(drafts, _quarters(drafts), strict=True):
        found = pattern.search(draft.id) if pattern else None
        stratum = (draft.domain, tuple(sorted(draft.passages)), quarter, found and found[0])
        strata[stratum].append((_rank(draft.id, seed), draft))
    placed = [
        ((number + 0.5) / len(members), rank, draft)
        for members in strata.values()
        for number, (rank, draft) in enumerate(sorted(members, key=itemgetter(0)))
    ]
    return [draft for _, _, draft in sorted(placed, key=itemgetter(0, 1))]


def _pattern(section: str | None) -> re.Pattern[str] | None:
    try:
        return None if section is None else re.compile(section)
    except re.error as error:
        raise InputError(
            f"section: must be a regular expression, got {section!r} ({error})"
        ) from error


def _quarters(drafts: Sequence[Draft]) -> list[int]:
    """The quarter of each draft by the length of its first passage."""
    lengths = [len(next(iter(draft.passages.values()))[0]) for draft in drafts]
    ordered = sorted(lengths)
    bounds = [ordered[len(ordered) * n // QUARTERS] for n in range(1, QUARTERS)] if ordered else []
    return [sum(length >= bound for bound in bounds) for length in lengths]


def _rank(id: str, seed: int) -> int:
    return int.from_bytes(blake2b(f"{seed}:{id}".encode(), digest_size=8).digest())
