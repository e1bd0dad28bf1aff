"""The settings of encoders, losses and optimizers, of Lingmix and of users."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Interval, MinLen
from pydantic import Discriminator, Field, Tag

from lingmix.cli.schema import Node, Rule, Settings
from lingmix.ranges import Count, NotNegative, Positive, Share

LOAD_ENCODER = "lingmix.model.encoder.load_encoder"
OPTIMIZERS = ("adamw", "row_adamw", "sparse_adam")

Text = Annotated[str, MinLen(1), Rule("a text, not empty")]


class Roles(Settings):
    query: str | None
    passage: str | None


class Lengths(Settings):
    query: Count | None
    passage: Count | None


class Lora(Settings):
    rank: Count
    alpha: Positive
    dropout: Share
    targets: list[Text] | Text


class Model(Node, extra="forbid"):
    """The keys of every encoder of Lingmix."""

    name: Text
    revision: Text | None
    prompts: Roles | None
    pooling: (
        Literal["mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", "pooler"]
        | None
    )
    max_length: Lengths | None
    attention: Literal["eager", "sdpa", "flash_attention_2"] | None
    compile: bool
    lora: Lora | None
    vocabulary: Literal["all", "used", "restored"] = "all"
    dropout: bool = False
    trust_remote_code: bool


class Pretrained(Model):
    scratch: Annotated[None, Rule("null for an encoder that is trained already")]


class StaticScratch(Settings):
    dimension: Count
    vocabulary: Count
    scale: Positive
    sparse: bool


class Static(Model):
    scratch: StaticScratch


class TinyScratch(Settings):
    dimension: Count
    vocabulary: Count
    layers: Count
    heads: Count
    dropout: Share


class Tiny(Model):
    scratch: TinyScratch


class Lexical(Settings):
    name: Text
    lexical: Literal["bm25", "tfidf"]


class CustomEncoder(Node):
    name: Text


def vocabulary_of(encoder: Mapping[str, Any]) -> str:
    """Return `encoder.vocabulary`; an encoder of a user may mean another thing by that name."""
    ours = encoder.get("_target_") == LOAD_ENCODER
    return encoder.get("vocabulary", "all") if ours else "all"


def _encoder(node: Any) -> str:
    if not isinstance(node, dict) or "lexical" in node:
        return "lexical"
    if node.get("_target_") != LOAD_ENCODER:
        return "custom"
    return node["name"] if node.get("name") in ("static", "tiny") else "pretrained"


Encoder = Annotated[
    Annotated[Pretrained, Tag("pretrained")]
    | Annotated[Static, Tag("static")]
    | Annotated[Tiny, Tag("tiny")]
    | Annotated[Lexical, Tag("lexical")]
    | Annotated[CustomEncoder, Tag("custom")],
    Discriminator(_encoder),
]


def _target(node: Any) -> str:
    target = node.get("_target_") if isinstance(node, dict) else None
    optimizers = [f"lingmix.training.optimizer.{name}" for name in OPTIMIZERS]
    return target if target in ("lingmix.training.loss.InfoNCE", *optimizers) else "custom"


class CustomLoss(Node):
    """A loss of a user; its temperature, if any, is also that of the contrastive entropy."""

    temperature: Positive | None = None


class InfoNCE(Node, extra="forbid"):
    temperature: Positive
    directions: Literal["query", "both"]
    margin: Share
    dimensions: list[Count] | None
    mask_false_negatives: bool


Loss = Annotated[
    Annotated[InfoNCE, Tag("lingmix.training.loss.InfoNCE")] | Annotated[CustomLoss, Tag("custom")],
    Discriminator(_target),
]

Beta = Annotated[float, Interval(ge=0, lt=1)]


class SparseAdam(Node, extra="forbid"):
    lr: Positive
    betas: Annotated[list[Beta], Field(min_length=2, max_length=2), Rule("two numbers in [0, 1)")]
    warmup: Share
    decay: Literal["constant", "linear", "cosine"]


class AdamW(SparseAdam):
    weight_decay: NotNegative


Optimizer = Annotated[
    Annotated[AdamW, Tag("lingmix.training.optimizer.adamw")]
    | Annotated[AdamW, Tag("lingmix.training.optimizer.row_adamw")]
    | Annotated[SparseAdam, Tag("lingmix.training.optimizer.sparse_adam")]
    | Annotated[Node, Tag("custom")],
    Discriminator(_target),
]
