"""The settings of every command: their types, their ranges, and which may be null.

`conf/` has their values and their meaning. Further keys of a node with a `_target_` are checked
against its signature by `arguments`. No heavy library is imported here: errors come at once.
"""

from typing import Annotated, Any, Literal

from annotated_types import Interval, MinLen
from pydantic import Discriminator, Field, Tag

from lingmix.cli.analysis_settings import Analysis, Place
from lingmix.cli.data_settings import Augmentation, Data
from lingmix.cli.export_settings import ExportKeys
from lingmix.cli.language_settings import Languages, Pairs
from lingmix.cli.networks import Encoder, Loss, Optimizer, Text
from lingmix.cli.planted_settings import Planted
from lingmix.cli.schema import Node, Rule, Settings
from lingmix.cli.tracking_settings import Tracking, TrackingOfRuns
from lingmix.ranges import Count, CountOrZero, NotNegative, Positive, Seed, Share

Precision = Literal["auto", "bf16-mixed", "bf16-true", "16-mixed", "16-true", "32-true", "64-true"]
"""Precisions by Lightning's full names."""

EncodingPrecision = Literal["auto", "bf16-mixed", "16-mixed", "32-true"]
"""Precisions for encoding without training."""


RecordedRun = Annotated[
    str, Field(pattern=r"^runs:/[^/]+/?$"), Rule("a recorded run, as runs:/<run id>")
]


class Command(Settings):
    name: Annotated[Text, Rule("a text that can name a folder, without /")]
    output_dir: Place
    data_dir: Place
    download_dir: Place
    tracking: Tracking


class Hybrid(Node):
    alpha: Share
    alpha_end: Share | None


class CustomSampler(Node):
    """A sampler of a user; a run is named after its alpha, if it has one."""

    alpha: Share | None = None
    alpha_end: Share | None = None


def _sampler(node: Any) -> str:
    target = node.get("_target_") if isinstance(node, dict) else None
    return "hybrid" if target == "lingmix.data.schedule.HybridSchedule" else "custom"


Sampler = Annotated[
    Annotated[Hybrid, Tag("hybrid")] | Annotated[CustomSampler, Tag("custom")],
    Discriminator(_sampler),
]


class Trainer(Node, extra="forbid"):
    """Keys of Lightning's Trainer that do not change what a complete run is; the last four are
    optional."""

    max_steps: Count
    val_check_interval: Count
    check_val_every_n_epoch: None
    gradient_clip_val: Positive | None
    precision: Precision
    accelerator: Text
    devices: Count
    num_nodes: Count
    strategy: Literal["auto", "summed", "summed_fsdp"]
    use_distributed_sampler: Literal[False]
    accumulate_grad_batches: Count
    log_every_n_steps: CountOrZero
    num_sanity_val_steps: CountOrZero
    enable_model_summary: bool
    enable_progress_bar: bool
    callbacks: dict[str, Node]
    benchmark: bool | None = None
    deterministic: bool | Literal["warn"] | None = None
    detect_anomaly: bool = False
    gradient_clip_algorithm: Literal["norm", "value"] | None = None


class Checkpoint(Settings):
    every_steps: Count | None
    every_minutes: NotNegative | None
    record_step: Count | None


class Mining(Settings):
    count: Count
    depth: Count
    skip: CountOrZero
    max_share: Annotated[float, Interval(gt=0, le=1)] | None
    margin: Annotated[float, Interval(ge=0, lt=2)] | None
    take: Literal["best", "sample"]
    language: Literal["passage", "any"]
    seed: Seed


Sets = Annotated[dict[str, Node], MinLen(1), Rule("evaluation sets by their names, at least one")]


class Train(Command):
    data: Data
    augmentation: Augmentation
    sampler: Sampler
    encoder: Encoder
    loss: Loss
    optimizer: Optimizer
    trainer: Trainer
    evaluation: Sets
    seed: Seed
    languages: Languages
    pairs: Pairs
    temperature: Positive | None
    depth: Count | None
    center: Literal["language"] | None
    run_files: Count | None
    micro_batch_tokens: Count | None
    noise_scale_window: Annotated[int, Interval(ge=2, le=2**31 - 1)] | None
    checkpoint: Checkpoint
    branch_from: RecordedRun | None


class Evaluate(Command):
    encoder: Encoder
    evaluation: Sets
    search: Node | None
    languages: Languages
    precision: EncodingPrecision
    temperature: Positive
    depth: Count | None
    center: Literal["language"] | None
    run_files: Count | None
    embeddings: Place | None
    processes: Count


class Mine(Command):
    data: Data
    augmentation: Augmentation
    encoder: Encoder
    search: Node
    languages: Languages
    pairs: Pairs
    path: Place
    precision: EncodingPrecision
    embeddings: Place | None
    mining: Mining


Steps = Annotated[dict[str, Node], MinLen(1), Rule("steps by their names, at least one")]


class Augment(Command):
    passages: Node
    steps: Steps
    examples: dict[str, list[dict[str, str]]]
    backend: Node | None
    translator: Node | None
    encoder: Encoder | None
    precision: EncodingPrecision
    embeddings: Place | None
    estimate: bool
    journal: Place
    languages: Languages
    domain: Text | None
    scale: Count | None
    section: Text | None
    seed: Seed
    folder: Place


class Audit(Command):
    data: Data
    augmentation: Augmentation
    evaluation: Sets
    languages: Languages
    folder: Place


class DataCard(Audit):
    encoder: Encoder | None
    pairs: Pairs


class Analyze(Command):
    analysis: Analysis
    planted: Planted | None


class Export(ExportKeys, Command):
    pass


class Sync(Command):
    tracking: TrackingOfRuns


class Sweeps(Command):
    name: Text | None  # type: ignore[assignment]
    format: Literal["table", "json"]


COMMANDS: dict[str, type[Command]] = {
    "train": Train,
    "evaluate": Evaluate,
    "mine": Mine,
    "augment": Augment,
    "audit": Audit,
    "data": DataCard,
    "analyze": Analyze,
    "export": Export,
    "sync": Sync,
    "sweeps": Sweeps,
}
