"""What MLflow takes: longer values are cut and show it, names keep the letters it knows."""

import re
from hashlib import sha256

NAME_LENGTH, PARAM_LENGTH, TAG_LENGTH = 250, 6000, 5000
CUT = " [...]"


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
