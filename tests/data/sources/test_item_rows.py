import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lingmix.data.items import Item
from lingmix.data.sources.item_rows import read_items
from lingmix.errors import InputError

ROW: dict[str, Any] = {
    "id": "a",
    "domain": "geography",
    "queries": {"en": ["Where?", "At what place?"], "de": ["Wo?"]},
    "passages": {"en": ["Here."]},
    "negatives": {"en": ["There."]},
}
ITEM = Item(
    "a",
    "geography",
    {"en": ("Where?", "At what place?"), "de": ("Wo?",)},
    {"en": ("Here.",)},
    {"en": ("There.",)},
)
OTHER: dict[str, Any] = {
    "id": "b",
    "domain": "",
    "queries": {"th": ["ที่ไหน"]},
    "passages": {"en": ["Here."]},
}


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "items.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_items_are_read_as_written(tmp_path: Path) -> None:
    other = Item("b", "", {"th": ("ที่ไหน",)}, {"en": ("Here.",)})
    assert list(read_items(path=write(tmp_path, ROW, OTHER))) == [ITEM, other]


@pytest.mark.parametrize("by_language", ["struct", "map"])
def test_parquet_holds_texts_by_language_as_structs_or_maps(
    tmp_path: Path, by_language: str
) -> None:
    rows = [ROW, OTHER]
    texts = pa.map_(pa.string(), pa.list_(pa.string()))
    schema = pa.schema(
        {"id": pa.string(), "domain": pa.string()}
        | dict.fromkeys(("queries", "passages", "negatives"), texts)
    )
    table = pa.Table.from_pylist(rows, schema=schema if by_language == "map" else None)
    pq.write_table(table, tmp_path / "items.parquet")
    assert list(read_items(path=tmp_path / "items.parquet")) == list(
        read_items(path=write(tmp_path, *rows))
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": None}, "field 'id' is missing"),
        ({"domain": None}, "field 'domain' is missing"),
        ({"queries": {"en": [""]}}, "field 'queries.en' must hold non-empty texts"),
        ({"passages": {}}, "field 'passages' must hold a text in some language"),
        ({"negatives": ["There."]}, "field 'negatives' must be an object"),
    ],
)
def test_a_bad_item_is_named_by_line_and_field(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = write(tmp_path, OTHER, ROW | change)
    with pytest.raises(InputError, match=f"^{path}:2: {told}"):
        list(read_items(path=path))
