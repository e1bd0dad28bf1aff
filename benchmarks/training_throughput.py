"""Training side by side with sentence-transformers' trainer: pairs a second, and the same losses.

A 4-layer, 256-wide encoder of XLM-R's form, pairs of XQuAD-R (as texts to time, not to learn from),
monolingual batches of 64, texts cut at 128 tokens, AdamW, clipping at 1. Both sides begin with the
same weights and see the same pairs in the same order. Ours is what lingmix-train builds, with its
token stores made before; the peer tokenises in its collator, as it always does. Neither validates,
keeps checkpoints or reports. A step's time is taken from the end of one to the end of the next,
after the first ones; loading and tokenising a batch is in it. The peer stands twice: as it comes
(PyTorch's SDPA), and with eager attention, which ours takes on a CPU. Its merged forward is no
option of this loss with two columns: set by hand, it pads queries to the passages' length.

In float32 the losses of every step must agree to 1e-3, or no row is written. The precision is the
same on both sides but in one row, where neither is told any: ours then takes the fastest that the
hardware has, the peer float32.

`static`: batches of 512 of the real pairs of experiment=xquad_r_static with its vocabulary. The
peer's StaticEmbedding has dense gradients, and its trainer takes the norm of every gradient, which
sparse ones do not have; so its optimizer is dense AdamW, and only the first losses are comparable.

The last rows time that experiment as a user would run it: the command, in a process of its own,
first with nothing cached, then again with another tracking store. Preparation is from the command's
start, Python's own included, to the start that MLflow has of the run; training from there to the
last metric recorded before the evaluation, three validations included.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from mlflow import MlflowClient
from sentence_transformers import SentenceTransformer

from benchmarks.harness.comparison import FOLDER, Row, named
from benchmarks.harness.configured import configured
from benchmarks.harness.encoder import loaded, save_encoder
from benchmarks.harness.peer_training import train_peer
from benchmarks.harness.training import Steps, Work, train_lingmix, work_of
from benchmarks.harness.xquad_r import monolingual_pairs
from lingmix.assembly.parts import load_training_pairs
from lingmix.cli.config import build
from lingmix.data.training_pairs import TrainingPairs
from lingmix.model.precision import fastest_device, fastest_precision
from lingmix.model.transformer import quiet
from lingmix.model.unigram import SAMPLE

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
PEER = "sentence-transformers"
FLOAT32 = "32-true"
TOLERANCE = 1e-3
"""Of a step's loss in float32."""

COARSE = 0.05
"""Where a side multiplies in bf16."""

ROUNDS = int(os.environ.get("LINGMIX_BENCH_ROUNDS", "3"))
STEPS, CURVE_STEPS, STATIC_STEPS = 10, 24, 60
WARM_UP = 3

Side = Callable[[Path], Steps]
Measured = dict[str, list[Steps]]


def compare() -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as temporary, quiet():
        folder = Path(temporary)
        pairs = monolingual_pairs()
        save_encoder(folder / "encoder", pairs.sample_texts(SAMPLE))
        rows = _transformer_rows(folder, pairs)
        rows += _experiment_rows(folder / "experiment")
        return [*rows, *_static_rows(folder / "experiment")]


def _transformer_rows(folder: Path, pairs: TrainingPairs) -> list[Row]:
    rows: dict[str, list[Row]] = {}
    for precision in dict.fromkeys((FLOAT32, fastest_precision())):
        exact = precision == FLOAT32
        steps, rounds = (CURVE_STEPS, 1) if exact else (STEPS, ROUNDS)
        config = configured(
            "sampler=monolingual",
            "optimizer.weight_decay=0",
            "optimizer.warmup=0",
            f"trainer.max_steps={steps}",
            f"trainer.precision={precision}",
        )
        work = work_of(config, pairs)
        measured = _measured(_sides(work, folder), folder, rounds=rounds)
        _check(measured, tolerance=TOLERANCE if exact else COARSE)
        rows[precision] = _rows(f"4 layers x 256, {precision}", measured, work)
    (untouched, *_), (chosen, *_) = rows[FLOAT32], rows[fastest_precision()]
    case = f"4 layers x 256, each as it comes: {fastest_precision()}, peer {FLOAT32}"
    return [*chain(*rows.values()), replace(untouched, case=case, ours=chosen.ours)]


def _sides(work: Work, folder: Path) -> dict[str, Side]:
    encoder = folder / "encoder"

    def peer(attention: str | None, at: Path) -> Steps:
        chosen = {"attn_implementation": attention} if attention else {}
        device = str(fastest_device("auto"))
        model = SentenceTransformer(str(encoder), device=device, model_kwargs=chosen)
        return train_peer(work, model, folder=at)

    return {
        "ours": lambda at: train_lingmix(work, loaded(encoder), cache=at / "tokens"),
        "as it comes": partial(peer, None),
        "eager attention": partial(peer, "eager"),
    }


