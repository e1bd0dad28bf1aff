"""The generation of a recorded run: its code, libraries, hardware and data, as table columns.

Runs that differ in any of them are of different generations: their figures are never averaged.
"""

import json
import re
from collections.abc import Mapping

from lingmix.tracking.identity import CODE, CONTENTS, VERSIONS
from lingmix.tracking.versions import parse_versions

HARDWARE = "lingmix.hardware"
"""Tag: the hardware of a run, and its precision."""

CODE_COLUMN, HARDWARE_COLUMN, LIBRARY = "param.code", "param.hardware", "param.libraries."
HOLDS = " holds"
"""Suffix of columns with the digest of the file that a param names."""


def generation(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the generation's columns that the tags of a run tell."""
    found = {CODE_COLUMN: tags[CODE]} if CODE in tags else {}
    if HARDWARE in tags:
        found[HARDWARE_COLUMN] = hardware_kind(tags[HARDWARE])
    versions = parse_versions(tags.get(VERSIONS, ""))
    contents = json.loads(tags.get(CONTENTS, "{}"))
    found |= {f"{LIBRARY}{name}": versions[name] for name in versions}
    return found | {f"param.{key}{HOLDS}": str(contents[key]) for key in contents}


def is_generation(column: str) -> bool:
    """Whether a column of recorded runs names their code, data, libraries or hardware."""
    fixed = column in (CODE_COLUMN, HARDWARE_COLUMN)
    return fixed or column.startswith(LIBRARY) or column.endswith(HOLDS)


def hardware_kind(hardware: str) -> str:
    """Return the hardware without the number of cores or GPUs, which cells of a sweep share."""
    return re.sub(r"\b\d+ (x|cores of) ", "", hardware)


def column_label(column: str) -> str:
    """Return a column's name for a reader: code, hardware, torch, data.train.0.path."""
    return column.removeprefix(LIBRARY).removeprefix("param.").removesuffix(HOLDS)
