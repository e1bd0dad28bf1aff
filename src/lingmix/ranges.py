"""Number types for settings and signatures, with their ranges."""

from typing import Annotated

from annotated_types import Ge, Gt, Interval

LARGEST = 2**31 - 1
"""Upper bound of counts, as libraries store them in 32 bits; none comes near it."""

Count = Annotated[int, Interval(ge=1, le=LARGEST)]
CountOrZero = Annotated[int, Interval(ge=0, le=LARGEST)]
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]
Share = Annotated[float, Interval(ge=0, le=1)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
