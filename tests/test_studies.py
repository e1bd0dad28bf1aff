"""The texts of the studies say what their scores do."""

import importlib.util
import re
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[1] / "studies" / "hybrid-batches"
TEXT = (STUDY / "README.md").read_text("utf-8")
NUMBER = re.compile(r"\d*\.\d+|\d+")
LAST_DIGIT = 0.0015
"""By which a bound that is made of draws may differ with the linear algebra of the machine."""


@pytest.fixture(scope="module")
def answers():
    spec = importlib.util.spec_from_file_location("answers", STUDY / "answers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rebuilt(answers) -> str:
    return answers.rebuilt(TEXT)


def test_every_table_is_rebuilt_from_the_scores(answers, rebuilt):
    assert len([*answers.named(TEXT)]) == len(answers.blocks())
    assert NUMBER.sub("0", rebuilt) == NUMBER.sub("0", TEXT)
    ours, theirs = ([float(one) for one in NUMBER.findall(text)] for text in (rebuilt, TEXT))
    assert ours == pytest.approx(theirs, abs=LAST_DIGIT)


def test_every_score_in_a_sentence_is_one_of_a_table(rebuilt):
    """A score is written without its 0: .353."""
    score = r"(?<![\w.])[+−]?\.\d+"
    in_tables = set(re.findall(score, "".join(re.findall(r"^\|.*\n", rebuilt, re.MULTILINE))))
    in_sentences = set(re.findall(score, re.sub(r"^\|.*\n", "", TEXT, flags=re.MULTILINE)))
    assert len(in_sentences) > 5
    assert in_sentences - in_tables == set()


def test_the_figure_shows_the_scores_of_the_table(answers):
    points = answers.front().to_dict()["layer"][1]["data"]["values"]
    assert points[0]["which"] in (STUDY / "front.svg").read_text("utf-8")
    plain = [row for row in answers.means().iter_rows(named=True) if row["set"] == answers.PLAIN]
    shown = sorted((one["monolingual"], one["cross-lingual"]) for one in points)
    expected = sorted((row["monolingual"], row["crosslingual"]) for row in plain)
    assert sum(shown, ()) == pytest.approx(sum(expected, ()), abs=1e-4)
