"""Checks of a command's settings, each by itself and in combination."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lingmix.cli.arguments import check_arguments
from lingmix.cli.data_checks import check_data
from lingmix.cli.networks import LOAD_ENCODER, vocabulary_of
from lingmix.cli.schema import check
from lingmix.cli.settings import COMMANDS
from lingmix.data.named_sources import named_sources
from lingmix.errors import InputError
from lingmix.evaluation.metric_names import CONTRASTIVE_ENTROPY, EXCESS_SHARE
from lingmix.evaluation.metrics import METRICS
from lingmix.tracking.store.limits import require_set_name

Config = Mapping[str, Any]

SHORTENED_BY = (
    *("fast_dev_run", "limit_train_batches", "limit_val_batches", "overfit_batches", "barebones"),
    *("max_epochs", "max_time", "min_epochs", "min_steps", "reload_dataloaders_every_n_epochs"),
)
"""Keys of Lightning's Trainer that shorten a training, which `trainer.max_steps` limits."""


def check_settings(values: Config, command: str) -> None:
    """Raise InputError for settings that the command refuses, before heavy imports and any I/O."""
    if command == "train":
        _refuse_shortened(values.get("trainer"))
    check(values, COMMANDS[command], known=f"; `lingmix-{command} --cfg job` shows all there are")
    if command in ("train", "evaluate"):
        _refuse_unknown_metrics(values["tracking"]["pair_metrics"])
        for name in values["evaluation"]:
            require_set_name(name)
    if command in ("train", "mine", "data"):
        _refuse_lexical(values["encoder"] or {})
    if command in ("train", "mine", "audit", "data"):
        check_data(values, measured=command != "mine")
    if command == "train":
        _refuse_untrainable(values)
    else:
        _refuse_smaller_vocabulary(values)
    if command == "evaluate":
        _refuse_unsearchable(values)
        _refuse_uncentered(values)
        _refuse_unshared(values)
    for at, node, given in _light_nodes(values):
        check_arguments(node, at=at, given=given)


def _light_nodes(values: Config) -> Iterator[tuple[str, Config, tuple[str, ...]]]:
    """Nodes whose targets import quickly: key, node, and the arguments that the code adds. Others
    are checked against their signatures when they are built."""
    data = values.get("data", {"development": None})
    for key, source in named_sources(data).items():
        yield key, source, ()
    if data["development"] is not None:
        yield "data.development", data["development"], ("name",)
    for name, node in values.get("evaluation", {}).items():
        yield f"evaluation.{name}", node, ("name",)
    for name, node in values.get("steps", {}).items():
        yield f"steps.{name}", node, ()
    for group in ("backend", "translator"):
        if values.get(group) is not None:
            yield group, values[group], ("journal",)
    for group in ("sampler", "search", "passages"):
        if values.get(group) is not None:
            yield group, values[group], ()


def _refuse_shortened(trainer: Any) -> None:
    if not isinstance(trainer, dict):
        return
    for key in SHORTENED_BY:
        if trainer.get(key) not in (None, False):
            raise InputError(
                f"trainer.{key}: must be left out, got {trainer[key]!r}: a run is complete after "
                "trainer.max_steps steps; set those"
            )


def _refuse_timers(callbacks: Config) -> None:
    for name, callback in callbacks.items():
        if callback["_target_"].rpartition(".")[2] == "Timer":
            raise InputError(
                f"trainer.callbacks.{name}: must not end a training by the clock; set "
                "trainer.max_steps, or choose trainer=early_stopping"
            )


def _refuse_unknown_metrics(pair_metrics: Mapping[str, Sequence[str] | str]) -> None:
    known = (*METRICS, CONTRASTIVE_ENTROPY, EXCESS_SHARE)
    for split, metrics in pair_metrics.items():
        if metrics != "all" and (unknown := [name for name in metrics if name not in known]):
            raise InputError(
                f"tracking.pair_metrics.{split}: must be all, or a list of {', '.join(known)}, "
                f"got {unknown[0]}"
            )


def _refuse_lexical(encoder: Config) -> None:
    if "lexical" in encoder:
        raise InputError(f"encoder: {encoder['name']} gives no vectors; name a model")


