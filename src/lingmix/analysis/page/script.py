"""The page's one script: Vega, Vega-Lite and what draws the figures with them."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import vl_convert as vlc


class Script(NamedTuple):
    """`digest` is the source's, by which the page's policy lets it and no other script run."""

    source: str
    digest: str


@cache
def page_script() -> Script:
    own = files("lingmix.analysis.page").joinpath("report.js").read_text("utf-8")
    source = vlc.javascript_bundle(own)
    assert "</script" not in source.lower()
    digest = hashlib.sha256(source.encode()).digest()
    return Script(source, f"sha256-{base64.b64encode(digest).decode()}")
