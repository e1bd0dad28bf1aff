"""The page's one script: Vega, Vega-Lite and what draws the figures with them."""

import base64
import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import vl_convert as vlc

from lingmix.atomic import atomic_file


class Script(NamedTuple):
    """`digest` is the source's, by which the page's policy lets it and no other script run."""

    source: str
    digest: str


def page_script(folder: Path | None = None) -> Script:
    """Bundling Vega takes a second: the folder keeps what came of it."""
    own = files("lingmix.analysis.page").joinpath("report.js").read_text("utf-8")
    source = _bundle(own) if folder is None else _kept(own, folder)
    digest = hashlib.sha256(source.encode()).digest()
    return Script(source, f"sha256-{base64.b64encode(digest).decode()}")


def _kept(own: str, folder: Path) -> str:
    decides = f"{version('vl-convert-python')} {own}"
    file = folder / f"vega-{hashlib.sha256(decides.encode()).hexdigest()[:16]}.js"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(file) as stream:
            stream.write(_bundle(own).encode())
    return file.read_text("utf-8")


@cache
def _bundle(own: str) -> str:
    source = vlc.javascript_bundle(own)
    assert "</script" not in source.lower()
    return source
