"""Language codes, and how a pair such as `en-de` is split into two of them."""

import re
from collections.abc import Iterable, Sequence

from lingmix.errors import InputError

LENGTH = 35
"""The longest tag that BCP 47 (RFC 5646, section 4.4.1) asks to be supported, in letters."""

_SIMPLE = re.compile(r"[A-Za-z0-9_]+")
_SCRIPT, _REGION = r"[A-Z][a-z]{3}", r"[A-Z]{2}|[0-9]{3}"
_VARIANT = r"[a-z0-9]{5,8}|[0-9][a-z0-9]{3}"
_TAG = re.compile(rf"[a-z]{{2,3}}(-{_SCRIPT})?(-({_REGION}))?(-({_VARIANT}))*")
RULE = (
    "needs a language of letters, digits and _ (en, zh_Hant) or a BCP 47 tag in its usual case "
    "(zh-Hans, pt-BR, es-419)"
)


def is_language(code: object) -> bool:
    """Whether a value is a language code. A tag has hyphens only before what is no language itself
    (a script such as Hans, a region such as BR or 419, a variant), so that every language pair can
    be split in only one way.
    """
    if not isinstance(code, str) or len(code) > LENGTH:
        return False
    return bool(_SIMPLE.fullmatch(code) or _TAG.fullmatch(code))


def split_pair(text: object) -> tuple[str, str]:
    """Returns the two languages of `en-de`, `zh-Hans-en` or `en-US-pt-BR`; raises InputError where
    it is no pair."""
    parts = text.split("-") if isinstance(text, str) else []
    for place in range(1, len(parts)):
        query, passage = "-".join(parts[:place]), "-".join(parts[place:])
        if is_language(query) and is_language(passage):
            return query, passage
    raise InputError(
        f"language pair {text!r}: write the query language, a hyphen and the passage language, "
        "such as en-de or zh-Hans-en"
    )


def require_language(place: str, code: object) -> str:
    """Returns the code; raises InputError, which begins with `place`, where it is no language."""
    if not isinstance(code, str) or not is_language(code):
        raise InputError(f"{place} {RULE}, got {code!r:.60}{_usual_case(code)}")
    return code


def require_languages(asked: Iterable[str], *, key: str, of: str, known: Iterable[str]) -> None:
    """Raises InputError for languages at `key` that are not among the `known` ones of `of`."""
    known = list(known)
    if unknown := sorted({*map(str, asked)} - {*known}):
        raise InputError(f"{key}: {of} has no {', '.join(unknown)}; it has {', '.join(known)}")


def published_languages(
    asked: Iterable[str], *, of: str, published: Iterable[str], within: Sequence[str] | None
) -> list[str]:
    """Returns the languages to fetch of a published set: those asked for, restricted to `within`
    unless it is None. Raises InputError where the set lacks one, or none is left.
    """
    asked, published = list(asked), list(published)
    require_languages(asked, key="languages", of=of, known=published)
    fetched = [language for language in asked if within is None or language in within]
    if not fetched:
        raise InputError(
            f"languages: {of} has none of {', '.join(within or ())}; it has {', '.join(asked)}"
        )
    return fetched


def _usual_case(code: object) -> str:
    """Returns a note on the usual case of a tag, where nothing else is wrong with it."""
    if not isinstance(code, str):
        return ""
    language, *others = code.lower().replace("_", "-").split("-")
    cased = [one.title() if len(one) == 4 and one.isalpha() else one for one in others]
    cased = [one.upper() if len(one) == 2 else one for one in cased]
    usual = "-".join([language, *cased])
    return f"; write {usual}" if is_language(usual) else ""
