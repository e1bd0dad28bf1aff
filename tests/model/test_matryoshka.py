"""A cut keeps the first numbers of each vector, whatever the encoder is made of."""

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer import modules as st

from lingmix.errors import InputError
from lingmix.model.layout import POOLINGS
from lingmix.model.pooling import pool
from lingmix.publishing.onnx_graph import pool_padded
from tests.model.conftest import TEXTS, close, embed


@pytest.mark.parametrize("kind", ["static", "tiny", "pooler", "dense"])
def test_a_cut_encoder_gives_the_first_numbers_normalised(load, bert_folder, tmp_path, kind):
    if kind == "dense":
        dense = Dense(16, 12, activation_function=torch.nn.Tanh())
        modules = [Transformer(str(bert_folder)), st.Pooling(16, "mean"), dense, Normalize()]
        SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "dense"))
    names = {"pooler": bert_folder, "dense": tmp_path / "dense"}
    encoder = load(names.get(kind, kind), pooling="pooler" if kind == "pooler" else None)
    cut = encoder.cut_to(5)
    whole = embed(encoder, TEXTS)
    expected = torch.nn.functional.normalize(whole[:, :5], dim=-1)
    close(embed(cut, TEXTS), expected, atol=1e-6)
    close(embed(encoder, TEXTS), whole, atol=0)
    cut.save(tmp_path / "cut")
    close(embed(load(tmp_path / "cut"), TEXTS), expected, atol=1e-6)
    with pytest.raises(InputError, match="dimensions: must be below the 5"):
        cut.cut_to(5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padded_texts_are_pooled_as_packed_ones(pooling):
    lengths = torch.tensor([4, 1, 3])
    hidden_BLD = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
    mask_BL = (torch.arange(4) < lengths[:, None]).long()
    packed = pool(hidden_BLD[mask_BL.bool()], lengths, pooling)
    close(pool_padded(hidden_BLD, mask_BL, pooling), packed, atol=1e-6)
