"""What tracking costs a training, and what it costs a run.

The same training, logged every `trainer.log_every_n_steps` as it comes (LINGMIX_BENCH_LOG_EVERY
says otherwise), with no tracking at all and with its record going to a SQLite file, to an MLflow
server on loopback, to one that hangs (stopped, its port still open) and to one that is not there.
Sides take turns, all in one process. The final weights of all must be equal, bit for bit.

Beside the wall time of the training stands the processor time of all its threads, and that of the
thread which sends alone, as a share of the training's time: other programs disturb it least. The
server, which stands on the same machine here, is in the wall time alone.

What a run costs on top: until the store has taken its beginning, and until it has its end.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil
import torch

from benchmarks.harness.comparison import FOLDER, Row
from benchmarks.harness.configured import configured
from benchmarks.harness.server import Server, free_port
from lingmix.assembly.fit import fit
from lingmix.assembly.parts import prepare
from lingmix.cli.config import Config
from lingmix.signals import Stop
from lingmix.tracking.identity import HASH
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.outbox.sender import open_outbox
from lingmix.training.rank_group import RankGroup

ROUNDS = int(os.environ.get("LINGMIX_BENCH_ROUNDS", "5"))
STEPS = int(os.environ.get("LINGMIX_BENCH_STEPS", "200"))
LOG_EVERY = int(os.environ.get("LINGMIX_BENCH_LOG_EVERY", "10"))
NONE = "no tracking"
SQLITE, SERVER, HANGING, ABSENT = (
    "SQLite",
    "an MLflow server",
    "a server that hangs",
    "a server that is not there",
)


class Cost(NamedTuple):
    """Seconds of each part; the training's also its processor time, and of it that of sending."""

    begin: float
    training: float
    processor: float
    sending: float
    end: float


def compare() -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    costs: dict[str, list[Cost]] = {side: [] for side in (NONE, SQLITE, SERVER, HANGING, ABSENT)}
    with TemporaryDirectory(dir=FOLDER) as temporary, served(Path(temporary, "server")) as server:
        folder = Path(temporary)
        uris = {
            NONE: None,
            SQLITE: f"sqlite:///{folder}/mlflow.db",
            SERVER: server.uri,
            HANGING: server.uri,
            ABSENT: f"http://127.0.0.1:{free_port()}",
        }
        config = configured(
            f"output_dir={folder}",
            "data.development=null",
            f"trainer.max_steps={STEPS}",
            f"trainer.log_every_n_steps={LOG_EVERY}",
            "trainer.enable_progress_bar=false",
        )
        weights = measured(config, folder=folder, uri=None, side="warm-up", server=server)[1]
        for number in range(1, ROUNDS + 1):
            for side, uri in uris.items():
                name = f"{side} {number}"
                cost, ended = measured(config, folder=folder, uri=uri, side=name, server=server)
                check(weights, ended, side)
                costs[side].append(cost)
                print(f"  round {number} of {ROUNDS}, {side}: {cost.training:.3f} s", flush=True)
    return rows(costs)


def measured(
    config: Config, *, folder: Path, uri: str | None, side: str, server: Server
) -> tuple[Cost, dict[str, torch.Tensor]]:
    work = folder / "runs" / side.replace(" ", "-")
    parts = prepare(config)
    hangs = side.startswith(HANGING)
    began = time.perf_counter()
    with recording(uri, work=work, name=side, config=config) as recorder:
        if hangs:
            server.tell(signal.SIGSTOP)
        trained, processor = time.perf_counter(), time.process_time()
        fit(
            parts,
            config=config,
            configuration={},
            recorder=recorder,
            work=work,
            ranks=RankGroup(None, rank=0, started=None),
            stop=Stop(),
        )
        ended, processor_ended = time.perf_counter(), time.process_time()
        sending = processor_of("sender")
    cost = Cost(
        begin=trained - began,
        training=ended - trained,
        processor=processor_ended - processor,
        sending=sending,
        end=time.perf_counter() - ended,
    )
    if hangs:
        server.tell(signal.SIGCONT)
    return cost, parts.module.state_dict()


def processor_of(name: str) -> float:
    """Seconds, of the threads of this name."""
    ids = {thread.native_id for thread in threading.enumerate() if thread.name == name}
    threads = [thread for thread in psutil.Process().threads() if thread.id in ids]
    return sum(thread.user_time + thread.system_time for thread in threads)


def recording(
    uri: str | None, *, work: Path, name: str, config: Config
) -> AbstractContextManager[RunRecorder | None]:
    if uri is None:
        return nullcontext()
    return open_outbox(
        uri,
        folder=work,
        experiment="overhead",
        output_dir=work.parents[1],
        run={"name": name, "params": config, "tags": {HASH: name}, "parent": None},
        wait=0.0 if name.startswith((HANGING, ABSENT)) else 60.0,
    )


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    folder.mkdir()
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def check(
    weights: Mapping[str, torch.Tensor], ended: Mapping[str, torch.Tensor], side: str
) -> None:
    for name, tensor in weights.items():
        if not torch.equal(tensor, ended[name]):
            raise AssertionError(f"{side}: {name} has ended otherwise than without tracking")


def rows(costs: Mapping[str, list[Cost]]) -> list[Row]:
    middle = {
        side: Cost(*(median(part) for part in zip(*of, strict=True))) for side, of in costs.items()
    }
    plain = middle.pop(NONE)
    steps = f"{STEPS} steps, every {LOG_EVERY} logged"
    found = []
    for side, cost in middle.items():
        for what, ours, peer in (
            ("training", cost.training, plain.training),
            ("processor time of it", cost.processor, plain.processor),
        ):
            case = f"{what}, {steps}; {side}"
            found.append(Row(case=case, ours=ours, peer=peer, peer_name=NONE, unit="s"))
        share = 100 * cost.sending / cost.training
        found.append(Row(case=f"of it that which sends; {side}", ours=share, unit="%"))
    for side in (SQLITE, SERVER):
        found.append(Row(case=f"a run's beginning; {side}", ours=middle[side].begin, unit="s"))
        found.append(Row(case=f"a run's end; {side}", ours=middle[side].end, unit="s"))
    return found
