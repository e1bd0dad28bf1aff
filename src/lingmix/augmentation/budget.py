"""What requests cost, and a budget that is never passed."""

from collections.abc import Mapping
from threading import Lock
from typing import NamedTuple


class Cost(NamedTuple):
    """Requests, tokens read and written, and money in millionths of the unit of the prices."""

    requests: int = 0
    read: int = 0
    written: int = 0
    millionths: float = 0.0

    def plus(self, other: "Cost", sign: int = 1) -> "Cost":
        """Return the sum, with `sign` -1 the difference."""
        return Cost(
            self.requests + sign * other.requests,
            self.read + sign * other.read,
            self.written + sign * other.written,
            self.millionths + sign * other.millionths,
        )

    @property
    def amounts(self) -> dict[str, float]:
        """What a budget limits, by its keys."""
        return {
            "requests": self.requests,
            "tokens": self.read + self.written,
            "money": round(self.millionths / 1e6, 6),
        }

    def __str__(self) -> str:
        counts = f"{self.requests:,} requests, {self.read:,} tokens read, {self.written:,} written"
        return counts + (f", {self.millionths / 1e6:,.4f} in money" if self.millionths else "")


class Prices(NamedTuple):
    """Of a million tokens read and written."""

    read: float
    written: float

    def cost(self, read: int, written: int) -> Cost:
        """Return what one request costs."""
        return Cost(1, read, written, read * self.read + written * self.written)


class Budget:
    """Limits of requests, tokens and money, None where there is none.

    A request is reserved at the most that it can cost before it is sent, and settled at what it
    did cost: those under way cannot pass a limit together.
    """

    def __init__(self, limits: Mapping[str, float | None], spent: Cost) -> None:
        self._limits = limits
        self._spent = spent
        self._lock = Lock()

    def reserve(self, most: Cost) -> str:
        """Reserve the cost; where it would pass a limit, reserve nothing and return its key."""
        with self._lock:
            after = self._spent.plus(most)
            for key, amount in after.amounts.items():
                limit = self._limits.get(key)
                if limit is not None and amount > limit:
                    return key
            self._spent = after
            return ""

    def settle(self, change: Cost) -> None:
        """Add what a reservation was short of the actual cost, mostly below zero."""
        with self._lock:
            self._spent = self._spent.plus(change)
