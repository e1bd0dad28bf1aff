"""Of which code, libraries, hardware and data a recorded run is, as columns of a table.

Runs that differ in any of them are of different generations: their figures are never averaged.
"""

import json
import re
from collections.abc import Mapping

from lingmix.tracking.identity import CODE, CONTENTS, VERSIONS
from lingmix.tracking.versions import from_words

HARDWARE = "lingmix.hardware"
"""Tag: what a run ran on, and its precision."""

CODE_COLUMN, HARDWARE_COLUMN, LIBRARY = "param.code", "param.hardware", "param.libraries."
HOLDS = " holds"
"""How the name of a column ends that says what lies behind the param before it."""


def generation(tags: Mapping[str, str]) -> dict[str, str]:
    """Without what no tag says."""
    found = {CODE_COLUMN: tags[CODE]} if CODE in tags else {}
    if HARDWARE in tags:
        found[HARDWARE_COLUMN] = kind_of(tags[HARDWARE])
    versions = from_words(tags.get(VERSIONS, ""))
    contents = json.loads(tags.get(CONTENTS, "{}"))
    found |= {f"{LIBRARY}{name}": versions[name] for name in versions}
    return found | {f"param.{key}{HOLDS}": str(contents[key]) for key in contents}


def is_generation(column: str) -> bool:
    """Whether a column of recorded runs names their code, data, libraries or hardware."""
    named = column in (CODE_COLUMN, HARDWARE_COLUMN)
    return named or column.startswith(LIBRARY) or column.endswith(HOLDS)


def kind_of(hardware: str) -> str:
    """Without how many cores or GPUs there were: the cells of one sweep share them out."""
    return re.sub(r"\b\d+ (x|cores of) ", "", hardware)


def named(column: str) -> str:
    """A column of a generation for a reader: code, hardware, torch, data.train.0.path."""
    return column.removeprefix(LIBRARY).removeprefix("param.").removesuffix(HOLDS)
