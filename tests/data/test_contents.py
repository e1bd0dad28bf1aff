import numpy as np

from lingmix.data.contents import contents_of
from lingmix.data.items import Item

CAT = Item("cat", "", {"en": ("What purrs?",), "de": ("Was schnurrt?",)}, {"en": ("A cat.",)})
CHAT = Item("chat", "", {"fr": ("Quoi ?",)}, {"fr": ("Un chat.",), "en": ("a CAT",)})
LION = Item("lion", "", {"en": ("what purrs",)}, {"en": ("A lion.",)})
DOG = Item("dog", "", {"en": ("What barks?",)}, {"en": ("A dog.", "Was schnurrt"), "de": ("Hund",)})
PASSAGES = ["A cat.", "Un chat.", "a CAT", "A lion.", "A dog.", "Hund", "What barks", "alone"]
CONTENTS = contents_of([CAT, CHAT, LION, DOG], PASSAGES)
CONTENT = dict(zip(PASSAGES, CONTENTS.content_P, strict=True))


def share(one: str, other: str) -> bool:
    (shared,) = CONTENTS.share_a_text(np.array([CONTENT[one]]), np.array([CONTENT[other]]))
    return bool(shared)


def test_passages_of_items_that_share_one_when_folded_say_the_same():
    assert CONTENT["A cat."] == CONTENT["a CAT"] == CONTENT["Un chat."]
    assert CONTENT["A dog."] == CONTENT["Hund"]
    assert len(set(CONTENT.values())) == 5


def test_texts_that_are_equal_when_folded_are_one_form():
    form = dict(zip(PASSAGES, CONTENTS.form_P, strict=True))
    assert form["A cat."] == form["a CAT"]
    assert len(set(form.values())) == len(PASSAGES) - 1


def test_an_equal_query_of_any_of_the_items_is_shared():
    assert share("Un chat.", "A lion.")
    assert share("A lion.", "Un chat.")
    assert not share("A lion.", "A dog.")


def test_a_query_that_is_a_passage_elsewhere_is_shared_also_of_no_item():
    assert share("A cat.", "Hund")
    assert share("Hund", "What barks")
    assert not share("alone", "A cat.")


def test_texts_of_punctuation_alone_are_not_all_one_text():
    marks = Item("a", "", {"en": ("?",)}, {"en": ("!",)})
    first, second = contents_of([marks], ["!", "…"]).content_P
    assert first != second
