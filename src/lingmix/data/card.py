"""What training data consist of: texts, their lengths and repetitions, language pairs, domains.

Columns are streamed: of each role and language no more is held than how many texts have a length,
and a sample of texts.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lingmix.atomic import atomic_file
from lingmix.data.columns.columns import Columns
from lingmix.data.columns.numbering import Rows
from lingmix.data.columns.shard import ROLES
from lingmix.data.training_pairs import TrainingPairs

if TYPE_CHECKING:  # it imports torch
    from lingmix.data.tokens import Role, Tokenize

LONGEST = 2**14
"""Characters from which texts count as equally long."""

SAMPLE = 1000
"""Texts a role and language that are tokenised."""


class DataCard(NamedTuple):
    """A row a role and language, a row a language pair, a row a domain.

    `repeated` are texts whose form (`folded`) another text has had before, in whatever role and
    language; `median` and `longest` are in characters. `median_tokens` and `longest_tokens`, where
    there is an encoder, are of the `SAMPLE` texts whose hashes are smallest, as it reads them: with
    its prompt, and cut at its most.
    """

    texts: pl.DataFrame
    pairs: pl.DataFrame
    domains: pl.DataFrame


def data_card(
    columns: Columns,
    pairs: TrainingPairs,
    *,
    items: Rows | None,
    tokenize: "Tokenize | None" = None,
) -> DataCard:
    """Describes the `items` that are trained on (see `scaled_items`), and the pairs that are."""
    sizes = [(*pair, size) for pair, size in pairs.sizes.items()]
    names = ["query_language", "passage_language", "pairs"]
    texts = _texts(columns, items)
    if tokenize is not None:
        texts = texts.join(_tokens(columns, items, tokenize), on=["role", "language"], how="left")
    return DataCard(
        texts,
        pl.DataFrame(
            sizes, dict.fromkeys(names[:2], pl.String) | {"pairs": pl.Int64}, orient="row"
        ),
        _domains(columns, items),
    )


def items_of(pairs: TrainingPairs) -> Rows:
    """The items that pairs are of, as `scaled_items` has them."""
    item_I = pairs.columns.item_I
    place_I = np.full(len(item_I), -1, np.int32)
    place_I[pairs.item_N] = 0
    return place_I[item_I]


def write_card(card: DataCard, folder: Path) -> None:
    """Writes a CSV file a table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in card._asdict().items():
        with atomic_file(folder / f"{name}.csv") as file:
            rows.write_csv(file)


def _texts(columns: Columns, items: Rows | None) -> pl.DataFrame:
    joined, form_T = columns.joined, columns.groups.form_T
    languages = len(joined.languages)
    count_SL = np.zeros((len(ROLES) * languages, LONGEST + 1), np.int64)
    repeated_S = np.zeros(len(count_SL), np.int64)
    stream = joined.columns("texts", "role", "language", "item")
    for (begin, role, language, item), (_, text) in zip(stream, joined.keyed_texts(), strict=True):
        trained = _trained(item, items)
        slot = (role.astype(np.int64) * languages + language)[trained]
        length = np.minimum(pc.utf8_length(text).to_numpy(zero_copy_only=False), LONGEST)[trained]
        np.add.at(count_SL, (slot, length), 1)
        place = begin + np.flatnonzero(trained)
        np.add.at(repeated_S, slot[form_T[place] != place], 1)
    rows = [
        (
            *(ROLES[slot // languages], joined.languages[slot % languages]),
            *(int(count_L.sum()), int(repeated_S[slot]), _median(count_L)),
            int(np.flatnonzero(count_L)[-1]),
        )
        for slot, count_L in enumerate(count_SL)
        if count_L.any()
    ]
    names = ["role", "language", "texts", "repeated", "median", "longest"]
    kinds = [pl.String, pl.String, *[pl.Int64] * 4]
    return pl.DataFrame(rows, dict(zip(names, kinds, strict=True)), orient="row")


def _trained(item: Rows, items: Rows | None) -> NDArray[np.bool_]:
    return np.ones(len(item), np.bool_) if items is None else items[item] >= 0


def _tokens(columns: Columns, items: Rows | None, tokenize: "Tokenize") -> pl.DataFrame:
    rows = []
    for (role, language), texts in sorted(_sample(columns, items).items()):
        read: Role = "query" if ROLES[role] == "queries" else "passage"
        lengths = sorted(map(len, tokenize([*texts.values()], read)))
        middle = lengths[(len(lengths) - 1) // 2]
        rows.append((ROLES[role], columns.joined.languages[language], middle, lengths[-1]))
    names = ("role", "language", "median_tokens", "longest_tokens")
    kinds = (pl.String, pl.String, pl.Int64, pl.Int64)
    return pl.DataFrame(rows, dict(zip(names, kinds, strict=True)), orient="row")


def _sample(columns: Columns, items: Rows | None) -> dict[tuple[int, int], dict[int, str]]:
    """By role and language the texts with the smallest hashes, by hash: the same whatever the order
    of the data."""
    joined = columns.joined
    sample: dict[tuple[int, int], dict[int, str]] = {}
    stream = joined.columns("texts", "role", "language", "item")
    for (_, role, language, item), (key, text) in zip(stream, joined.keyed_texts(), strict=True):
        slot = np.where(
            _trained(item, items), role.astype(np.int64) * len(joined.languages) + language, -1
        )
        for number in np.unique(slot[slot >= 0]).tolist():
            rows = np.flatnonzero(slot == number)
            rows = rows[np.argsort(key[rows], kind="stable")][:SAMPLE]
            found = sample.setdefault(divmod(number, len(joined.languages)), {})
            found |= zip(key[rows].tolist(), text.take(pa.array(rows)).to_pylist(), strict=True)
            for beyond in sorted(found)[SAMPLE:]:
                del found[beyond]
    return sample


def _median(count_L: NDArray[np.int64]) -> int:
    """Of lengths that occur so often, the lower one of two."""
    return int(np.searchsorted(np.cumsum(count_L), (count_L.sum() + 1) // 2))


def _domains(columns: Columns, items: Rows | None) -> pl.DataFrame:
    joined = columns.joined
    kept_I = columns.item_I == np.arange(len(columns.item_I), dtype=np.int32)
    if items is not None:
        kept_I &= items >= 0
    codes = np.concatenate([np.empty(0, np.uint16), *joined.column("items", "domain")])[kept_I]
    counts = np.bincount(codes, minlength=len(joined.domains))
    return pl.DataFrame({"domain": joined.domains, "items": counts}).filter(pl.col("items") > 0)
