"""Every encoder-only architecture of Transformers: our vectors are its own, or it is refused.

Its own are those of a padded batch, with an attention mask, pooled by their mean.
"""

import inspect

import pytest
import torch
from torch.nn.functional import normalize
from transformers import CONFIG_MAPPING, AutoModel, AutoTokenizer, PreTrainedConfig
from transformers.models.auto import modeling_auto

from lingmix.errors import InputError
from tests.model.conftest import TEXTS, close, embed, save_tokenizer

TEXTS_OF_MANY_LENGTHS = [*TEXTS, " ".join(TEXTS), " ".join(TEXTS[:4])]


def types_of(*tasks: str) -> set[str]:
    return {kind for t in tasks for kind in getattr(modeling_auto, f"MODEL_FOR_{t}_MAPPING_NAMES")}


READERS = types_of("TOKEN_CLASSIFICATION", "SEQUENCE_CLASSIFICATION", "QUESTION_ANSWERING")
WRITERS = types_of("CAUSAL_LM", "SEQ_TO_SEQ_CAUSAL_LM")
TYPES = sorted(types_of("MASKED_LM", "TEXT_ENCODING") | (READERS - WRITERS) | {"dpr"})

TOO_LARGE = {
    "emu3": "sees images",
    "llama4": "sees images",
    "lxmert": "sees images",
    "mllama": "sees images",
    "modernvbert": "sees images",
    "ultravbert": "sees images",
    "layoutlmv2": "needs detectron2",
}
"""Not built here, and why."""

SIZES = {
    **dict.fromkeys(("hidden_size", "embedding_size", "dim", "emb_dim", "d_model", "n_embd"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layers", "num_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_heads", "num_heads", "num_key_value_heads"), 4),
    **dict.fromkeys(("intermediate_size", "hidden_dim", "d_ff"), 64),
    **dict.fromkeys(("head_dim", "d_kv"), 8),
    **dict.fromkeys(("bos_token_id", "cls_token_id"), 2),
    **dict.fromkeys(("eos_token_id", "sep_token_id"), 3),
    "vocab_size": 400,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "global_attn_every_n_layers": 2,
}
OWN_SIZES = {
    "big_bird": {"attention_type": "original_full"},
    "funnel": {"d_head": 8, "d_inner": 64, "block_sizes": [1, 1], "architectures": ["FunnelModel"]},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 8, "visual_embed": False},
    "lilt": {"hidden_size": 48, "max_2d_position_embeddings": 64},
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 16},
    "longformer": {"attention_window": 32},
    "mistral4": {
        "kv_lora_rank": 8, "q_lora_rank": 8, "n_routed_experts": 4, "moe_intermediate_size": 16,
    },
    "neomme": {"head_dim": 16, "hidden_size": 64},
    "perceiver": {"num_latents": 8, "d_latents": 32, "num_self_attends_per_block": 1},
    "reformer": {"axial_pos_embds": False, "attn_layers": ["local"], "attention_head_size": 8},
    "roc_bert": {"pronunciation_vocab_size": 10, "shape_vocab_size": 10},
    "xmod": {"languages": ["en"], "default_language": "en"},
}  # fmt: skip

REFUSED = {
    "bros": "bbox",
    "canine": "cannot encode texts",
    "convbert": "beside a longer one",
    "dpr": "last_hidden_state",
    "fnet": "beside a longer one",
    "funnel": "cannot encode texts",
    "nystromformer": "beside a longer one",
    "perceiver": "missing 1 required positional argument",
    "yoso": "beside a longer one",
}
"""What the line says; all others are read."""


def small_config(kind: str) -> PreTrainedConfig:
    named = CONFIG_MAPPING[kind]
    known = {name for base in named.__mro__ for name in getattr(base, "__annotations__", {})}
    known |= set(inspect.signature(named.__init__).parameters)
    sizes = SIZES | OWN_SIZES.get(kind, {})
    return named(**{name: size for name, size in sizes.items() if name in known})


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind not in TOO_LARGE])
def test_vectors_are_those_of_the_padded_model_or_it_is_refused(load, cache, tmp_path, kind):
    config = small_config(kind)
    if config.is_encoder_decoder:
        pytest.skip("has a decoder")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        AutoModel.from_config(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, cache)
    if kind in REFUSED:
        with pytest.raises(InputError, match=REFUSED[kind]) as refused:
            load(tmp_path)
        assert "\n" not in str(refused.value)
        return
    encoder = load(tmp_path, pooling="mean")
    model = AutoModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
    tokens = AutoTokenizer.from_pretrained(tmp_path)(
        TEXTS_OF_MANY_LENGTHS,
        padding=True,
        truncation=True,
        max_length=encoder.embedder.positions,
        return_tensors="pt",
        return_token_type_ids=False,
    )
    with torch.inference_mode():
        hidden_BLD = model(**tokens).last_hidden_state
    mask_BL1 = tokens["attention_mask"][..., None]
    expected_BD = normalize((hidden_BLD * mask_BL1).sum(1) / mask_BL1.sum(1), dim=-1)
    close(embed(encoder, TEXTS_OF_MANY_LENGTHS), expected_BD, atol=1e-5)
