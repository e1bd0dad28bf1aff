"""Limits of MLflow: long values are cut and marked so, names are reduced to letters it accepts."""

import re
from hashlib import sha256

from lingmix.errors import InputError

NAME_LENGTH, PARAM_LENGTH, TAG_LENGTH = 250, 6000, 5000
CUT = " [...]"
SET_LENGTH = 140
"""Bytes of the name of an evaluation set: leaves room for `test/<set>/pair/<en-de>/<metric>` and
for a file of that name."""

EXPERIMENT_LENGTH = 240
"""Bytes of the name of an experiment: MLflow takes 250 letters, a file system 255 bytes for
the folder of that name."""


def cut(text: str, length: int) -> str:
    """Return the text, cut to `length` characters and ending in `[...]` where it is longer."""
    return text if len(text) <= length else text[: length - len(CUT)] + CUT


def cut_distinct(text: str, length: int) -> str:
    """Cut the text and append a digest: texts with the same beginning stay distinct."""
    if len(text) <= length:
        return text
    digest = sha256(text.encode()).hexdigest()[:8]
    return f"{cut(text, length - len(digest) - 1)} {digest}"


def mlflow_key(name: str) -> str:
    """Return the name of a metric or param as MLflow accepts it, and as a path in a file store."""
    parts = re.sub(r"[^/\w.\- :]", "_", name).split("/")
    return "/".join("_" if part in ("", ".", "..") else part for part in parts)[:NAME_LENGTH]


def require_experiment_name(name: object) -> str:
    """Return the name as text; raise InputError where it cannot name a folder."""
    text = str(name) if isinstance(name, int | float | str) else ""
    fits = text.isprintable() and len(text.encode(errors="replace")) <= EXPERIMENT_LENGTH
    if isinstance(name, bool) or not fits or not text.strip(". ") or "/" in text:
        raise InputError(
            f"name: must be a text that can name a folder, without / and of {EXPERIMENT_LENGTH} "
            f"bytes at most, got {_short(name)}"
        )
    return text


def require_set_name(name: object) -> str:
    """Raise InputError for a set's name that MLflow would alter: two sets could become one."""
    text = str(name)
    if not re.fullmatch(r"[\w\- ][\w.\- ]*", text) or len(text.encode()) > SET_LENGTH:
        raise InputError(
            f"evaluation.{_short(text)}: metrics are named after the set, in letters, digits, "
            f"spaces and _ - . only, and in {SET_LENGTH} bytes at most; rename it"
        )
    return text


def _short(name: object) -> str:
    shown = repr(name)
    return shown if len(shown) <= 60 else f"{shown[:60]}... ({len(str(name))} letters)"