def _static_rows(output_dir: Path) -> list[Row]:
    config = configured(
        "experiment=xquad_r_static",
        f"output_dir={output_dir}",
        f"data_dir={DATA}",
        f"trainer.max_steps={STATIC_STEPS}",
    )
    pairs, _ = load_training_pairs(config, held_out=[])
    texts = pairs.sample_texts(SAMPLE)
    cache = output_dir / "cache"
    make = partial(build(config["encoder"]), texts=texts, cache=cache, seed=config["seed"])
    folder = output_dir / "static"
    make().save(folder)
    work = work_of(config, pairs)

    def peer(at: Path) -> Steps:
        model = SentenceTransformer(str(folder), device=str(fastest_device("auto")))
        return train_peer(work, model, folder=at)

    measured = _measured(
        {
            "ours": lambda _: train_lingmix(work, make(), cache=cache / "tokens"),
            "as it comes": peer,
        },
        output_dir,
        rounds=ROUNDS,
    )
    _check(measured, tolerance=COARSE, steps=1)
    return _rows(f"static x {config['encoder']['scratch']['dimension']}", measured, work)


def _measured(sides: Mapping[str, Side], folder: Path, *, rounds: int) -> Measured:
    measured: Measured = {side: [] for side in sides}
    for number in range(1, rounds + 1):
        for side, train in sides.items():
            steps = train(folder)
            measured[side].append(steps)
            took = steps.seconds(warm_up=WARM_UP)
            print(f"  round {number} of {rounds}, {side}: {took:.3g} s a step", flush=True)
    return measured


def _check(measured: Measured, *, tolerance: float, steps: int | None = None) -> None:
    """Of the first steps, None: of all."""
    ours = np.array(measured["ours"][0].losses[:steps])
    for side, rounds in measured.items():
        apart = np.abs(np.array(rounds[0].losses[:steps]) - ours)
        if apart.max() > tolerance:
            raise AssertionError(
                f"the loss of step {apart.argmax()} is {apart.max():.5f} from ours with the peer "
                f"{side}, so the two did not do the same work"
            )


def _rows(what: str, measured: Measured, work: Work) -> list[Row]:
    size = work.schedule.batch_size
    rate = {
        side: size / median(steps.seconds(warm_up=WARM_UP) for steps in rounds)
        for side, rounds in measured.items()
    }
    return [
        Row(
            case=f"{what}, batch {size}; peer {side}",
            ours=rate["ours"],
            peer=peer,
            peer_name=named(PEER),
            unit="pairs/s",
            more_is_better=True,
        )
        for side, peer in rate.items()
        if side != "ours"
    ]


@dataclass(frozen=True)
class Command:
    """Seconds of the parts of a run of lingmix-train."""

    preparation: float
    training: float
    rest: float


def _experiment_rows(output_dir: Path) -> list[Row]:
    cold, warm = (_run(output_dir, store=store) for store in ("first", "second"))
    case = "experiment=xquad_r_static, 600 steps"
    return [
        Row(case=f"{case}: training, nothing cached", ours=cold.training, unit="s"),
        Row(case=f"{case}: training, again", ours=warm.training, unit="s"),
        Row(case=f"{case}: preparation, nothing cached", ours=cold.preparation, unit="s"),
        Row(
            case=f"{case}: preparation, all cached",
            ours=warm.preparation,
            unit="s",
        ),
        Row(case=f"{case}: evaluation, recording, end", ours=warm.rest, unit="s"),
    ]


def _run(output_dir: Path, *, store: str) -> Command:
    uri = f"sqlite:///{output_dir}/{store}.db"
    command = [
        *(sys.executable, "-m", "lingmix.train", "experiment=xquad_r_static"),
        "data=parallel",
        *(f"output_dir={output_dir}", f"data_dir={DATA}", f"tracking.uri={uri}"),
        "trainer.enable_progress_bar=false",
    ]
    began = time.time()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    ended = time.time()
    client = MlflowClient(uri)
    (run,) = client.search_runs([one.experiment_id for one in client.search_experiments()])
    recorded = [
        client.get_metric_history(run.info.run_id, metric)[-1].timestamp / 1000
        for metric in run.data.metrics
        if metric.startswith(("train/", "val/"))
    ]
    started, last = run.info.start_time / 1000, max(recorded)
    print(f"  experiment, {store}: {started - began:.3g} s + {last - started:.3g} s", flush=True)
    return Command(preparation=started - began, training=last - started, rest=ended - last)
