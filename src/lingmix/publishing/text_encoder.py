"""A recorded model in Python: texts to vectors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lingmix.data.tokens import Role
from lingmix.errors import require_choice
from lingmix.model.embed import BATCH_TOKENS, encode_texts
from lingmix.model.encoder import Encoder
from lingmix.model.precision import fastest_device
from lingmix.model.tokenizer import ROLES


class TextEncoder:
    """Encodes texts as unit vectors in float32, on the fastest device, each behind the prompt of
    its role."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder.to(fastest_device("auto"))

    @property
    def dimension(self) -> int:
        """The numbers of a vector."""
        return self.encoder.dimension

    def encode(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        """Returns a row a text; the role is `query` or `passage`. The product of a query's and a
        passage's row is their cosine. Raises InputError for another role."""
        require_choice("role", role, ROLES)
        return encode_texts(
            self.encoder, [*texts], role, batch_tokens=BATCH_TOKENS, precision="32-true"
        )

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns the vectors of queries, a row a text."""
        return self.encode(texts, "query")

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns the vectors of passages, a row a text."""
        return self.encode(texts, "passage")
