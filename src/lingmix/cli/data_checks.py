"""Checks of what is trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

from lingmix.data.named_sources import named_sources
from lingmix.errors import InputError

Config = Mapping[str, Any]


def check_data(values: Config, *, measured: bool) -> None:
    """Raise InputError for training data that cannot be; `measured` are commands that have
    evaluation sets."""
    sources = [*named_sources(values["data"]).values()]
    if not sources:
        raise InputError("data.sets: must have a source, got none; choose one, such as data=cldr")
    _refuse_unlisted(values, sources)
    _refuse_licences(values["data"])
    if measured:
        _refuse_unmeasured(values)


def _refuse_unlisted(values: Config, sources: Sequence[Config]) -> None:
    """Raise InputError for languages that no source lists, where all sources list theirs."""
    languages = values["languages"]
    if languages == "all" or not all("languages" in source for source in sources):
        return
    listed = sorted({language for source in sources for language in source["languages"]})
    if unknown := [language for language in languages if language not in listed]:
        raise InputError(
            f"languages: must be among those of data.sets, {', '.join(listed)}, got "
            f"{', '.join(unknown)}"
        )


def _refuse_licences(data: Config) -> None:
    for name, licence in data["licences"].items():
        if licence.casefold() in map(str.casefold, data["excluded_licences"]):
            raise InputError(
                f"data.excluded_licences: {name} is under {licence}, which is excluded; choose "
                "other data, or take the licence from the list"
            )


def _refuse_unmeasured(values: Config) -> None:
    data, sets = values["data"], [*values["evaluation"]]
    if data["development"] is not None:
        sets += ["development", *(f"development/{name}" for name in sets)]
    if unknown := [name for name in data["allow_overlap"] if name not in sets]:
        raise InputError(
            f"data.allow_overlap: must be among the sets of this run, {', '.join(sets)}, got "
            f"{', '.join(unknown)}"
        )
