"""The relations between CLDR codes: each function yields pairs of what is asked about and what
answers."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from babel.core import get_global

Codes = Iterator[tuple[str, str]]


def official_languages() -> Codes:
    """Territories with exactly one official language."""
    for territory in _zones():
        if len(official := _official(territory)) == 1:
            yield territory, min(official)


def main_languages() -> Codes:
    """Territories with several official languages, of which at least half the people speak one, and
    10 percent more than speak any other."""
    for territory in _zones():
        percents = _official(territory)
        ranked = sorted(percents, key=percents.__getitem__, reverse=True)
        if len(ranked) > 1 and percents[ranked[0]] >= max(50, percents[ranked[1]] + 10):
            yield territory, ranked[0]


def time_zones() -> Codes:
    """Territories with exactly one time zone."""
    meta_zones = get_global("meta_zones")
    for territory, zones in _zones().items():
        if len({meta_zones.get(zone) for zone in zones}) == 1 and zones[0] in meta_zones:
            yield territory, meta_zones[zones[0]]


def clock_places() -> Codes:
    """Territories whose clocks follow exactly one place."""
    for territory, zones in _zones().items():
        if len(zones) == 1:
            yield territory, zones[0]


def place_territories() -> Codes:
    """Places of territories with several."""
    for territory, zones in _zones().items():
        if len(zones) > 1:
            yield from ((zone, territory) for zone in zones)


def place_zones() -> Codes:
    """Places of territories with several, and their time zones."""
    meta_zones = get_global("meta_zones")
    for zone, _ in place_territories():
        if zone in meta_zones:
            yield zone, meta_zones[zone]


def language_scripts() -> Codes:
    """Languages and the script each is usually written in; not Chinese, whose scripts have names
    such as "simplified" that say nothing alone."""
    for language in _common_languages():
        _, script, _ = _likely_subtags(language)
        if script not in {"Hans", "Hant"}:
            yield language, script


def language_territories() -> Codes:
    """Languages and the territory where most speakers live, where they are not official: elsewhere
    `official_languages` tells it."""
    for language in _common_languages():
        _, _, territory = _likely_subtags(language)
        if language not in _official(territory):
            yield language, territory


def currencies_now() -> Codes:
    """Territories with exactly one legal tender."""
    for territory, present in _present_tenders():
        yield territory, present.currency


def currencies_before() -> Codes:
    """Territories with exactly one tender that ended a month before the present one began, or
    later."""
    for territory, present in _present_tenders():
        replaced = [
            tender.currency
            for tender in _tenders(territory)
            if tender.end and (present.start - tender.end).days <= 31
        ]
        if len(replaced) == 1:
            yield territory, replaced[0]


def currencies_since() -> Codes:
    """Territories and the year in which their only tender began."""
    for territory, present in _present_tenders():
        yield territory, str(present.start.year)


def currency_codes() -> Codes:
    """Present and former tenders and their codes."""
    for code in {tender.currency for territory in _zones() for tender in _tenders(territory)}:
        yield code, code


def _zones() -> dict[str, list[str]]:
    """Returns time zones by territory, without the world (001) and the unknown territory (ZZ)."""
    zones = get_global("territory_zones")
    return {territory: zones[territory] for territory in zones.keys() - {"001", "ZZ"}}


def _languages(territory: str) -> dict[str, tuple[float, bool]]:
    """Returns, by language, the percentage of speakers and whether it is official; variants by
    script are one language."""
    languages: dict[str, tuple[float, bool]] = {}
    for code, facts in get_global("territory_languages").get(territory, {}).items():
        language = code.partition("_")[0]
        if language == "und":
            continue
        percent, official = languages.get(language, (0.0, False))
        languages[language] = (
            max(percent, facts["population_percent"]),
            official or facts["official_status"] in {"official", "de_facto_official"},
        )
    return languages


def _official(territory: str) -> dict[str, float]:
    """Returns the percentage of speakers of each official language."""
    languages = _languages(territory).items()
    return {language: percent for language, (percent, official) in languages if official}


def _common_languages() -> set[str]:
    """Returns languages that are official somewhere, or spoken by a tenth of some territory."""
    return {
        language
        for territory in _zones()
        for language, (percent, official) in _languages(territory).items()
        if official or percent >= 10
    }


def _likely_subtags(language: str) -> tuple[str, str, str]:
    """Returns language, script and territory."""
    _, script, territory = get_global("likely_subtags").get(language, "__").split("_")
    return language, script, territory


class _Tender(NamedTuple):
    currency: str
    start: date
    end: date | None


def _tenders(territory: str) -> list[_Tender]:
    return [
        _Tender(currency, date(*start), date(*end) if end else None)
        for currency, start, end, is_tender in get_global("territory_currencies")[territory]
        if is_tender
    ]


def _present_tenders() -> Iterator[tuple[str, _Tender]]:
    """Yields the territories with exactly one present tender."""
    for territory in _zones():
        present = [tender for tender in _tenders(territory) if tender.end is None]
        if len(present) == 1:
            yield territory, present[0]
