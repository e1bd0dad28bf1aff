import unicodedata

import pytest

from lingmix.data.text import folded, loosely_folded

EQUAL = [
    ("Where is BONN?", "where is bonn"),
    ("Straße", "STRASSE"),
    ("  a \n\t b ", "a b"),
    ("ＡＢＣ１２３", "abc123"),
    ("«Qué es esto?»", "¿qué es esto"),
    ("'Bonn'.", "“Bonn”"),
    ("Quoi ?", "quoi"),
    ("北京在哪里？", "北京在哪里"),
    ("नमस्ते।", "नमस्ते"),
    ("a\u200bb\u00adc\ufeff", "abc"),
    ("e\u0301", "é"),
    ("℡", "tel"),
    ("Ϊ\u0301", "ΐ"),
    ("Wait...", "wait…"),
    ("don’t", "don't"),
    ("e\u2011mail, 5–6", "e-mail, 5-6"),
    ("كـتـاب", "كتاب"),
]
ALIKE = [
    ("e-mail", "email"),
    ("Paris, France", "paris france"),
    ("北京，中国", "北京中国"),
    ("the “Rhine” (a river)", "The Rhine, a river."),
    ("rock ’n’ roll", "rock n roll"),
    ("كِتَابٌ", "كتاب"),
    ("שָׁלוֹם", "שלום"),
    ("1998 – 2003", "1998-2003"),
    ("in 1998, 2003", "in 1998 2003"),
]
SIGNS = [
    ("C", "C++"), ("C", "C#"), ("C#", "C++"), ("5", "-5"), ("5", ".5"), ("5%", "5"), ("5 €", "5 $"),
    ("3.5", "35"), ("1 000", "1"), ("10²", "102"), ("1½", "11/2"), ("10:30", "1030"),
    ("12", "1, 2"),
    ("resume", "résumé"), ("น้ำ", "นำ"), ("कि", "की"), ("R&D", "RD"),
]  # fmt: skip
DIFFERENT = [
    ("help", "--help"), ("cd ..", "cd ."), ("cd .", "cd"), (".NET", "net"), ("a-b", "ab"),
    ("5!", "5"), ("f()", "f"), ("*args", "args"), ("عِلْم", "عَلَم"), ("we're", "were"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "same"), EQUAL)
def test_texts_that_differ_in_form_alone_fold_to_one(text: str, same: str) -> None:
    assert folded(text) == folded(same) == folded(folded(text))
    assert loosely_folded(text) == loosely_folded(same)


@pytest.mark.parametrize(("text", "other"), SIGNS + DIFFERENT + ALIKE)
def test_texts_that_differ_in_a_letter_number_or_sign_stay_apart(text: str, other: str) -> None:
    assert folded(text) != folded(other)


@pytest.mark.parametrize(("text", "same"), ALIKE)
def test_punctuation_spaces_and_vowel_signs_are_nothing_to_the_audit(text: str, same: str) -> None:
    assert loosely_folded(text) == loosely_folded(same)


@pytest.mark.parametrize(("text", "other"), SIGNS)
def test_letters_numbers_and_signs_in_names_are_something_to_the_audit(
    text: str, other: str
) -> None:
    assert loosely_folded(text) != loosely_folded(other)


def test_a_form_of_any_character_at_either_end_is_its_own_form() -> None:
    characters = map(chr, range(0x20, 0x3100))
    for one in (c for c in characters if unicodedata.category(c)[0] in "PSLNZ"):
        for text in (one, f"{one}a", f"a{one}", f"5{one}", f"a {one}", f"{one}{one}a{one}"):
            assert folded(folded(text)) == folded(text), ascii(text)
