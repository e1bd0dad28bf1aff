"""Which query is trained on with which passage, as rows of the columns."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lingmix.data.columns.columns import Columns
from lingmix.data.columns.numbering import Rows
from lingmix.data.content_groups import ContentGroups
from lingmix.data.items import LanguagePair
from lingmix.data.languages import require_languages
from lingmix.data.text_column import TextColumn
from lingmix.errors import InputError


class TrainingPairs:
    """N pairs of a query and a passage, in order of their language pairs.

    Texts are known by their row in `texts`, equal ones by the same. `groups` says which passages
    are known to answer a query. `row_N` are the pairs' rows in the columns. Of a batch ask by
    position with `queries`, `passages` and `negatives`; `query_N` and the like are of all pairs,
    and take memory. Where sets are told apart, a language pair stands once for each set that has
    it, and `set_Y` has the sets' numbers, else zeros.
    """

    def __init__(
        self,
        columns: Columns,
        language_pairs: Sequence[LanguagePair],
        rows: Sequence[Rows],
        sets: Sequence[int],
    ) -> None:
        """`rows` and `sets` have those of each language pair."""
        self.columns = columns
        self.language_pairs = tuple(language_pairs)
        self.row_N = np.concatenate(rows)
        self.size_Y = np.array([len(one) for one in rows], dtype=np.int64)
        self.start_Y = np.cumsum(self.size_Y) - self.size_Y
        self.set_Y = np.array(sets, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.row_N)

    @property
    def texts(self) -> TextColumn:
        return self.columns.texts

    @property
    def groups(self) -> ContentGroups:
        return self.columns.groups

    @property
    def item_count(self) -> int:
        """How many items the pairs are of."""
        return len(np.unique(self.columns.pair_item_N[self.row_N]))

    @property
    def sizes(self) -> dict[LanguagePair, int]:
        """Pairs by language pair, of all sets."""
        sizes = Counter[LanguagePair]()
        for pair, size in zip(self.language_pairs, self.size_Y.tolist(), strict=True):
            sizes[pair] += size
        return dict(sizes)

    def queries(self, position_B: NDArray[np.int64]) -> Rows:
        return self.columns.query_N[self.row_N[position_B]]

    def passages(self, position_B: NDArray[np.int64]) -> Rows:
        return self.columns.passage_N[self.row_N[position_B]]

    def negatives(self, position: int) -> Rows:
        """Those given to a pair."""
        row = self.row_N[position]
        start_N = self.columns.negative_start_N
        return self.columns.negative_texts[start_N[row] : start_N[row + 1]]

    def language_pairs_of(self, position_B: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions in `language_pairs`."""
        return np.searchsorted(self.start_Y, position_B, side="right") - 1

    @cached_property
    def query_N(self) -> Rows:
        return self.queries(np.arange(len(self)))

    @cached_property
    def passage_N(self) -> Rows:
        return self.passages(np.arange(len(self)))

    @cached_property
    def language_pair_N(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.size_Y)), self.size_Y)

    @cached_property
    def item_N(self) -> Rows:
        return self.columns.pair_item_N[self.row_N]

    @cached_property
    def given_negatives(self) -> tuple[NDArray[np.int64], Rows]:
        """All of them: the position of the pair that each is given to, and its text."""
        if not self.columns.joined.negatives:
            return np.empty(0, np.int64), np.empty(0, np.int32)
        start_N = self.columns.negative_start_N[self.row_N]
        count_N = self.columns.negative_start_N[self.row_N + 1] - start_N
        pair_M = np.repeat(np.arange(len(self)), count_N)
        within_M = np.arange(len(pair_M)) - np.repeat(np.cumsum(count_N) - count_N, count_N)
        return pair_M, self.columns.negative_texts[start_N[pair_M] + within_M]

    def shown(self, position_B: NDArray[np.int64], most: int = 5) -> str:
        """Names pairs: their language pairs and the first of their items."""
        used = [self.language_pairs[n] for n in np.unique(self.language_pairs_of(position_B))]
        items = self.columns.pair_item_N[self.row_N[position_B[:most]]]
        ids = self.columns.item_ids.take(items)
        more = f" and {len(position_B) - most} more" if len(position_B) > most else ""
        return f"{_shown(used)}: items {', '.join(ids)}{more}"

    def sample_texts(self, characters: int) -> Sequence[str]:
        """Distinct texts of the pairs in the order of their hashes, until there are that many
        characters in them: the same whatever the order of the data. Read when they are asked for,
        which an encoder with a vocabulary of its own never does."""
        return _Sample(lambda: self._sampled(characters))

    def _sampled(self, characters: int) -> list[str]:
        used_T = np.zeros(len(self.texts), np.bool_)
        for rows_N in (self.columns.query_N, self.columns.passage_N):
            used_T[rows_N[self.row_N]] = True
        used_T[self.given_negatives[1]] = True
        texts: dict[int, str] = {}
        limit, begin = 2**64 - 1, 0
        for key, text in self.columns.joined.keyed_texts():
            new = np.flatnonzero(used_T[begin : begin + len(key)] & (key <= limit))
            begin += len(key)
            texts |= zip(key[new].tolist(), text.take(pa.array(new)).to_pylist(), strict=True)
            ordered = sorted(texts)
            ends = np.cumsum([len(texts[one]) for one in ordered])
            ordered = ordered[: int(np.searchsorted(ends, characters)) + 1]
            texts = {one: texts[one] for one in ordered}
            if len(ends) > len(ordered):
                limit = ordered[-1]
        return [*texts.values()]


