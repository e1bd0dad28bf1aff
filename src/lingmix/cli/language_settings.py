"""The settings of languages and of language pairs."""

from typing import Annotated, Literal

from annotated_types import MinLen

from lingmix.cli.networks import Text
from lingmix.cli.schema import Rule

Languages = Annotated[
    Literal["all"] | Annotated[list[Text], MinLen(1)],
    Rule("all, or a list of languages such as [en, de]"),
]
Pairs = Annotated[
    Literal["all"] | Annotated[list[Text], MinLen(1)],
    Rule("all, or a list of language pairs such as [en-de, en-en]"),
]
