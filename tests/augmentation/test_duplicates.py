import numpy as np

from lingmix.augmentation.drafts import queries_of
from lingmix.augmentation.duplicates import Duplicates
from tests.augmentation.made import bench, draft

LONG = "how do I open a file for reading in binary mode"
NEAR = "how do I open a file for reading in binary mode?!"
OTHER = "which exception is raised when a key is missing"


def asked(*queries: tuple[str, str]):
    return [draft(str(n)).with_queries(of, [text]) for n, (of, text) in enumerate(queries)]


def left(outcome):
    return [text for one in outcome.drafts for _, text in queries_of(one)]


def test_the_first_of_near_duplicates_stays_within_a_language():
    step = Duplicates(least_similarity=0.8, least_cosine=None)
    found = step(asked(("en", LONG), ("en", NEAR), ("en", OTHER), ("de", LONG)), bench())
    assert left(found) == [LONG, OTHER, LONG]
    assert [(one.id, one.reason, one.detail) for one in found.rejected] == [
        ("1", "near-duplicate", LONG)
    ]


def test_across_languages_an_encoder_says_what_is_the_same_but_not_of_one_item():
    vectors = {"a": [1.0, 0.0], "b": [0.99, 0.1], "c": [0.0, 1.0]}
    given = bench(encode=lambda texts, role: np.array([vectors[one] for one in texts], np.float32))
    step = Duplicates(least_similarity=1.0, least_cosine=0.9)
    same_item = draft("x").with_queries("en", ["a"]).with_queries("de", ["b"])
    assert left(step([same_item], given)) == ["a", "b"]
    found = step([same_item, *asked(("es", "b"), ("es", "c"))], given)
    assert left(found) == ["a", "b", "c"]
    assert [(one.reason, one.detail) for one in found.rejected] == [
        ("says the same as another", "a")
    ]


def test_a_larger_scale_drops_the_same_of_its_beginning():
    drafts = asked(("en", LONG), ("en", OTHER), ("en", NEAR), ("en", LONG))
    step = Duplicates(least_similarity=0.8, least_cosine=None)
    assert step(drafts[:3], bench()).drafts == step(drafts, bench()).drafts[:3]
