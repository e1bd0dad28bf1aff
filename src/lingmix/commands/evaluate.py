"""The command lingmix-evaluate, which scores any encoder on any evaluation sets."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from lingmix.assembly.encoding import load_cached_encoder
from lingmix.cli.checks import unshared_where
from lingmix.cli.config import (
    Config,
    build,
    checked,
    command_line,
    evaluation_sets,
    overrides,
)
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.tokens import Role
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
from lingmix.tracking.identity import RunIdentity, identify
from lingmix.tracking.lifecycle import KIND
from lingmix.tracking.models import model_folder
from lingmix.tracking.results import log_results
from lingmix.tracking.run import find_complete, pending_note, record_run
from lingmix.tracking.run_folder import empty_folder, run_folder
from lingmix.training.ranks import following, refuse_several, sharing_rank


def evaluate(composed: DictConfig) -> str:
    """Score an encoder and record the scores, unless they are recorded already; return a table.

    Further processes, which a launcher has started or the user, share the encoding; one records.
    """
    config = checked(composed, "evaluate")
    if where := unshared_where(config):
        refuse_several("evaluate", where=where)
    if sharing_rank():
        with following():
            encode_texts(config)
        return ""
    if config["processes"] > 1 and config["tracking"]["parent"] is None:
        raise InputError(
            f"processes: are started by a launcher, with -m, got {config['processes']} without"
        )
    identity = identify(config)
    join = None if where else partial(encode_texts, config)
    with run_folder(config, identity.hash, join=join) as work:
        return evaluate_and_record(config, identity, work=work)


def evaluate_and_record(config: Config, identity: RunIdentity, *, work: Path) -> str:
    """Score and record in the run's folder `work`, which is locked; return a table."""
    name = f"evaluate {config['encoder']['name']}"
    if complete := find_complete(config, identity, work=work):
        return f"{name}: {complete.message}\n{score_table(recorded_scores(complete.metrics))}"
    encode, sets = encoder_of(config), sets_of(config)
    artifacts = empty_folder(work / "left")
    scores = list(compute_scores(config, encode, sets, run_files=artifacts / "runs"))
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
    texts = f"\n{encode.encoded} texts encoded, {encode.cached} from the cache" if encode else ""
    return f"{name}\n{score_table(scores)}{texts}{pending_note(work)}"


def encode_texts(config: Config) -> None:
    """Encode the texts of all sets, with other processes, into the folder of embeddings."""
    encode = encoder_of(config)
    if encode is not None:
        for texts, role in texts_of(sets_of(config)):
            encode(texts, role)


def encoder_of(config: Config) -> CachedEncoder | None:
    """Load the encoder; None for a lexical one."""
    encoder = config["encoder"]
    if "lexical" in encoder:
        return None
    return load_cached_encoder(config, model_folder(config["tracking"]["uri"], encoder["name"]))


def sets_of(config: Config) -> list[EvaluationSet]:
    sets = evaluation_sets(config["evaluation"], languages=config["languages"])
    require_languages(config["languages"], sets)
    return sets


def texts_of(sets: Sequence[EvaluationSet]) -> list[tuple[Sequence[str], Role]]:
    """Return the texts in the order in which they are evaluated."""
    return [
        lot
        for evaluation_set in sets
        for lot in ((evaluation_set.queries, "query"), (evaluation_set.passages, "passage"))
    ]


def compute_scores(
    config: Config,
    encode: CachedEncoder | None,
    sets: Sequence[EvaluationSet],
    *,
    run_files: Path,
) -> Iterator[SetScores]:
    depth = config["depth"]
    files = RunFiles(run_files, config["run_files"]) if config["run_files"] else None
    if encode is None:
        from lingmix.evaluation.lexical import evaluate_lexical  # noqa: PLC0415 - scikit-learn, BM25s

        method = config["encoder"]["lexical"]
        return evaluate_lexical(sets, method=method, depth=depth, run_files=files)
    encode.require_space(texts_of(sets))
    if config["search"] is not None:
        return evaluate_by_search(encode, sets, build(config["search"]), depth=depth, seed=0)
    return evaluate_encoder(
        encode,
        sets,
        depth=depth,
        temperature=config["temperature"],
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
