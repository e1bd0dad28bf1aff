"""Columns on disk: what they hold beside the items they are made of, and how they are made."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lingmix.data.columns import numbering
from lingmix.data.columns.columns import Columns, Source, keep_columns
from lingmix.data.columns.numbering import first_of_equal
from lingmix.data.columns.shard import ROWS
from lingmix.data.items import Item, LanguagePair, Pair
from lingmix.errors import InputError
from tests.columns import columns_of, training_pairs

EN_DE, EN_FR = LanguagePair("en", "de"), LanguagePair("en", "fr")


def part(id: str, pair: Pair, domain: str = "") -> Item:
    """An item, or what of it stands in one place."""
    asked, given = pair.languages
    negatives = {given: pair.negatives} if pair.negatives else {}
    queries, passages = {asked: (pair.query,)}, {given: (pair.passage,)}
    return Item(id, domain, queries, passages, negatives, (pair,))


WHERE = Pair("where?", "hier", EN_DE, ("dort",))
SAME = Pair("where?", "ici", EN_FR)
WHO = Pair("who?", "sie", EN_DE)


def pairs_in(columns: Columns) -> list[tuple[str, str]]:
    sides = (columns.texts.take(column) for column in (columns.query_N, columns.passage_N))
    return [*zip(*sides, strict=True)]


def test_an_item_whose_rows_stand_apart_is_one_item():
    columns = columns_of([part("a", WHERE), part("b", WHO), part("a", SAME)])
    assert columns.item_I.tolist() == [0, 1, 0]
    assert pairs_in(columns) == [("where?", "hier"), ("who?", "sie"), ("where?", "ici")]
    assert columns.pair_item_N.tolist() == [0, 1, 0]
    assert columns.query_N[0] == columns.query_N[2], "equal texts have one number"
    hier, sie, ici = columns.passage_N
    group_T = columns.groups.group_T
    assert group_T[hier] == group_T[ici] != group_T[sie]


def test_items_of_two_sources_with_one_id_are_two():
    columns = columns_of([part("a", WHERE)], [part("a", SAME)])
    assert columns.item_I.tolist() == [0, 1]


def test_combining_takes_an_item_from_all_its_places():
    apart = [
        part("a", WHERE),
        part("b", WHO),
        part("a", Pair("wo?", "ici", LanguagePair("de", "fr"))),
    ]
    pairs = training_pairs(apart, expand_pairs=True)
    assert pairs.sizes == {
        LanguagePair("de", "de"): 1, LanguagePair("de", "fr"): 1, EN_DE: 2, EN_FR: 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([Item(id, "", {}, {}) for id in ("a", "b", "a")], "id 'a' is that of two items"),
        ([part("a", WHERE, "law"), part("b", WHO), part("a", SAME, "art")],
         "source_id 'a' is of domain 'law' and of domain 'art'; an item has one domain"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("expand_pairs", [False, True])
def test_rows_that_contradict_each_other_are_refused_by_id(items, told, expand_pairs):
    with pytest.raises(InputError, match=f"^source 0: {told}"):
        columns_of(items, expand_pairs=expand_pairs)


@pytest.mark.parametrize("bucket", [1, 7, 100])
def test_equal_hashes_have_the_first_ones_row_whatever_fits_into_memory(monkeypatch, bucket):
    monkeypatch.setattr(numbering, "BUCKET", bucket)
    hash_N = np.random.default_rng(0).integers(20, size=60).astype(np.uint64)
    first_N = first_of_equal(lambda: np.array_split(hash_N, 4), len(hash_N))
    assert first_N.tolist() == [hash_N.tolist().index(value) for value in hash_N]


def test_batches_of_rows_join_without_a_seam():
    """One item a pair, and a few more pairs than a batch has."""
    count = ROWS // 2 + 3
    items = (part(f"{n}", Pair(f"q{n}", f"p{n % 5}", EN_DE, (f"n{n % 7}",))) for n in range(count))
    columns = columns_of(items)
    expected = [(f"q{n}", f"p{n % 5}") for n in range(count)]
    assert pairs_in(columns) == expected
    given = columns.texts.take(columns.negative_texts)
    assert given == [f"n{n % 7}" for n in range(count)]
    assert columns.negative_start_N.tolist() == [*range(count + 1)]


def source(name: str, items: list[Item], read: list[str], *, size: int = 0) -> Source:
    """Notes when it is read."""

    def reading() -> list[Item]:
        read.append(name)
        return items

    return Source(name, 0, f"digest of {name}", reading, size)


def test_a_source_is_read_once_and_one_that_is_added_alone(tmp_path):
    read: list[str] = []
    first, second = source("one", [part("a", WHERE)], read), source("two", [part("b", WHO)], read)
    for _ in range(2):
        keep_columns([first], tmp_path, expand_pairs=False)
    assert read == ["one"]
    columns = keep_columns([first, second], tmp_path, expand_pairs=False)
    assert read == ["one", "two"]
    assert pairs_in(columns) == [("where?", "hier"), ("who?", "sie")]


def damage_cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize("damage", [Path.unlink, damage_cut])
@pytest.mark.parametrize("name", ["texts.arrow", "names.json", "group.arrow"])
def test_columns_of_which_a_file_is_deleted_or_cut_are_made_anew(tmp_path, caplog, damage, name):
    read: list[str] = []
    one = source("one", [part("a", WHERE)], read)
    before = pairs_in(keep_columns([one], tmp_path, expand_pairs=False))
    (file,) = tmp_path.glob(f"*/{name}")
    damage(file)
    assert pairs_in(keep_columns([one], tmp_path, expand_pairs=False)) == before
    assert len(read) == (1 if name == "group.arrow" else 2)
    assert "cannot be read" in caplog.text
    assert not [*tmp_path.glob("*.unfinished")]


def test_what_is_larger_than_the_disk_is_refused_before_it_is_read(tmp_path):
    read: list[str] = []
    huge = source("corpus.jsonl", [], read, size=10**15)
    with pytest.raises(InputError) as refused:
        keep_columns([huge], tmp_path, expand_pairs=False)
    message = str(refused.value)
    assert message.startswith(f"output_dir: {tmp_path} has ")
    assert "the columns of corpus.jsonl (931,322.6 GiB of text, twice over) need" in message
    assert "1,862,645.1 GiB; free some, or set output_dir to a larger disk" in message
    assert read == []


MAKING = """
import json, sys, time
from pathlib import Path
from lingmix.data.columns.columns import Source, keep_columns
from lingmix.data.items import Item, LanguagePair, Pair

