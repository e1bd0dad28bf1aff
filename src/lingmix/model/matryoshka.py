"""Cuts an encoder's vectors to their first dimensions, as a part of the model itself.

Every tool that reads the folder then gives the short vectors, without a setting of its own.
"""

import torch
from torch import Tensor, nn

from lingmix.errors import InputError
from lingmix.model.folder import Model
from lingmix.model.pooling import Dense
from lingmix.model.static import Static


def cut_to(model: Model, dimensions: int) -> Model:
    """Returns a model of the first `dimensions` of each vector, which is normalised after the cut.

    The rows of its last layer are cut where it has one, the table of a static embedding, and else a
    layer is added that selects them. Raises InputError where a vector has no more than that.
    """
    if not 1 <= dimensions < model.dimension:
        raise InputError(
            f"dimensions: must be below the {model.dimension} that a vector has, got {dimensions}; "
            "null keeps all"
        )
    if model.heads:
        *heads, last = model.heads
        return model._replace(heads=[*heads, _first_rows(last, dimensions)])
    if isinstance(model.embedder, Static):
        weight_VD = model.embedder.embedding.weight.detach()[:, :dimensions].clone()
        return model._replace(
            embedder=Static(nn.EmbeddingBag.from_pretrained(weight_VD, freeze=False, mode="mean"))
        )
    selecting = _linear(torch.eye(model.dimension)[:dimensions], None)
    return model._replace(heads=[Dense(selecting, nn.Identity())])


def _first_rows(dense: Dense, dimensions: int) -> Dense:
    """Activations are of each number by itself, so that the cut may come before them."""
    bias = None if dense.linear.bias is None else dense.linear.bias[:dimensions]
    return Dense(_linear(dense.linear.weight[:dimensions], bias), dense.activation)


def _linear(weight_DD: Tensor, bias_D: Tensor | None) -> nn.Linear:
    out_features, in_features = weight_DD.shape
    linear = nn.Linear(in_features, out_features, bias=bias_D is not None)
    state = {"weight": weight_DD} | ({} if bias_D is None else {"bias": bias_D})
    linear.load_state_dict({name: part.detach() for name, part in state.items()})
    return linear
