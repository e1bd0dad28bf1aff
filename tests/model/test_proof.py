"""How texts share a forward is proven for the model at hand, when it is loaded."""

import json
import logging

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize
from transformers import AutoModel, PreTrainedTokenizerFast

from lingmix.errors import InputError
from lingmix.model.overrides import Overrides
from lingmix.model.scratch import from_scratch
from tests.model.conftest import SCRATCH, TEXTS, close, embed, model_folder

MIXING = """
from transformers import BertModel

class Mixing(BertModel):
    def forward(self, *args, **kwargs):
        out = super().forward(*args, **kwargs)
        hidden = out.last_hidden_state
        out.last_hidden_state = hidden + hidden.{mixed}
        return out
"""


@pytest.fixture
def mixing_folder(cache, tmp_path, monkeypatch):
    """BERT by its type, with code of its own that mixes tokens beside attention."""
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    monkeypatch.syspath_prepend(tmp_path / "modules")

    def made(mixed):
        folder = model_folder(tmp_path / mixed[:4], cache, "bert")
        config = json.loads((folder / "config.json").read_text())
        config["auto_map"] = {"AutoModel": f"mixing_{mixed[:4]}.Mixing"}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / f"mixing_{mixed[:4]}.py").write_text(MIXING.format(mixed=mixed))
        return folder

    return made


def test_a_causal_model_is_padded_and_says_so(load, cache, tmp_path, caplog):
    """A decoder of a type whose encoders are packed: attention there looks both ways."""
    folder = model_folder(tmp_path, cache, "bert", is_decoder=True)
    caplog.set_level(logging.INFO, logger="lingmix")
    encoder = load(folder)
    lines = [line for line in caplog.messages if "not packed" in line]
    assert len(lines) == 1
    assert str(folder) in lines[0]
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.inference_mode():
        means = [
            model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
            for ids in encoder.tokenize(TEXTS, "query")
        ]
    close(embed(encoder, TEXTS), normalize(torch.stack(means)), atol=1e-5)


def test_a_model_whose_layers_mix_tokens_is_not_packed(load, mixing_folder, caplog):
    """A token gets the sum of the states before it: of its text alone where texts are padded."""
    folder = mixing_folder("cumsum(1)")
    encoder = load(folder, trust_remote_code=True)
    assert "change each other" in caplog.text
    alone_BD = torch.cat([embed(encoder, [text]) for text in TEXTS])
    close(embed(encoder, TEXTS), alone_BD, atol=1e-5)


def test_a_model_whose_padding_moves_a_text_is_refused(load, mixing_folder):
    with pytest.raises(InputError, match=r"beside a longer one .*depend on the batch") as refused:
        load(mixing_folder("mean(1, keepdim=True)"), trust_remote_code=True)
    assert "\n" not in str(refused.value)


def test_the_proof_draws_nothing_and_leaves_training_as_it_was(cache):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    transformer = from_scratch(
        "tiny", SCRATCH["tiny"] | {"dropout": 0.5}, overrides=Overrides(),
        texts=TEXTS, cache=cache, seed=0,
    ).embedder  # fmt: skip
    assert torch.equal(torch.get_rng_state(), before)
    assert transformer.model.training
    assert transformer.packs
    assert all(weight.grad is None for weight in transformer.parameters())


@pytest.mark.parametrize("value", [float("nan"), 0.0])
def test_weights_that_make_no_vectors_are_refused(load, cache, tmp_path, value):
    folder = model_folder(tmp_path, cache, "bert")
    weights = load_file(folder / "model.safetensors")
    weights = {name: torch.full_like(tensor, value) for name, tensor in weights.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="all texts the same states") as refused:
        load(folder)
    assert "\n" not in str(refused.value)


def test_one_weight_that_is_not_finite_is_refused_by_name(load, bert_folder, tmp_path):
    """In the row of a token that no text of the proof holds, and in a checkpoint."""
    encoder = load(bert_folder)
    encoder.save(tmp_path / "encoder")
    with torch.no_grad():
        encoder.embedder.model.get_input_embeddings().weight[7, 3] = torch.inf
    state = {f"encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    encoder.save(tmp_path / "model")
    for name in (tmp_path / "model", tmp_path / "last.ckpt"):
        with pytest.raises(InputError, match=r"not finite, in .*word_embeddings.weight"):
            load(name)


@pytest.mark.parametrize(("value", "says"), [(float("nan"), "not finite"), (0.0, "all zero")])
def test_static_weights_that_make_no_vectors_are_refused(load, tmp_path, value, says):
    encoder = load("static")
    with torch.no_grad():
        encoder.embedder.embedding.weight.fill_(value)
    encoder.save(tmp_path / "model")
    with pytest.raises(InputError, match=says):
        load(tmp_path / "model")


def test_a_text_without_tokens_is_zero(load, bert_folder, tmp_path):
    """As with tokenizers that add no special tokens."""
    load(bert_folder).save(tmp_path / "model")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "model")
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    backend["post_processor"] = None
    (tmp_path / "model" / "tokenizer.json").write_text(json.dumps(backend))
    encoder = load(tmp_path / "model")
    assert encoder.tokenize([""], "query") == [[]]
    vectors_BD = embed(encoder, ["", *TEXTS, ""])
    assert not vectors_BD[[0, -1]].any()
    close(vectors_BD[1:-1], embed(encoder, TEXTS), atol=1e-6)
    assert not embed(encoder, [""]).any()
