"""A text's vector is the mean of its subwords' vectors: fast enough for a laptop's sweep."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from lingmix.data.tokens import Tokens
from lingmix.errors import InputError
from lingmix.model.mean_rows import mean_rows


class Static(nn.Module):
    """No order, no attention, no special tokens."""

    def __init__(self, embedding: nn.EmbeddingBag) -> None:
        super().__init__()
        self.embedding = embedding

    @property
    def dimension(self) -> int:
        return self.embedding.embedding_dim

    @property
    def form(self) -> str:
        return "mean of static embeddings"

    def forward(self, tokens: Tokens) -> Tensor:
        return mean_rows(self.embedding.weight, tokens, sparse=self.embedding.sparse)

    @classmethod
    def initialised(
        cls, *, vocabulary: int, dimension: int, sparse: bool, scale: float, seed: int
    ) -> "Static":
        generator = torch.Generator().manual_seed(seed)
        weight_VD = torch.randn(vocabulary, dimension, generator=generator) * scale
        return cls(
            nn.EmbeddingBag.from_pretrained(weight_VD, freeze=False, mode="mean", sparse=sparse)
        )

    @classmethod
    def load(cls, folder: Path) -> tuple["Static", Tokenizer]:
        weights, tokenizer = folder / "model.safetensors", folder / "tokenizer.json"
        for path in (weights, tokenizer):
            if not path.is_file():
                raise InputError(f"{path}: a static embedding needs this file and it is missing")
        weight_VD = load_file(weights).get("embedding.weight")
        if weight_VD is None:
            raise InputError(f"{weights}: must hold the tensor embedding.weight")
        embedding = nn.EmbeddingBag.from_pretrained(weight_VD.float(), freeze=False, mode="mean")
        return cls(embedding), Tokenizer.from_file(str(tokenizer))

    def save(self, folder: Path, tokenizer: Tokenizer, *, max_length: int | None) -> None:
        """sentence-transformers cuts texts as the tokenizer's file says."""
        folder.mkdir()
        save_file(self.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
        if max_length is not None:
            tokenizer.enable_truncation(max_length)
        tokenizer.save(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
