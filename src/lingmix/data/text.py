"""Normal forms of a text: texts with the same form count as equal.

`folded` decides what may be a negative. To merge two texts that differ would hide a true negative,
so it removes only what a keyboard, a typesetter or a tokenizer changes. `loosely_folded` decides
whether evaluation data leaked into training. To miss a copy would inflate a score, and a false
alarm costs a look at the text, so it also removes punctuation, spaces and optional vowel signs.
"""

import re
import unicodedata

_TYPED = (
    dict.fromkeys("‘’‚‛‹›ʼ", "'")
    | dict.fromkeys("“”„‟«»「」『』", '"')
    | dict.fromkeys("‐‑‒–—―−", "-")
)
_INVISIBLE = "\u00ad\u0640\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
"""Soft hyphens, the Arabic tatweel, joiners, directions and byte-order marks."""

_TYPESET = re.compile(f"[{''.join(_TYPED)}{_INVISIBLE}]")

_RAISED = re.compile("[²³¹⁰-⁹₀-₉¼-¾⅐-⅞]")

_END = ".,:;!?。、।॥۔؟،؛። "
_SPACED = ":;!?؟؛"
"""Marks that some languages write after a space; the stops of `cd ..` are not among them."""


def folded(text: str) -> str:
    """Returns one form for texts that differ only in case, width, spacing, invisible characters,
    the shape of an apostrophe, quotation mark or dash, quotation marks around the whole, or the
    marks at its end. The form is in NFKC and casefolded.

    Numbers and signs that carry meaning stay: C, C++ and C#; 5, -5, .5, 5% and 5!; 10² and 102;
    help and --help.
    """
    if _RAISED.search(text):  # NFKC alone makes 102 of 10², and 11⁄2 of 1½
        text = re.sub(rf"(?<=[0-9])(?={_RAISED.pattern})", "^", text)
    plain = unicodedata.normalize("NFKC", text.replace("´", "'")).casefold()
    typed = _TYPESET.sub(_as_typed, unicodedata.normalize("NFKC", plain))
    return _without_margin(" ".join(typed.split()))


def _as_typed(match: re.Match[str]) -> str:
    return _TYPED.get(match[0], "")


def _without_margin(text: str) -> str:
    """Removes the marks at the end, and quotation marks around the whole."""
    while True:
        text = _without_end(text).lstrip("¿¡")
        if len(text) < 3 or text[0] not in "\"'" or text[0] != text[-1]:
            return text
        text = text[1:-1].strip()


def _without_end(text: str) -> str:
    bare = text.rstrip(_END)
    end = text[len(bare) :].lstrip()
    if not bare or not end or (end[0] not in _SPACED and text[len(bare)] == " "):
        return text
    factorial = end[0] == "!" and bare[-1].isdigit()
    return text if factorial else bare


_KEPT = "#%&@/\\-.,: "
"""Marks that have a meaning in numbers or names: C#, 5%, R&D, a/b, 3.5, 10:30."""

_VOWEL_SIGN = re.compile("[\u064b-\u0652\u0670\u06d6-\u06ed\u0591-\u05bd\u05bf\u05c1-\u05c7]")
"""Vowel signs that Arabic and Hebrew may leave out."""


_I = {"ı": ord("i"), "\u0307": None}
"""Turkish writes ı and i as I and İ, which others read as i and i with a dot above."""


class _Letters(dict[int, int | None]):
    """A table for `str.translate` that removes punctuation and optional vowel signs; it is filled
    as characters occur."""

    def __missing__(self, point: int) -> int | None:
        character = chr(point)
        mark = unicodedata.category(character).startswith("P") and character not in _KEPT
        self[point] = None if mark or _VOWEL_SIGN.match(character) else _I.get(character, point)
        return self[point]


_LETTERS = _Letters()
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[-.,: ]+(?=\d)")
_NOT_IN_NUMBER = re.compile(r"(?<!\d)[,: ]|[,: ](?!\d)|(?<=[^\W\d])[-.]|[-.](?!\d)")


def loosely_folded(text: str) -> str:
    """Returns one form for texts that differ only as `folded` allows, in punctuation, in spaces, in
    optional vowel signs (harakat, niqqud) or in the dot of an i. Numbers stay distinct: 3.5 and 35,
    5 and -5.
    """
    return loosened(folded(text))


def loosened(form: str) -> str:
    """Returns `loosely_folded` of a text from its `folded` form."""
    letters = form.translate(_LETTERS)
    return _NOT_IN_NUMBER.sub("", _BETWEEN_DIGITS.sub(_one_mark, letters))


def _one_mark(match: re.Match[str]) -> str:
    """Turns `1998 - 2003` into `1998-2003`, and `1998, 2003` into `1998 2003`."""
    return next((mark for mark in "- " if mark in match[0]), match[0][0])
