"""Masking of secrets: passwords and tokens in URIs, which no record, log or screen may show."""

import re
from typing import Any

HIDDEN = "***"

URI_VARIABLE = "LINGMIX_TRACKING_URI"
"""Environment variable with the URI of the store: other users cannot read it there, `conf/tracking`
and Slurm jobs do."""

PASSWORD = re.compile(r"(\w://[^:/?#@\s]*:).+@")
"""The password of a database URI, as SQLAlchemy reads it: anything after the first colon and before
the last @, also blanks, # and /."""

USER = re.compile(r"(\bhttps?://)[^/?#\n]+@")
"""User and password before the host of a server, where the user's name may be a token."""

QUERY = re.compile(r"([?&;][^=&\s]*(?:pass|pwd|token|secret|key|sig)[^=&\s]*=)[^&\n]+", re.I)


def mask_secrets(text: str) -> str:
    """Return the text with `***` for the secrets of any URI in it; in doubt, more is masked."""
    for secret in (QUERY, USER):
        text = secret.sub(_hidden, text)
    return PASSWORD.sub(_hidden, text)


def mask_all_secrets(value: Any) -> Any:
    """Return plain nested values with the secrets of every text masked."""
    if isinstance(value, dict):
        return {key: mask_all_secrets(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [mask_all_secrets(part) for part in value]
    return mask_secrets(value) if isinstance(value, str) else value


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}{HIDDEN}{'@' if found[0].endswith('@') else ''}"
