"""What a configuration says of an encoder beside its name."""

from collections.abc import Mapping
from typing import NamedTuple

from lingmix.data.tokens import Role
from lingmix.model.pooling import PoolingChoice
from lingmix.model.tokenizer import RoleValues
from lingmix.model.transformer import Attention


class Overrides(NamedTuple):
    """Settings that override those of a folder, or the defaults of an encoder from scratch; None
    overrides nothing."""

    prompts: Mapping[Role, str | None] | None = None
    pooling: PoolingChoice | None = None
    max_length: Mapping[Role, int | None] | None = None
    attention: Attention | None = None

    def roles(self, roles: RoleValues) -> RoleValues:
        """Replaces the prompts and lengths that are overridden."""
        return roles.overridden(prompts=self.prompts, max_length=self.max_length)
