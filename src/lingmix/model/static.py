"""Static embeddings: a text's vector is the mean of its subwords' vectors."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from lingmix.data.tokens import Tokens
from lingmix.errors import InputError, library_failure
from lingmix.model.layout import MODULES, read_object
from lingmix.model.mean_rows import mean_rows
from lingmix.model.tokenizer import RoleTokenizer

MODEL2VEC_LENGTH = 512
"""The tokens to which model2vec cuts texts where its folder sets no length."""


class Static(nn.Module):
    """Averages subword embeddings, without word order, attention or special tokens."""

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
        """Reads a folder of sentence-transformers or model2vec; the tokenizer truncates as it does.

        model2vec also cuts a text to its number of tokens times the median length of a token, in
        characters, which is not done here: it matters for texts of longer tokens than that.
        Raises InputError where a file is missing or the two do not fit.
        """
        weights, path = folder / "model.safetensors", folder / "tokenizer.json"
        for needed in (weights, path):
            if not needed.is_file():
                raise InputError(f"{needed}: a static embedding needs this file and it is missing")
        with library_failure(f"{folder}: its weights and tokenizer.json cannot be loaded"):
            tensors = load_file(weights)
            tokenizer = Tokenizer.from_file(str(path))
            if "embeddings" in tensors:
                weight_VD = _rows_of_model2vec(tensors, tokenizer)
                _truncate_as_model2vec(tokenizer, folder / "config.json")
            elif "embedding.weight" in tensors:
                weight_VD = tensors["embedding.weight"].float()
            else:
                raise InputError(f"{weights}: must hold the tensor embedding.weight or embeddings")
        if tokenizer.get_vocab_size() > len(weight_VD):
            raise InputError(
                f"{path}: has {tokenizer.get_vocab_size()} tokens and {weights.name} "
                f"{len(weight_VD)} rows; remove the added tokens"
            )
        embedding = nn.EmbeddingBag.from_pretrained(weight_VD, freeze=False, mode="mean")
        return cls(embedding), tokenizer

    def save(self, folder: Path, roled: RoleTokenizer) -> list[tuple[str, str]]:
        """Writes the maximum length into the tokenizer's file, where sentence-transformers reads
        it."""
        place = folder / "0_StaticEmbedding"
        place.mkdir()
        save_file(self.state_dict(), place / "model.safetensors", metadata={"format": "pt"})
        tokenizer = roled.tokenizer
        if roled.roles.longest is not None:
            tokenizer.enable_truncation(roled.roles.longest, direction=roled.truncation_side)
        tokenizer.save(str(place / "tokenizer.json"))
        tokenizer.no_truncation()
        return [(f"{MODULES}.StaticEmbedding", place.name)]


def _rows_of_model2vec(tensors: Mapping[str, Tensor], tokenizer: Tokenizer) -> Tensor:
    """Returns one row a token. model2vec leaves unknown tokens out of the mean; as rows of zeros
    they leave its direction the same."""
    rows_VD = tensors["embeddings"].float()
    if "mapping" in tensors:
        rows_VD = rows_VD[tensors["mapping"].long()]
    if "weights" in tensors:
        rows_VD = rows_VD * tensors["weights"].float()[:, None]
    model = json.loads(tokenizer.to_str())["model"]
    unknown = model.get("unk_id")
    if unknown is None and model.get("unk_token") is not None:
        unknown = tokenizer.token_to_id(model["unk_token"])
    if unknown is not None:
        rows_VD = rows_VD.index_fill(0, torch.tensor([unknown]), 0.0)
    return rows_VD


def _truncate_as_model2vec(tokenizer: Tokenizer, path: Path) -> None:
    config = read_object(path) if path.is_file() else {}
    length = config.get("max_length", MODEL2VEC_LENGTH)
    if length is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(length)
