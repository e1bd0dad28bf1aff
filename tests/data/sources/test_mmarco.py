from pathlib import Path

import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.mmarco import REPO, read_mmarco
from lingmix.errors import InputError
from tests.data.sources.published import hub_put, judged

REVISION = "b" * 40
GERMAN = "data/google/collections/german_collection.tsv"
FILES = {
    "data/google/collections/english_collection.tsv": '0\tThe bank, "it" said.\n1\tA river\'s\n',
    GERMAN: "0\tDie Bank.\n1\tEin Fluss, 3\tkm lang\n",
    "data/google/queries/dev/english_queries.dev.small.tsv": "11\twhat river\n10\twhat bank\n",
    "data/google/queries/dev/german_queries.dev.small.tsv": "10\twelche Bank\n11\twelcher Fluss\n",
    "data/qrels.dev.small.tsv": "10\t0\t0\t1\n11\t0\t1\t1\n",
}


def read(hub: Path, tmp_path: Path, *languages: str, **changes: str) -> EvaluationSet:
    for file, content in (FILES | changes).items():
        hub_put(hub, REPO, REVISION, file, content)
    return read_mmarco(
        name="mmarco", languages=languages, revision=REVISION, download_dir=tmp_path / "downloads"
    )


def test_a_passage_is_relevant_in_every_language(hub: Path, tmp_path: Path) -> None:
    one = read(hub, tmp_path, "de", "en")
    assert one.query_ids == ("de:10", "de:11", "en:11", "en:10")
    assert one.query_languages == ("de", "de", "en", "en")
    assert tuple(one.passage_ids) == ("de:0", "de:1", "en:0", "en:1")
    assert tuple(one.passages) == (
        "Die Bank.",
        "Ein Fluss, 3\tkm lang",
        'The bank, "it" said.',
        "A river's",
    )
    assert tuple(one.passage_languages) == ("de", "de", "en", "en")
    assert judged(one) == {
        (f"{asked}:{query}", f"{searched}:{passage}", 1)
        for asked in ("de", "en")
        for searched in ("de", "en")
        for query, passage in ((10, 0), (11, 1))
    }


def test_languages_not_asked_for_are_not_read(hub: Path, tmp_path: Path) -> None:
    one = read(hub, tmp_path, "en", **{GERMAN: ""})
    assert judged(one) == {("en:10", "en:0", 1), ("en:11", "en:1", 1)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data/qrels.dev.small.tsv": "10\t0\t7\t1\n"}, r"small.tsv:1: passage 'de:7' is judged"),
        ({GERMAN: "0\tDie Bank.\n1\n"}, r"german_collection.tsv:2: 1 fields \('1'\); expected an"),
        ({GERMAN: ""}, r"german_collection.tsv: it is empty; expected an mMARCO collection"),
    ],
)
def test_bad_input_is_named_by_file_and_line(
    hub: Path, tmp_path: Path, changes: dict[str, str], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        read(hub, tmp_path, "de", **changes)


def test_a_language_that_the_set_lacks_is_refused(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^languages: mMARCO has no th; it has ar, de, en,"):
        read(hub, tmp_path, "th")
