"""Turns texts into token ids, with the prompt and the maximum length of their role."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Literal, NamedTuple, get_args

from tokenizers import Tokenizer

from lingmix.data.tokens import Role
from lingmix.errors import InputError

ROLES: tuple[Role, ...] = get_args(Role)

Side = Literal["left", "right"]

SHORTEST = 3
"""The least maximum length: a token and two special ones."""


class RoleValues(NamedTuple):
    """Prompt and maximum length in tokens by role; a length of None truncates nothing."""

    prompts: dict[Role, str]
    max_length: dict[Role, int | None]

    def overridden(
        self,
        *,
        prompts: Mapping[Role, str | None] | None,
        max_length: Mapping[Role, int | None] | None,
    ) -> "RoleValues":
        """Replaces the values that are not None. Raises InputError for other roles than query and
        passage, and for lengths below `SHORTEST`."""
        for key, values in (("prompts", prompts), ("max_length", max_length)):
            if values is not None and set(values) != set(ROLES):
                raise InputError(
                    f"encoder.{key}: must name query and passage, or be null, got {dict(values)}"
                )
        given = {role: prompt for role, prompt in (prompts or {}).items() if prompt is not None}
        lengths = dict(self.max_length)
        for role, length in (max_length or {}).items():
            if length is not None and length < SHORTEST:
                raise InputError(
                    f"encoder.max_length.{role}: must be {SHORTEST} or more, got {length}"
                )
            lengths[role] = length or lengths[role]
        return RoleValues(self.prompts | given, lengths)

    def bounded(self, longest: int | None) -> "RoleValues":
        """Lowers both lengths to what a model can take; None sets no limit."""
        if longest is None:
            return self
        lengths = self.max_length.items()
        return RoleValues(
            self.prompts, {role: min(length or longest, longest) for role, length in lengths}
        )

    @property
    def longest(self) -> int | None:
        """The greater of the two lengths; None where a role has none."""
        lengths = self.max_length.values()
        return None if None in lengths else max(length for length in lengths if length)


UNLIMITED = RoleValues({"query": "", "passage": ""}, {"query": None, "passage": None})


class RoleTokenizer:
    """Prepends the role's prompt, adds the model's special tokens, truncates to the role's length.

    A `truncation_side` of `left` leaves the end of a text, and cuts off its prompt.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        roles: RoleValues,
        special_tokens: bool,
        truncation_side: Side = "right",
    ) -> None:
        self.tokenizer = tokenizer
        self.roles = roles
        self.truncation_side = truncation_side
        self._special_tokens = special_tokens
        tokenizer.no_padding()
        tokenizer.no_truncation()

    def __call__(self, texts: Sequence[str], role: Role) -> list[list[int]]:
        prompt, length = self.roles.prompts[role], self.roles.max_length[role]
        if length is None:
            self.tokenizer.no_truncation()
        else:
            self.tokenizer.enable_truncation(length, direction=self.truncation_side)
        encoded = self.tokenizer.encode_batch_fast(
            [prompt + text for text in texts], add_special_tokens=self._special_tokens
        )
        self.tokenizer.no_truncation()
        return [text.ids for text in encoded]

    def whole_ids(self, texts: Sequence[str], role: Role) -> list[list[int]]:
        """As a call, without truncation."""
        prompt = self.roles.prompts[role]
        encoded = self.tokenizer.encode_batch_fast(
            [prompt + text for text in texts], add_special_tokens=self._special_tokens
        )
        return [text.ids for text in encoded]

    def of(self, tokenizer: Tokenizer) -> "RoleTokenizer":
        """Returns one of the same prompts, lengths and special tokens for another vocabulary."""
        return RoleTokenizer(
            tokenizer,
            roles=self.roles,
            special_tokens=self._special_tokens,
            truncation_side=self.truncation_side,
        )

    def cache_keys(self, texts: Sequence[str], role: Role) -> Iterator[str]:
        """See `Encoder.cache_keys`; texts of both roles share a key where prompts and lengths are
        equal."""
        prefix = f"{self.roles.max_length[role]} {self.roles.prompts[role]}"
        return (prefix + text for text in texts)

    @cached_property
    def content(self) -> str:
        """Digest of the tokenizer without the prompts and lengths of the roles."""
        decides = (self.tokenizer.to_str(), self._special_tokens, self.truncation_side)
        return blake2b(repr(decides).encode(), digest_size=16).hexdigest()

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that decides the token ids of a text: tokenizer, prompts and lengths."""
        decides = (
            self.content,
            sorted(self.roles.prompts.items()),
            sorted(self.roles.max_length.items()),
        )
        return blake2b(repr(decides).encode(), digest_size=16).hexdigest()
