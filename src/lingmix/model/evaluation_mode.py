"""Passes without dropout, in the middle of a training too."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Puts the module into evaluation mode for the block, and each part back into its own mode:
    `module.train(module.training)` would turn on the dropout of a part that trains without."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