class _Sample(Sequence[str]):
    """Texts that are read when they are first asked for."""

    def __init__(self, read: Callable[[], list[str]]) -> None:
        self._read = read

    @cached_property
    def _texts(self) -> list[str]:
        return self._read()

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: Any) -> Any:
        return self._texts[index]


def training_pairs(
    columns: Columns,
    *,
    items: Rows | None,
    languages: Sequence[str] | None,
    pairs: Sequence[str] | str,
    by_set: bool = False,
) -> TrainingPairs:
    """The pairs of the columns whose language pair is wanted, of the `items` that are.

    `items` is the place of each row of an item, see `scaled_items`: pairs of a language pair are in
    the order of their items. `languages` None stands for all there are, and so does `pairs` "all".
    With `by_set`, pairs of one language pair and of two sets are told apart.
    """
    if isinstance(languages, str):
        raise InputError(f"languages: write `all` or a list such as [en, de], got {languages!r}")
    wanted = _wanted_pairs(columns, languages=languages, pairs=pairs)
    set_I = columns.joined.groups() if by_set else np.zeros_like(columns.item_I)
    found: dict[tuple[LanguagePair, int], Rows] = {}
    for pair in wanted:
        rows = columns.rows_of.get(pair, range(0))
        rows_N = np.arange(rows.start, rows.stop, dtype=np.int32)
        if items is not None:
            place_N = items[columns.pair_item_N[rows_N]]
            rows_N = rows_N[np.argsort(place_N, kind="stable")[np.count_nonzero(place_N < 0) :]]
        set_N = set_I[columns.pair_item_N[rows_N]]
        found |= {(pair, int(one)): rows_N[set_N == one] for one in np.unique(set_N)}
    if not found:
        kept = columns.item_I if items is None else columns.item_I[items >= 0]
        count = len(np.unique(kept))
        raise InputError(
            f"training data: none of its {count} items has a pair in {_shown(wanted)}; "
            "widen `languages` or `pairs`"
        )
    language_pairs, sets = zip(*found, strict=True)
    return TrainingPairs(columns, language_pairs, [*found.values()], sets)


def _wanted_pairs(
    columns: Columns, *, languages: Sequence[str] | None, pairs: Sequence[str] | str
) -> list[LanguagePair]:
    known = columns.joined.languages
    require = partial(require_languages, of="the training data", known=known)
    require(languages or (), key="languages")
    if isinstance(pairs, str) and pairs != "all":
        raise InputError(f"pairs: write `all` or a list such as [en-de, de-en], got {pairs!r}")
    if pairs == "all":
        listed = [LanguagePair(*pair) for pair in product(known, known)]
    else:
        listed = [LanguagePair.parse(text) for text in pairs]
        require((code for pair in listed for code in pair), key="pairs")
    kept = set(languages or known)
    wanted = sorted(pair for pair in set(listed) if kept.issuperset(pair))
    if not wanted:
        raise InputError(
            f"pairs: none of {_shown(listed)} is within languages {sorted(kept)}; widen either"
        )
    return wanted


def _shown(pairs: Sequence[LanguagePair], most: int = 6) -> str:
    shown = ", ".join(str(pair) for pair in pairs[:most])
    return shown if len(pairs) <= most else f"{shown} and {len(pairs) - most} more"
