"""Numbers as settings and signatures have them, with the range they lie in."""

from typing import Annotated

from annotated_types import Ge, Gt, Interval

LARGEST = 2**31 - 1
"""Nothing that is counted here comes near it; libraries count in no more."""

Count = Annotated[int, Interval(ge=1, le=LARGEST)]
CountOrZero = Annotated[int, Interval(ge=0, le=LARGEST)]
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]
Share = Annotated[float, Interval(ge=0, le=1)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
