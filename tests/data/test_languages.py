"""Names of languages, and of pairs of them: one form, read in one way."""

from itertools import product

import pytest

from lingmix.data.items import LanguagePair
from lingmix.data.languages import is_language, require_language
from lingmix.errors import InputError

CODES = [
    *("en", "EN", "no", "nan", "yue", "arb_Arab", "zh_Hant", "english", "US", "Hans", "419", "x1"),
    *("zh-Hans", "en-US", "pt-BR", "sr-Latn", "es-419", "zh-Hant-TW", "nan-Latn", "no-NO"),
    *("ca-valencia", "de-1996", "sr-Latn-RS", "sl-rozaj-biske", "de-CH-1996"),
]


def test_every_pair_of_languages_is_split_as_it_was_put_together() -> None:
    for query, passage in product(CODES, CODES):
        assert LanguagePair.parse(f"{query}-{passage}") == (query, passage)


def test_no_pair_can_be_split_in_two_ways() -> None:
    """All texts of up to six parts, of parts that a code may have anywhere."""
    parts = ("en", "yue", "Hans", "US", "419", "1996", "valencia", "zh_Hant", "EN")
    for length in range(2, 7):
        for text in product(parts, repeat=length):
            halves = [("-".join(text[:n]), "-".join(text[n:])) for n in range(1, length)]
            assert sum(is_language(a) and is_language(b) for a, b in halves) <= 1, text


@pytest.mark.parametrize(
    "text", ["", "en", "en-", "-de", "en--de", "en-de-fr-it", "en de", "en-zh-hans", None, 5, False]
)
def test_what_is_no_pair_is_one_line(text: object) -> None:
    with pytest.raises(InputError) as caught:
        LanguagePair.parse(text)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"language pair {text!r}: write the query language, a hyphen and the passage language, "
        "such as en-de or zh-Hans-en"
    )


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("zh-hans", "; write zh-Hans"),
        ("en-us", "; write en-US"),
        ("EN-US", "; write en-US"),
        ("zh-hant-tw", "; write zh-Hant-TW"),
        ("zh-yue", ""),
        ("d-e", ""),
        ("en-x-private", ""),
        ("en US", ""),
        ("a/b", ""),
        ("", ""),
        ("中文", ""),
        ("a" * 36, ""),
        (None, ""),
        (False, ""),
    ],
)
def test_what_is_no_language_is_one_line(code: object, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        require_language("a.jsonl:7: field 'lang'", code)
    assert str(caught.value) == (
        "a.jsonl:7: field 'lang' needs a language of letters, digits and _ (en, zh_Hant) or a "
        f"BCP 47 tag in its usual case (zh-Hans, pt-BR, es-419), got {code!r}{hint}"
    )