def _refuse_untrainable(values: Config) -> None:
    """Raise InputError for settings that contradict each other in a training."""
    trainer, encoder = values["trainer"], values["encoder"]
    _refuse_timers(trainer["callbacks"])
    steps, interval = trainer["max_steps"], trainer["val_check_interval"]
    if trainer["devices"] * trainer["num_nodes"] > 1 and steps % interval:
        raise InputError(
            f"trainer.val_check_interval: must divide trainer.max_steps ({steps}) on several "
            f"devices, got {interval}"
        )
    if trainer["strategy"] == "summed_fsdp":
        _refuse_sharded(values)
    if "early_stopping" in trainer["callbacks"] and values["data"]["development"] is None:
        raise InputError("trainer.callbacks.early_stopping: needs data.development to stop by")
    sparse = _is_sparse(encoder)
    adam = values["optimizer"]["_target_"].endswith("sparse_adam")
    if sparse != adam and encoder["_target_"] == LOAD_ENCODER:
        raise InputError(
            f"encoder.scratch.sparse: {str(sparse).lower()} does not go with this optimizer; "
            "sparse gradients need optimizer=sparse_adam, and it needs them"
        )
    by_rows = values["optimizer"]["_target_"].endswith("row_adamw")
    if by_rows:
        _refuse_without_table(values)
    if (sparse or by_rows) and trainer.get("gradient_clip_algorithm") == "value":
        raise InputError(
            "trainer.gradient_clip_algorithm: sparse gradients are clipped by norm, got value"
        )


def _refuse_without_table(values: Config) -> None:
    """Raise InputError for settings that do not work with optimizer=row_adamw."""
    trainer, encoder = values["trainer"], values["encoder"]
    for key, wrong, mend in (
        ("encoder", encoder["_target_"] != LOAD_ENCODER, "an encoder of Lingmix"),
        ("encoder", encoder["name"] == "static", "a transformer"),
        ("encoder.compile", encoder.get("compile", False), "false"),
        ("trainer.strategy", trainer["strategy"] == "summed_fsdp", "summed"),
        ("trainer.precision", trainer["precision"] in ("bf16-true", "16-true"), "auto"),
    ):
        if wrong:
            raise InputError(
                f"{key}: optimizer=row_adamw, whose gradients are sparse, needs {mend}; set it so, "
                "or choose another optimizer"
            )


def _refuse_smaller_vocabulary(values: Config) -> None:
    vocabulary = vocabulary_of(values.get("encoder") or {})
    if vocabulary != "all":
        raise InputError(
            f"encoder.vocabulary: is chosen for a training, got {vocabulary}; set it to all, or "
            "name the model of a training that has done so"
        )


def _is_sparse(encoder: Config) -> bool:
    """Whether an encoder of Lingmix has sparse gradients; of others it is not known."""
    ours = encoder["_target_"] == LOAD_ENCODER
    return ours and encoder["name"] == "static" and encoder["scratch"]["sparse"]


def _refuse_sharded(values: Config) -> None:
    """Raise InputError for settings that do not work with sharded weights (FSDP)."""
    callbacks = values["trainer"]["callbacks"]
    for key, wrong, mend in (
        ("encoder.scratch.sparse", _is_sparse(values["encoder"]), "false"),
        ("micro_batch_tokens", values["micro_batch_tokens"] is not None, "null"),
        ("noise_scale_window", values["noise_scale_window"] is not None, "null"),
        ("encoder.compile", values["encoder"].get("compile", False), "false"),
        ("trainer.callbacks.weight_averaging", "weight_averaging" in callbacks, "trainer=default"),
    ):
        if wrong:
            raise InputError(
                f"{key}: does not go with trainer.strategy=summed_fsdp, which shards the "
                f"weights; set it to {mend}, or choose trainer.strategy=summed"
            )


def unshared_where(values: Config) -> str | None:
    """Return why processes cannot share the encoding of an evaluation; None where they can."""
    if "lexical" in values["encoder"]:
        return "encoder is lexical"
    return "embeddings is null" if values["embeddings"] is None else None


def _refuse_unshared(values: Config) -> None:
    if values["processes"] > 1 and (where := unshared_where(values)):
        raise InputError(
            f"processes: share the encoding through a folder, and {where}; set processes=1"
        )


def _refuse_uncentered(values: Config) -> None:
    if values["center"] is None:
        return
    if "lexical" in values["encoder"]:
        raise InputError("center: is for vectors, and this encoder is lexical; set center=null")
    if values["search"] is not None:
        raise InputError("center: is of exact rankings; set search=null, or center=null")


def _refuse_unsearchable(values: Config) -> None:
    if values["search"] is None:
        return
    if "lexical" in values["encoder"]:
        raise InputError("search: is for vectors, and this encoder is lexical; set search=null")
    if values["depth"] is None:
        raise InputError("depth: a search needs to know how many passages to find; set depth=1000")
    if values["run_files"]:
        raise InputError("run_files: are of exact rankings; set search=null, or run_files=null")
