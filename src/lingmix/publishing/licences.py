"""Licences of data sets. Those of training data stand in their choice, as `data.licences`; of
evaluation sets they are known by their reader. SPDX names where there are."""

from collections.abc import Mapping

EVALUATED = {
    "cldr_evaluation_set": "Unicode-3.0",
    "fetch_xquad_r": "CC-BY-SA-4.0",
    "read_mlqa_r": "CC-BY-SA-3.0",
    "fetch_mlqa_r": "CC-BY-SA-3.0",
    "read_belebele": "CC-BY-SA-4.0",
    "read_miracl": "Apache-2.0, the texts CC-BY-SA",
    "read_mmarco": "Apache-2.0; MS MARCO itself: research, not commercial",
    "fetch_beir": "not stated by BEIR",
}
NOT_STATED = "not stated"


def licence_of_evaluation(name: str, reader: str, given: Mapping[str, str]) -> str:
    """Returns the licence that is given for an evaluation set by its name, else the known one."""
    return given.get(name) or EVALUATED.get(reader, NOT_STATED)


def licence_of_training(name: str, stated: Mapping[str, str], given: Mapping[str, str]) -> str:
    """Returns the licence that is given for a file by its name, else that of the only set that is
    `stated`, or those of all."""
    if len(stated) == 1:
        return given.get(name) or next(iter(stated.values()))
    listed = "; ".join(f"{one}: {licence}" for one, licence in stated.items())
    return given.get(name) or listed or NOT_STATED
