import pytest

from lingmix.augmentation.baselines import (
    NO_TITLE,
    ONE_SENTENCE,
    TOO_SHORT,
    Crops,
    InverseCloze,
    Titles,
)
from tests.augmentation.made import DREI, THREE, bench, draft

CHINESE = "第一句在这里。第二句在那里。"


def test_a_title_is_the_query_and_the_passage_stays():
    (made,), rejected, _ = Titles()([draft(titles={"en": "Places", "de": "Orte"})], bench())
    assert made.queries == {"en": ("Places",), "de": ("Orte",)}
    assert made.passages == {"en": (THREE,), "de": (DREI,)}
    assert rejected == []


def test_without_a_title_the_first_sentence_is_taken_off_the_passage():
    (made,), _, _ = Titles()([draft(en=THREE, zh=CHINESE)], bench())
    assert made.queries == {"en": ("One is here.",), "zh": ("第一句在这里。",)}
    assert made.passages == {"en": ("Two is there. Three is gone.",), "zh": ("第二句在那里。",)}


@pytest.mark.parametrize(
    ("step", "text", "reason"),
    [
        (Titles(), "One sentence.", NO_TITLE),
        (InverseCloze(removed=1.0), "One sentence.", ONE_SENTENCE),
        (Crops(least=0.1, most=0.5, count=1), "abc", TOO_SHORT),
    ],
)
def test_a_passage_that_gives_no_query_is_named_and_has_a_reason(step, text, reason):
    (made,), rejected, _ = step([draft(en=text)], bench())
    assert made.queries == {}
    assert [(one.id, one.language, one.reason) for one in rejected] == [("a", "en", reason)]


@pytest.mark.parametrize(("removed", "stays"), [(1.0, False), (0.0, True)])
def test_a_cloze_is_a_sentence_which_is_in_the_passage_only_if_it_is_not_removed(removed, stays):
    drafts = [draft(str(n)) for n in range(20)]
    found, _, _ = InverseCloze(removed=removed)(drafts, bench())
    queries = [one.queries["en"][0] for one in found]
    assert {*queries} == {"One is here.", "Two is there.", "Three is gone."}
    assert {q in one.passages["en"][0] for q, one in zip(queries, found, strict=True)} == {stays}


def test_a_crop_is_a_run_of_whole_words_of_its_length():
    text = " ".join(f"w{n}" for n in range(100))
    drafts = [draft(str(n), en=text) for n in range(30)]
    found, _, _ = Crops(least=0.1, most=0.5, count=2)(drafts, bench())
    crops = [query for one in found for query in one.queries["en"]]
    assert len(crops) == 60
    assert all(f" {crop} " in f" {text} " for crop in crops)
    assert min(len(crop.split()) for crop in crops) in range(10, 20)
    assert max(len(crop.split()) for crop in crops) in range(40, 51)


def test_a_crop_of_a_text_without_spaces_is_of_its_characters():
    (made,), _, _ = Crops(least=0.5, most=0.5, count=1)([draft(zh=CHINESE)], bench())
    assert made.queries["zh"][0] in CHINESE
    assert len(made.queries["zh"][0]) == len(CHINESE) // 2


@pytest.mark.parametrize("step", [InverseCloze(removed=0.9), Crops(least=0.1, most=0.9, count=1)])
def test_what_is_drawn_depends_on_the_seed_and_not_on_other_passages(step):
    drafts = [draft(str(n)) for n in range(10)]
    found, _, _ = step(drafts, bench())
    assert step(drafts[7:], bench()).drafts == found[7:]
    assert step(drafts, bench(seed=1)).drafts != found
