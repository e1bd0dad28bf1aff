"""An encoder to measure speed with: XLM-R's form, small, with seeded random weights."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import processors
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

from lingmix.model.encoder import Encoder, load_encoder
from lingmix.model.folder import Model
from lingmix.model.scratch import seeded
from lingmix.model.tokenizer import UNLIMITED, RoleTokenizer
from lingmix.model.transformer import Transformer
from lingmix.model.unigram import UNKNOWN, learn_unigram

SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": UNKNOWN}
"""In the order of the ids that XLM-R's configuration gives them."""

VOCABULARY = 12_000
LENGTH = 128
LAYERS, WIDTH, HEADS = 4, 256, 4


def save_encoder(folder: Path, texts: Sequence[str]) -> None:
    """As a sentence-transformers folder, its vocabulary learned from the texts."""
    specials = list(SPECIAL.values())
    tokenizer = learn_unigram(
        texts, vocabulary=VOCABULARY, special_tokens=specials, cache=folder.with_name("tokenizer")
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        max_position_embeddings=LENGTH + 2,
        type_vocab_size=1,
    )
    with seeded(0):
        model = XLMRobertaModel(config, add_pooling_layer=False)
    transformer = Transformer(model, wrapped, pooling="mean", attention=None)
    roles = UNLIMITED.bounded(LENGTH)
    roled = RoleTokenizer(wrapped.backend_tokenizer, roles=roles, special_tokens=True)
    Encoder(Model(transformer, [], roled)).save(folder)


def loaded(folder: Path) -> Encoder:
    return load_encoder(
        name=str(folder),
        prompts=None,
        pooling=None,
        max_length=None,
        scratch=None,
        texts=(),
        cache=folder,
        seed=0,
        attention=None,
        trust_remote_code=False,
    )
