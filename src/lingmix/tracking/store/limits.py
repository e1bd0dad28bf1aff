"""What MLflow takes: longer values are cut and show it, names keep the letters it knows."""

import re
from hashlib import sha256

from lingmix.errors import InputError

NAME_LENGTH, PARAM_LENGTH, TAG_LENGTH = 250, 6000, 5000
CUT = " [...]"
SET_LENGTH = 140
"""Bytes: leaves room for `test/<set>/pair/<en-de>/<metric>` and for a file of the set's name."""

EXPERIMENT_LENGTH = 240
"""Bytes: MLflow takes 250 letters, a file system 255 bytes for the folder of that name."""


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - len(CUT)] + CUT


def told_apart(text: str, length: int) -> str:
    """As `cut`, but not the same as another with the same beginning."""
    if len(text) <= length:
        return text
    digest = sha256(text.encode()).hexdigest()[:8]
    return f"{cut(text, length - len(digest) - 1)} {digest}"


def key(name: str) -> str:
    """Of a metric or param: a path in a file store, too."""
    parts = re.sub(r"[^/\w.\- :]", "_", name).split("/")
    return "/".join("_" if part in ("", ".", "..") else part for part in parts)[:NAME_LENGTH]


def require_experiment_name(name: object) -> str:
    """Of an MLflow experiment, and of the folders of its runs and its report."""
    text = str(name) if isinstance(name, int | float | str) else ""
    fits = text.isprintable() and len(text.encode(errors="replace")) <= EXPERIMENT_LENGTH
    if isinstance(name, bool) or not fits or not text.strip(". ") or "/" in text:
        raise InputError(
            f"name: must be a text that can name a folder, without / and of {EXPERIMENT_LENGTH} "
            f"bytes at most, got {_short(name)}"
        )
    return text


def require_set_name(name: object) -> str:
    """A metric is named after its set: two sets must not become one by being cut or mended."""
    text = str(name)
    if not re.fullmatch(r"[\w\- ][\w.\- ]*", text) or len(text.encode()) > SET_LENGTH:
        raise InputError(
            f"evaluation.{_short(text)}: metrics are named after the set, in letters, digits, "
            f"spaces and _ - . alone, and in {SET_LENGTH} bytes at most; rename it"
        )
    return text


def _short(name: object) -> str:
    shown = repr(name)
    return shown if len(shown) <= 60 else f"{shown[:60]}... ({len(str(name))} letters)"
