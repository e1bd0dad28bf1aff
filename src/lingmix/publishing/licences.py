"""Licences of data sets, by the readers that come with Lingmix; SPDX names where there are."""

from collections.abc import Mapping

KNOWN = {
    "read_cldr": "Unicode-3.0",
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


def licence_of(name: str, reader: str, given: Mapping[str, str]) -> str:
    """Returns the licence that is given for a data set by its name, else the known one."""
    return given.get(name) or KNOWN.get(reader, NOT_STATED)
