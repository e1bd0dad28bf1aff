"""An encoder to measure speed with: XLM-R's form, small, with seeded random weights."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import processors
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

from benchmarks.harness.configured import configured
from lingmix.cli.config import build
from lingmix.model.encoder import Encoder
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


def save_encoder(
    folder: Path,
    texts: Sequence[str],
    *,
    layers: int = LAYERS,
    width: int = WIDTH,
    heads: int = HEADS,
    length: int = LENGTH,
    rows: int | None = None,
) -> None:
    """As a sentence-transformers folder, its vocabulary learned from the texts; `rows` are those of
    its table where it has more. Without dropout, so that trainings can be compared."""
    specials = list(SPECIAL.values())
    tokenizer = learn_unigram(
        texts, vocabulary=VOCABULARY, special_tokens=specials, cache=folder.with_name("tokenizer")
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)
    config = XLMRobertaConfig(
        vocab_size=rows or tokenizer.get_vocab_size(),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=length + 2,
        type_vocab_size=1,
    )
    with seeded(0):
        model = XLMRobertaModel(config, add_pooling_layer=False)
    transformer = Transformer(model, wrapped, pooling="mean", attention=None)
    roles = UNLIMITED.bounded(length)
    roled = RoleTokenizer(wrapped.backend_tokenizer, roles=roles, special_tokens=True)
    Encoder(Model(transformer, [], roled)).save(folder)


def loaded(folder: Path) -> Encoder:
    config = configured("encoder=pretrained", f"encoder.name={folder}")
    return build(config["encoder"])(texts=(), cache=folder, seed=0)
