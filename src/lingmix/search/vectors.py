"""Vectors of texts as rows of an array, where equal texts share a row."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Embeddings(Protocol):
    """Vectors as rows, in memory or on disk: indexing copies those asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: Any, /) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Vectors:
    """Text n has row `row_N[n]` of `distinct_UD`, in memory or on disk; indexing copies only the
    rows asked for."""

    distinct_UD: NDArray[np.float32] | Embeddings
    row_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row_N)

    def __getitem__(self, texts: Any) -> NDArray[np.float32]:
        return np.asarray(self.distinct_UD[self.row_N[texts]])

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.row_N), self.distinct_UD.shape[1]
