"""A text's vector from its tokens' states, by numbers worked out by hand."""

import pytest
import torch

from lingmix.model.pooling import pool
from tests.model.conftest import close

HIDDEN = [[1.0], [2.0], [6.0], [4.0]]
LENGTHS = [1, 3]

POOLED = {
    "mean": [1, 4],
    "cls": [1, 2],
    "max": [1, 6],
    "mean_sqrt_len_tokens": [1, 12 / 3**0.5],
    "weightedmean": [1, (1 * 2 + 2 * 6 + 3 * 4) / 6],
    "lasttoken": [1, 4],
}
GRADIENTS = {
    "mean": [1, 1 / 3, 1 / 3, 1 / 3],
    "cls": [1, 1, 0, 0],
    "max": [1, 0, 1, 0],
    "mean_sqrt_len_tokens": [1, *[3**-0.5] * 3],
    "weightedmean": [1, 1 / 6, 2 / 6, 3 / 6],
    "lasttoken": [1, 0, 0, 1],
}


@pytest.mark.parametrize("pooling", POOLED)
def test_states_of_texts_end_to_end_are_pooled_text_by_text(pooling):
    hidden_TD = torch.tensor(HIDDEN, requires_grad=True)
    pooled_BD = pool(hidden_TD, torch.tensor(LENGTHS), pooling)
    close(pooled_BD, torch.tensor(POOLED[pooling], dtype=torch.float32)[:, None], atol=1e-6)
    pooled_BD.sum().backward()
    close(hidden_TD.grad, torch.tensor(GRADIENTS[pooling], dtype=torch.float32)[:, None], atol=1e-6)
