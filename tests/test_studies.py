"""The texts of the studies say what their scores do."""

import importlib.util
import re
from pathlib import Path

import pytest

STUDIES = Path(__file__).parents[1] / "studies"
SCORE = r"(?<![\w.])[+−]?\.\d+"
"""A score is written without its 0: .353."""
NUMBER = re.compile(r"\d*\.\d+|\d+")
LAST_DIGIT = 0.0015
"""By which a bound that is made of draws may differ with the linear algebra of the machine."""

spec = importlib.util.spec_from_file_location("rebuild", STUDIES / "rebuild.py")
rebuild = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rebuild)


@pytest.fixture(
    scope="module", params=sorted(path.parent.name for path in STUDIES.glob("*/answers.py"))
)
def study(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def text(study) -> str:
    return (STUDIES / study / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def blocks(study):
    return rebuild.answers_of(study).blocks()


@pytest.fixture(scope="module")
def rebuilt(text, blocks) -> str:
    return rebuild.rebuilt(text, blocks)


def test_every_table_is_rebuilt_from_the_scores(text, blocks, rebuilt):
    assert sorted(found[2] for found in rebuild.BLOCK.finditer(text)) == sorted(blocks)
    assert NUMBER.sub("0", rebuilt) == NUMBER.sub("0", text)
    ours, theirs = ([float(one) for one in NUMBER.findall(each)] for each in (rebuilt, text))
    assert ours == pytest.approx(theirs, abs=LAST_DIGIT)


def test_every_score_in_a_sentence_is_one_of_a_table(text, rebuilt):
    in_tables = {*re.findall(SCORE, "".join(re.findall(r"^\|.*\n", rebuilt, re.MULTILINE)))}
    in_sentences = {*re.findall(SCORE, re.sub(r"^\|.*\n", "", text, flags=re.MULTILINE))}
    assert len(in_sentences) > 5
    assert in_sentences - in_tables == set()


def test_the_figure_shows_the_scores_of_the_table():
    answers = rebuild.answers_of("hybrid-batches")
    (chart,) = answers.figures().values()
    points = chart.to_dict()["layer"][1]["data"]["values"]
    assert points[0]["which"] in (STUDIES / "hybrid-batches" / "front.svg").read_text("utf-8")
    plain = [row for row in answers.means().iter_rows(named=True) if row["set"] == answers.PLAIN]
    shown = sorted((one["monolingual"], one["cross-lingual"]) for one in points)
    expected = sorted((row["monolingual"], row["crosslingual"]) for row in plain)
    assert sum(shown, ()) == pytest.approx(sum(expected, ()), abs=1e-4)
