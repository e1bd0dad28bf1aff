"""How many of the places where something may fail are tried."""

import os
from collections.abc import Sequence
from typing import TypeVar

ROUNDS = int(os.environ.get("LINGMIX_CHAOS_ROUNDS", "2"))

EVERY = max(1, 15 // ROUNDS)
"""Odd at two rounds, so that what is done at odd and at even places is done for each fault."""

T = TypeVar("T")


def tried(places: Sequence[T], *, way: int = 0) -> Sequence[T]:
    """One of EVERY places for one way of failing: at two rounds each of them by one or two of eight
    ways, from 8 rounds on every place by every way."""
    return places[way % max(1, min(EVERY, len(places))) :: EVERY]
