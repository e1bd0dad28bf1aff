import numpy as np
import pytest

from lingmix.data.items import Item
from lingmix.data.row_file import refuse_unwritable, write_rows
from lingmix.data.sources.pair_rows import read_pairs
from lingmix.data.training_pairs import training_pairs
from lingmix.errors import InputError
from lingmix.mining.pair_file import rows_with_negatives
from tests.columns import columns_of, rows_of

ITEMS = [
    Item("a", "one", {"en": ("qa",), "de": ("fa",)}, {"en": ("Pa",), "de": ("Ka",)}),
    Item("a", "two", {"en": ("qb",)}, {"en": ("Pb",)}),
    Item("a#2", "", {"en": ("qc",)}, {"en": ("Pc",)}),
]
COLUMNS = columns_of(*([item] for item in ITEMS))
PAIRS = training_pairs(COLUMNS, items=None, languages=None, pairs=["en-en", "de-en"])
"""In order of their language pairs: fa-Pa, qa-Pa, qb-Pb, qc-Pc."""
PA, PB, PC = rows_of(COLUMNS, ["Pa", "Pb", "Pc"]).tolist()
NEGATIVES = np.array([[-1, -1], [PB, -1], [PA, PC], [-1, PB]])


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_pairs_are_read_as_they_were_with_their_negatives(tmp_path, ending):
    path = tmp_path / f"pairs{ending}"
    rows = rows_with_negatives(PAIRS, NEGATIVES)
    write_rows(rows, path=path)
    read = list(read_pairs(path=path))
    assert [item.domain for item in read] == ["one", "two", ""]
    assert [[tuple(pair) for pair in item.listed] for item in read] == [
        [("fa", "Pa", ("de", "en"), ()), ("qa", "Pa", ("en", "en"), ("Pb",))],
        [("qb", "Pb", ("en", "en"), ("Pa", "Pc"))],
        [("qc", "Pc", ("en", "en"), ("Pb",))],
    ]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_three_items_of_one_id_stay_three():
    items = [Item("a", "", {"en": (f"q{n}",)}, {"en": (f"p{n}",)}) for n in range(3)]
    pairs = training_pairs(
        columns_of(*([item] for item in items)), items=None, languages=None, pairs="all"
    )
    rows = rows_with_negatives(pairs, np.full((3, 1), -1))
    assert [row["source_id"] for row in rows] == ["a", "a#2", "a#3"]


def test_items_of_several_sources_with_one_id_stay_apart():
    rows = list(rows_with_negatives(PAIRS, NEGATIVES))
    assert [row["source_id"] for row in rows] == ["a", "a", "a#3", "a#2"]


def test_a_file_that_cannot_be_finished_leaves_the_one_before(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("before")

    def rows():
        yield {"query": "q"}
        raise OSError("No space left on device")

    with pytest.raises(InputError, match=r"pairs\.jsonl: cannot be written: No space left"):
        write_rows(rows(), path=path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.jsonl").mkdir()
    for path, says in (
        (tmp_path / "pairs.tsv", r"must end in one of .jsonl .* got .*pairs\.tsv"),
        (tmp_path / "folder.jsonl", r"is a folder; name a file"),
        (tmp_path / "file" / "pairs.jsonl", r"file cannot be made"),
    ):
        with pytest.raises(InputError, match=rf"path: .*{says}"):
            refuse_unwritable(path)
