"""Which query is trained on with which passage, as numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, product

import numpy as np
from numpy.typing import NDArray

from lingmix.data.content_groups import ContentGroups, content_groups
from lingmix.data.items import Item, LanguagePair, Pair
from lingmix.data.languages import require_languages
from lingmix.errors import InputError


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingPairs:
    """N pairs of a query and a passage, by the position of each distinct text.

    Equal texts have equal numbers. `groups` says which passages are known to answer a query. The
    given negatives of pair n are `negative_texts[negative_starts[n]:negative_starts[n + 1]]`,
    numbers of passages. `item_ids[item_N[n]]` names the item it is of.
    """

    queries: tuple[str, ...]
    passages: tuple[str, ...]
    language_pairs: tuple[LanguagePair, ...]
    query_N: NDArray[np.int64]
    passage_N: NDArray[np.int64]
    language_pair_N: NDArray[np.int64]
    groups: ContentGroups
    negative_texts: NDArray[np.int64]
    negative_starts: NDArray[np.int64]
    item_ids: tuple[str, ...]
    item_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.query_N)

    @property
    def sizes(self) -> dict[LanguagePair, int]:
        """Pairs by language pair."""
        counts = np.bincount(self.language_pair_N, minlength=len(self.language_pairs))
        return dict(zip(self.language_pairs, counts.tolist(), strict=True))

    def shown(self, rows_B: NDArray[np.int64], most: int = 5) -> str:
        """Names the pairs at `rows_B`: their language pairs and the first of their items."""
        used = [self.language_pairs[n] for n in np.unique(self.language_pair_N[rows_B])]
        ids = [self.item_ids[n] for n in self.item_N[rows_B[:most]]]
        more = f" and {len(rows_B) - most} more" if len(rows_B) > most else ""
        return f"{_shown(used)}: items {', '.join(ids)}{more}"


class _Numbers(dict[str, int]):
    """Numbers texts in the order they are first seen."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


def training_pairs(
    items: Sequence[Item],
    *,
    languages: Sequence[str] | None,
    pairs: Sequence[str] | str,
    expand_pairs: bool,
) -> TrainingPairs:
    """The pairs of `items` whose language pair is wanted.

    `languages` None stands for all there are, and so does `pairs` "all". With `expand_pairs`
    listed pairs give way to every combination of their item's texts.
    """
    if isinstance(languages, str):
        raise InputError(f"languages: write `all` or a list such as [en, de], got {languages!r}")
    wanted = _wanted_pairs(items, languages=languages, pairs=pairs)
    listed = _listed(items, wanted, expand=expand_pairs)
    numbers = {pair: number for number, pair in enumerate(wanted)}
    queries, passages = _Numbers(), _Numbers()
    rows = [
        (queries[pair.query], passages[pair.passage], numbers[pair.languages], number)
        for number, pair in listed
    ]
    negatives = [[passages[text] for text in pair.negatives] for _, pair in listed]
    columns = np.array(rows, dtype=np.int64).T.copy()
    used = np.unique(columns[2])
    return TrainingPairs(
        queries=tuple(queries),
        passages=tuple(passages),
        language_pairs=tuple(wanted[n] for n in used),
        query_N=columns[0],
        passage_N=columns[1],
        language_pair_N=np.searchsorted(used, columns[2]),
        groups=content_groups(items, queries=tuple(queries), passages=tuple(passages)),
        negative_texts=np.array([*chain.from_iterable(negatives)], dtype=np.int64),
        negative_starts=np.cumsum([0, *map(len, negatives)]),
        item_ids=tuple(item.id for item in items),
        item_N=columns[3],
    )


def _listed(
    items: Sequence[Item], wanted: Sequence[LanguagePair], *, expand: bool
) -> list[tuple[int, Pair]]:
    """The pairs in the wanted language pairs, each with the number of its item."""
    chosen = set(wanted)
    listed = [
        (number, pair)
        for number, item in enumerate(items)
        for pair in _pairs_of(item, expand=expand)
        if pair.languages in chosen
    ]
    if not listed:
        raise InputError(
            f"training data: none of its {len(items)} items has a pair in {_shown(wanted)}; "
            "widen `languages` or `pairs`"
        )
    return listed


def _wanted_pairs(
    items: Sequence[Item], *, languages: Sequence[str] | None, pairs: Sequence[str] | str
) -> list[LanguagePair]:
    query_languages = {language for item in items for language in item.queries}
    passage_languages = {language for item in items for language in item.passages}
    known = query_languages | passage_languages
    require = partial(require_languages, of="the training data", known=sorted(known))
    require(languages or (), key="languages")
    if isinstance(pairs, str) and pairs != "all":
        raise InputError(f"pairs: write `all` or a list such as [en-de, de-en], got {pairs!r}")
    if pairs == "all":
        listed = [LanguagePair(*p) for p in product(query_languages, passage_languages)]
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


def _pairs_of(item: Item, *, expand: bool) -> Iterator[Pair]:
    if item.listed is not None and not expand:
        yield from item.listed
        return
    for (query_language, queries), (passage_language, passages) in product(
        item.queries.items(), item.passages.items()
    ):
        languages = LanguagePair(query_language, passage_language)
        negatives = item.negatives.get(passage_language, ())
        for query, passage in product(queries, passages):
            if item.listed is None or query not in passage:
                yield Pair(query, passage, languages, tuple(negatives))


def _shown(pairs: Sequence[LanguagePair], most: int = 6) -> str:
    shown = ", ".join(str(pair) for pair in pairs[:most])
    return shown if len(pairs) <= most else f"{shown} and {len(pairs) - most} more"
