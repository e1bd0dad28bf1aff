"""Splits a text into sentences, as those that XQuAD-R's authors publish.

The rules are those of Unicode's UAX #29, with what the authors' unpublished splitter does
differently: initials (de, en), ordinals (de) and titles (de, en, es) end no sentence, nor does a
CJK full stop before a digit. No library was found that splits all of these languages and agrees
better.
"""

import re

_STOPS = ".!?…؟।॥。！？"
_STOP = re.compile(rf"[.!?؟।॥。！？][{_STOPS}\"'”’»›)\]}}」』）】〕\[(]*")
_CONTINUED = re.compile(rf"\s*(?:$|[-,:;،{_STOPS}])")
_LAST_WORD = re.compile(r"[^\s\"'„“‘«‹(\[（]*$")
_UP_TO_WORD = re.compile(rf"[^\w{_STOPS}]*")
_UP_TO_LETTER = re.compile(rf"[^\w{_STOPS}]*(?:\d+[^\w{_STOPS}]*)*")
_TITLES = {"St", "Dr", "Mr", "Mrs", "Ms", "Prof"}


def sentences(text: str, *, language: str) -> list[str]:
    """Returns the sentences, which joined are the text: blanks between two belong to the second."""
    ends = [stop.end() for stop in _STOP.finditer(text) if _ends(stop, language)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def _ends(stop: re.Match[str], language: str) -> bool:
    text, end = stop.string, stop.end()
    if _CONTINUED.match(text, end):
        return False
    after = text[end]
    if stop[0][0] != ".":
        return not (stop[0][0] in "。！？" and after.isdigit())
    if after.isdigit() or after.lower() != after.upper():
        return False
    up_to_word = _UP_TO_WORD if language in ("de", "en", "es") else _UP_TO_LETTER
    next_word = up_to_word.match(text, end)
    if next_word and text[next_word.end() :][:1].islower():
        return False
    last_word = _LAST_WORD.search(text, 0, stop.start())
    return not (last_word and _abbreviates(last_word[0], language))


def _abbreviates(word: str, language: str) -> bool:
    initial = language in ("de", "en") and len(word) == 1 and word.isalpha()
    ordinal = language == "de" and len(word) <= 2 and word.isdigit()
    return initial or ordinal or (language in ("de", "en", "es") and word in _TITLES)
