"""What no record, log or screen may show: passwords and tokens in URIs."""

import re
from typing import Any

HIDDEN = "***"

URI_VARIABLE = "LINGMIX_TRACKING_URI"
"""Hands the URI of the store by the environment, which other users cannot read: `conf/tracking`
and Slurm jobs take it from there."""

PASSWORD = re.compile(r"(\w://[^:/?#@\s]*:).+@")
"""As SQLAlchemy reads a database's URI: after the first colon and to the last @ there may be
anything, blanks, # and / too."""

USER = re.compile(r"(\bhttps?://)[^/?#\n]+@")
"""All that stands before the host: of a server the user's name may be the token."""

QUERY = re.compile(r"([?&;][^=&\s]*(?:pass|pwd|token|secret|key|sig)[^=&\s]*=)[^&\n]+", re.I)


def mask_secrets(text: str) -> str:
    """The text with `***` for the secrets of any URI in it; rather too much than a part of one."""
    for secret in (QUERY, USER):
        text = secret.sub(_hidden, text)
    return PASSWORD.sub(_hidden, text)


def mask_all_secrets(value: Any) -> Any:
    """Plain nested values with every text as it may be `mask_secrets`."""
    if isinstance(value, dict):
        return {key: mask_all_secrets(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [mask_all_secrets(one) for one in value]
    return mask_secrets(value) if isinstance(value, str) else value


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}{HIDDEN}{'@' if found[0].endswith('@') else ''}"
