"""What MLflow takes: longer values are cut and show it, names keep the letters it knows."""

import re

NAME_LENGTH, PARAM_LENGTH, TAG_LENGTH = 250, 6000, 5000
CUT = " [...]"


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - len(CUT)] + CUT


def key(name: str) -> str:
    """Of a metric or param: a path in a file store, too."""
    parts = re.sub(r"[^/\w.\- :]", "_", name).split("/")
    return "/".join("_" if part in ("", ".", "..") else part for part in parts)[:NAME_LENGTH]