folder, log = map(Path, sys.argv[1:])

def items():
    with log.open("a") as file:
        file.write("read\\n")
    time.sleep(0.2)
    for n in range(500):
        pair = Pair(f"q{n}", f"p{n}", LanguagePair("en", "de"))
        yield Item(f"{n}", "", {"en": (f"q{n}",)}, {"de": (f"p{n}",)}, {}, (pair,))

columns = keep_columns([Source("one", 0, "one", items, 0)], folder, expand_pairs=False)
print(json.dumps([len(columns.query_N), columns.groups.group_T.sum().item()]))
"""


def test_processes_that_start_together_make_the_columns_once(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", MAKING, str(tmp_path / "columns"), str(log)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    said = [json.loads(process.communicate(timeout=120)[0]) for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert said[0] == said[1]
    assert said[0][0] == 500
    assert log.read_text() == "read\n"


def test_a_process_that_is_killed_leaves_what_the_next_one_removes(tmp_path):
    columns = tmp_path / "columns"
    killed = MAKING.replace(
        "time.sleep(0.2)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    for making, status in ((killed, -signal.SIGKILL), (MAKING, 0)):
        command = [sys.executable, "-c", making, str(columns), str(tmp_path / "log")]
        assert subprocess.run(command, check=False, capture_output=True).returncode == status
        assert bool([*columns.glob("*.unfinished")]) == (status != 0)
