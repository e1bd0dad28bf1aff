"""A compiled encoder computes what the plain one does, and is saved like it."""

import pytest
import torch
from safetensors.torch import load_file
from torch._inductor import config
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler

from lingmix.errors import InputError
from tests.model.conftest import SCRATCH, TEXTS, close, embed, ragged

ONE_LAYER = SCRATCH["tiny"] | {"layers": 1}


@pytest.fixture
def compiler():
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        pytest.skip("no C++ compiler is here")


@pytest.mark.usefixtures("compiler")
def test_compiling_changes_no_vector_no_gradient_and_no_name(load, tmp_path):
    """Takes half a minute where nothing is compiled yet."""
    plain, compiled = (load("tiny", scratch=ONE_LAYER, compile=c) for c in (False, True))
    for texts in (TEXTS, TEXTS[:3]):
        close(embed(compiled, texts), embed(plain, texts), atol=1e-5)
    tokens = ragged(plain.tokenize(TEXTS, "query"))
    target_BD = torch.randn(len(TEXTS), 16, generator=torch.Generator().manual_seed(0)) / 100
    for encoder in (plain, compiled):
        (encoder.train()(tokens) * target_BD).sum().backward()
    for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
        close(other.grad, one.grad, atol=1e-5)
    assert compiled.fingerprint() == plain.fingerprint()
    compiled.save(tmp_path / "model")
    saved = load_file(tmp_path / "model" / "model.safetensors")
    assert set(saved) == set(plain.embedder.model.state_dict())


@pytest.mark.usefixtures("compiler")
def test_a_model_is_compiled_only_where_that_is_asked_for(load):
    called = [
        load("tiny", scratch=ONE_LAYER, compile=c).embedder.model._compiled_call_impl
        for c in (False, True)
    ]
    assert [one is None for one in called] == [True, False]


def test_compiling_without_a_compiler_is_refused(load):
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(InputError, match=r"encoder.compile: .* no C\+\+ compiler"),
    ):
        load("tiny", compile=True)


def test_static_embeddings_are_not_compiled(load):
    with pytest.raises(InputError, match=r"encoder.compile: is for transformers"):
        load("static", compile=True)
