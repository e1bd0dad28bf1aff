"""The command lingmix-evaluate, which scores any encoder on any evaluation sets."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig

from lingmix.assembly.encoding import load_cached_encoder
from lingmix.cli.config import (
    Config,
    build,
    checked,
    command_line,
    evaluation_sets,
    overrides,
)
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.errors import InputError
from lingmix.evaluation.evaluator import (
    RunFiles,
    evaluate_by_search,
    evaluate_encoder,
)
from lingmix.evaluation.score_table import recorded_scores, score_table
from lingmix.evaluation.scores import SetScores
from lingmix.model.embed import CachedEncoder
from lingmix.model.precision import precision_of
from lingmix.tracking.identity import identify
from lingmix.tracking.lifecycle import KIND
from lingmix.tracking.models import model_folder
from lingmix.tracking.results import log_results
from lingmix.tracking.run import find_complete, pending_note, record_run
from lingmix.tracking.run_folder import empty_folder, run_folder
from lingmix.training.ranks import refuse_several


def evaluate(composed: DictConfig) -> str:
    """Score an encoder and record the scores, unless they are recorded already; return a table."""
    refuse_several("evaluate")
    config = checked(composed, "evaluate")
    encoder, identity = config["encoder"], identify(config)
    name = f"evaluate {encoder['name']}"
    with run_folder(config, identity.hash) as work:
        if complete := find_complete(config, identity, work=work):
            return f"{name}: {complete.message}\n{score_table(recorded_scores(complete.metrics))}"
        encode = None
        if "lexical" not in encoder:
            encode = load_cached_encoder(
                config, model_folder(config["tracking"]["uri"], encoder["name"])
            )
        artifacts = empty_folder(work / "left")
        scores = list(compute_scores(config, encode, run_files=artifacts / "runs"))
        with record_run(
            config,
            identity,
            name=name,
            command=command_line("lingmix-evaluate"),
            precision=precision_of(config["precision"]),
            work=work,
            kind={KIND: "evaluation"},
        ) as recorder:
            log_results(
                recorder,
                scores,
                folder=artifacts,
                config=config,
                overrides=overrides(),
                save_model=None,
            )
        texts = (
            f"\n{encode.encoded} texts encoded, {encode.cached} from the cache" if encode else ""
        )
        return f"{name}\n{score_table(scores)}{texts}{pending_note(work)}"


def compute_scores(
    config: Config, encode: CachedEncoder | None, *, run_files: Path
) -> Iterator[SetScores]:
    sets = evaluation_sets(config["evaluation"], languages=config["languages"])
    require_languages(config["languages"], sets)
    depth = config["depth"]
    files = RunFiles(run_files, config["run_files"]) if config["run_files"] else None
    if encode is None:
        from lingmix.evaluation.lexical import evaluate_lexical  # noqa: PLC0415 - scikit-learn, BM25s

        method = config["encoder"]["lexical"]
        return evaluate_lexical(sets, method=method, depth=depth, run_files=files)
    if config["search"] is not None:
        return evaluate_by_search(encode, sets, build(config["search"]), depth=depth, seed=0)
    temperature = config["temperature"]
    return evaluate_encoder(
        encode,
        sets,
        depth=depth,
        temperature=temperature,
        seed=0,
        center=config["center"],
        run_files=files,
    )


def require_languages(languages: Sequence[str] | str, sets: Sequence[EvaluationSet]) -> None:
    """Raise InputError for requested languages that no set has."""
    known = {language for evaluation_set in sets for language in evaluation_set.languages}
    if languages != "all" and (absent := sorted(set(languages) - known)):
        raise InputError(
            f"languages: no evaluation set has {', '.join(absent)}; leave it out (of those asked "
            f"for they have {', '.join(sorted(known))})"
        )
