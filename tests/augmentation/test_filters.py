import numpy as np
import pytest

from lingmix.augmentation.drafts import queries_of
from lingmix.augmentation.filters import Copied, Language, Length
from lingmix.augmentation.vector_filters import Adequacy, RoundTrip
from lingmix.errors import InputError
from tests.augmentation.made import bench, draft


def asked(id="a", texts=None, **queries):
    """A draft with queries by language."""
    made = draft(id, **(texts or {}))
    for language, found in queries.items():
        made = made.with_queries(language, found if isinstance(found, list) else [found])
    return made


def left(outcome):
    return [text for one in outcome.drafts for _, text in queries_of(one)]


def reasons(outcome):
    return {one.text: one.reason for one in outcome.rejected}


def test_length_counts_columns_so_that_chinese_is_not_short():
    texts = ["why so", "why is it so", "为什么会这样", "w" * 31]
    found = Length(least=10, most=30)([asked(en=texts)], bench())
    assert left(found) == ["why is it so", "为什么会这样"]
    assert reasons(found) == {"why so": "too short", "w" * 31: "too long"}


def test_a_query_is_copied_if_more_than_its_share_stands_in_the_passage():
    texts = {"en": "The lazy dog sleeps all day long in the sun."}
    copy, question = "the LAZY dog sleeps all day", "where does the lazy dog sleep at night"
    found = Copied(most_share=0.7)([asked(texts=texts, en=[copy, question])], bench())
    assert left(found) == [question]
    assert left(Copied(most_share=1.0)([asked(texts=texts, en=[copy])], bench())) == [copy]


def test_a_query_in_another_language_is_named_by_what_it_is():
    english, german = "how do I open a file for reading", "wie öffne ich eine Datei zum Lesen"
    unknown = "nuqneH"
    found = Language(margin=0.2)([asked(en=[english, german], de=german, tlh=unknown)], bench())
    assert left(found) == [english, german, unknown]
    assert [(one.language, one.reason, one.detail) for one in found.rejected] == [
        ("en", "in another language", "de")
    ]
    assert found.note == {"unchecked": ["tlh"]}


VECTORS = {
    "P0": [1, 0, 0],
    "P1": [0.8, 0.6, 0],
    "P2": [0, 1, 0],
    "q0": [1, 0, 0],
    "q1": [0.95, 0.3, 0],
    "far": [0, 0, 1],
}


def encode(texts, role):
    return np.array([VECTORS[text] for text in texts], np.float32)


def test_a_query_must_find_its_passage_among_all_there_are():
    drafts = [asked(str(n), texts={"en": f"P{n}"}) for n in range(3)]
    given = bench(drafts, encode=encode)
    one, two = drafts[0].with_queries("en", ["q0"]), drafts[2].with_queries("en", ["q1"])
    found = RoundTrip(depth=1)([one, two], given)  # q1: P1 .94, P0 .95, P2 .3
    assert left(found) == ["q0"]
    assert [one.detail for one in found.rejected] == ["rank 3"]
    assert left(RoundTrip(depth=3)([one, two], given)) == ["q0", "q1"]
    german = drafts[0].with_queries("de", ["q0"])  # no German passage: the English one counts
    assert left(RoundTrip(depth=1)([german], given)) == ["q0"]


def test_a_translation_far_from_its_source_is_dropped_and_the_source_stays():
    made = asked(en="q0", de=["q1", "far"])
    found = Adequacy(source="en", side="queries", least=0.5)([made], bench(encode=encode))
    assert found.drafts[0].queries == {"en": ("q0",), "de": ("q1",)}
    assert [(one.text, one.detail) for one in found.rejected] == [("far", "cosine 0.00")]


@pytest.mark.parametrize(
    "step", [RoundTrip(depth=1), Adequacy(source="en", side="queries", least=0)]
)
def test_a_filter_by_vectors_asks_for_an_encoder(step):
    with pytest.raises(InputError, match="encoder: the steps need an encoder"):
        step([asked(en="q0")], bench())


def test_what_a_filter_does_to_a_draft_does_not_depend_on_later_ones():
    drafts = [asked(str(n), texts={"en": "P0"}, en=["q0", "q1"]) for n in range(4)]
    given = bench(drafts, encode=encode)
    for step in (Length(least=1, most=9), RoundTrip(depth=1), Copied(most_share=0.5)):
        assert step(drafts[:2], given).drafts == step(drafts, given).drafts[:2]
