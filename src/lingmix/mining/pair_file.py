"""Training pairs with their hard negatives as rows that `read_pairs` reads."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lingmix.data.training_pairs import TrainingPairs


def rows_with_negatives(
    pairs: TrainingPairs, negative_NC: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    """Yields the pairs as rows, item by item; `negative_NC` are passages' texts, -1 for none."""
    columns = pairs.columns
    domain_I = np.concatenate([*columns.joined.column("items", "domain")])
    sources = list(_source_ids(columns.item_ids))
    text = columns.texts.__getitem__
    for position in np.argsort(pairs.item_N, kind="stable").tolist():
        languages = pairs.language_pairs[pairs.language_pair_N[position]]
        item = pairs.item_N[position]
        yield {
            "query": text(pairs.query_N[position]),
            "passage": text(pairs.passage_N[position]),
            "query_lang": languages.query,
            "passage_lang": languages.passage,
            "source_id": sources[item],
            "domain": columns.joined.domains[domain_I[item]],
            "negatives": [text(number) for number in negative_NC[position] if number >= 0],
        }


def _source_ids(item_ids: Sequence[str]) -> Iterator[str]:
    """Yields each item's id, numbered where another has used it: `a`, `a#2` ...; rows of one
    id would be read as one item."""
    ids, taken = {*item_ids}, set[str]()
    for id in item_ids:
        numbered = (f"{id}#{n}" for n in count(2))
        free = (name for name in numbered if name not in ids and name not in taken)
        source = next(free) if id in taken else id
        taken.add(source)
        yield source
