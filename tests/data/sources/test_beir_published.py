import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.beir_published import fetch_beir
from lingmix.errors import InputError
from tests.data.sources.published import judged, md5, served

FILES = {
    "corpus.jsonl": [
        {"_id": "a", "title": "Rivers", "text": "They flow.", "metadata": {}},
        {"_id": "b", "title": "", "text": "They do not.", "metadata": {}},
        {"_id": "c", "title": "", "text": "Cities.", "metadata": {}},
        {"_id": "d", "title": "", "text": "Cities do not flow.", "metadata": {}},
    ],
    "queries.jsonl": [
        {"_id": "a", "text": "They flow.", "metadata": {}},
        {"_id": "c", "text": "Cities.", "metadata": {}},
        {"_id": "train", "text": "Asked in training.", "metadata": {}},
    ],
}
QRELS = "query-id\tcorpus-id\tscore\na\tb\t1\nc\td\t1\nc\ta\t0\n"
Read = Callable[..., EvaluationSet]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    site = tmp_path / "site"
    site.mkdir()
    with served(site) as url:

        def published(*, files: dict[str, Any] = FILES, qrels: str = QRELS, **changes: Any):
            with zipfile.ZipFile(site / "arguana.zip", "w") as archive:
                for file, rows in files.items():
                    lines = "\n".join(map(json.dumps, rows))
                    archive.writestr(zipfile.ZipInfo(f"arguana/{file}"), lines)  # of no date
                archive.writestr(zipfile.ZipInfo("arguana/qrels/test.tsv"), qrels)
            arguments: dict[str, Any] = {
                "name": "beir_arguana",
                "url": f"{url}/arguana.zip",
                "checksum": md5(site / "arguana.zip"),
                "folder": "arguana",
                "split": "test",
                "language": "en",
                "ignore_own": False,
                "on_disk": False,
                "download_dir": tmp_path / "downloads",
            }
            return fetch_beir(**arguments | changes)

        yield published


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_archive_reads_as_a_set_in_beir_form(read: Read, on_disk: bool) -> None:
    one = read(on_disk=on_disk)
    assert one.query_ids == ("a", "c")
    assert one.query_languages == ("en", "en")
    assert tuple(one.passage_ids) == ("a", "b", "c", "d")
    assert tuple(one.passages) == (
        "Rivers They flow.",
        "They do not.",
        "Cities.",
        "Cities do not flow.",
    )
    assert tuple(one.passage_languages) == ("en",) * 4
    assert judged(one) == {("a", "b", 1), ("c", "d", 1), ("c", "a", 0)}


@pytest.mark.parametrize("on_disk", [False, True])
def test_that_a_query_is_not_ranked_against_its_own_passage_is_the_sets_to_say(
    read: Read, on_disk: bool
) -> None:
    assert not read(on_disk=on_disk).ignore_own
    assert read(on_disk=on_disk, ignore_own=True).ignore_own


def test_a_set_is_fetched_once(read: Read) -> None:
    fetched = read()
    assert judged(read(url="http://127.0.0.1:9/arguana.zip")) == judged(fetched)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"qrels": QRELS + "a\tz\t1\n"}, r"test.tsv:5: .*'z'"),
        ({"qrels": QRELS + "z\ta\t1\n"}, r"test.tsv:5: .*'z'"),
        ({"split": "dev"}, r"arguana/qrels/dev: no such file"),
        ({"folder": "arguana/android"}, r"arguana/android(/qrels)?: no such folder"),
        ({"checksum": "md5:" + "0" * 32}, r"arguana.zip: the file has md5:.*, expected md5:0000"),
    ],
)
def test_bad_input_is_named(read: Read, change: dict[str, Any], told: str, on_disk: bool) -> None:
    with pytest.raises(InputError, match=told):
        read(**{"on_disk": on_disk} | change)
