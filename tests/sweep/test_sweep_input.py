"""What a sweep says of bad input, of another sweep beside it, and of a store that fails it."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE

import pytest
from benchmarks.harness.server import Server
from filelock import FileLock
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient

from lingmix.cli.config import CONF, resolved
from lingmix.errors import InputError
from lingmix.sweep.local import run_locally
from lingmix.tracking.history import complete_runs, runs
from lingmix.tracking.identity import HASH, config_hash
from lingmix.tracking.lifecycle import KIND, STATE
from tests.commands import Forked, command
from tests.conftest import QUICK
from tests.events import HANGS, until
from tests.rounds import ROUNDS
from tests.unreliable import GONE, unreliable

TRAIN = str(Path(sys.executable).parent / "lingmix-train")
CELL = [*QUICK, "tracking.code=tested", "encoder.scratch.layers=1"]
"""The same while the sources are edited."""


class Sweep:
    """One command, in an experiment of its own."""

    def __init__(self, output_dir: Path, name: str, *overrides: str, uri: str | None = None):
        self.output_dir, self.name = output_dir, name
        self.uri = uri or f"sqlite:///{output_dir}/mlflow.db"
        at = [f"tracking.uri='{uri}'"] if uri else []
        self.command = [TRAIN, "-m", f"output_dir={output_dir}", f"name={name}", *at, *overrides]

    def start(self, *before: str) -> subprocess.Popen[str]:
        """`before` starts the command."""
        command = [*before, *self.command]
        return subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True)

    def fork(self) -> Forked:
        return Forked("lingmix.train:main", *self.command[1:])

    def run(self, *before: str) -> tuple[int, str, str]:
        return ended(self.start(*before) if before else self.fork())

    @property
    def experiment(self) -> str | None:
        found = MlflowClient(self.uri).get_experiment_by_name(self.name)
        return found and found.experiment_id

    @property
    def parent(self):
        (parent,) = runs(MlflowClient(self.uri), self.experiment, f"tags.`{KIND}` = 'sweep'")
        return parent

    @property
    def complete(self) -> dict[str, str]:
        return complete_runs(MlflowClient(self.uri), self.experiment)

    @property
    def cells(self) -> list[str]:
        found = runs(MlflowClient(self.uri), self.experiment, f"tags.`{HASH}` != ''")
        return [run.info.run_name for run in found]


def ended(process: subprocess.Popen[str] | Forked) -> tuple[int, str, str]:
    said, wrong = process.communicate(timeout=HANGS)
    return process.returncode, said, wrong


def identity(sweep: Sweep) -> str:
    """Of the one cell of it."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return config_hash(resolved(compose("train", sweep.command[2:])))


def files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if text.encode() in content(path)]


def content(path: Path) -> bytes:
    """Nothing, of a folder and of a file that has been renamed since it was listed."""
    try:
        return path.read_bytes()
    except (IsADirectoryError, FileNotFoundError):
        return b""


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "sampler.alpa=0,1",
            "there is no key sampler.alpa; the nearest is sampler.alpha; "
            "`lingmix-train --cfg job` shows all there are",
        ),
        ("sampler.alpha=1,high", "sampler.alpha: must be in [0, 1], got 'high'"),
        ("encoder.compile=perhaps", "encoder.compile: must be true or false, got 'perhaps'"),
        ("seed=[0,1]", "seed: must be a whole number in [0, 4294967295], got [0, 1]"),
        ("sampler=hybrid,mono", "configuration: In 'train': Could not find 'sampler/mono'"),
        ("seed=[0,1", "seed=[0,1: must be KEY=VALUE as Hydra reads it (no viable alternative"),
    ],
)
def test_a_key_or_value_that_cannot_be_is_one_line_and_nothing_is_recorded(
    tmp_path, override, told
):
    status, said, wrong = Sweep(tmp_path, "wrong", *QUICK, override).run()
    assert (status, said) == (1, "")
    assert wrong.startswith(f"lingmix-train: {told}")
    assert wrong.count("\n") == 1
    assert [*tmp_path.iterdir()] == []


def test_a_run_of_its_own_says_as_much_of_a_wrong_key_or_value(tmp_path):
    for override, told in (
        ("loss.temprature=1", "there is no key loss.temprature; the nearest is"),
        (
            "trainer.max_steps=many",
            "trainer.max_steps: must be a whole number of at least 1, got",
        ),
    ):
        sweep = Sweep(tmp_path, "wrong", *QUICK, override)
        sweep.command.remove("-m")
        status, _, wrong = sweep.run()
        assert status == 1
        assert wrong.startswith(f"lingmix-train: {told}")
        assert wrong.count("\n") == 1
    assert [*tmp_path.iterdir()] == []


@pytest.mark.chaos
def test_a_cell_waits_for_another_process_at_work_on_it_and_is_complete_then(output_dir):
    sweep = Sweep(output_dir, "waits", *CELL, "seed=0")
    folder = output_dir / "runs" / "waits"
    folder.mkdir(parents=True)
    with FileLock(folder / f"{identity(sweep)}.lock"):
        process = sweep.fork()
        told = "another process is at work on this configuration; this cell waits for it"
        assert any(told in line for line in process.stdout)
        refused = command("train", *sweep.command[2:])
        assert refused.returncode == 1
        assert "another process is at work on this configuration; wait for it" in refused.stderr
        assert process.poll() is None
    status, _, wrong = ended(process)
    assert status == 0, wrong
    assert len(sweep.complete) == 1


def test_a_sweep_of_other_cells_of_the_same_keys_waits_its_turn(output_dir):
    one = Sweep(output_dir, "turns", *CELL, "seed=0,1")
    other = Sweep(output_dir, "turns", *CELL, "seed=1,2")
    first = one.fork()
    until(lambda: [*(output_dir / "runs" / "turns").glob("*/journal.jsonl")], process=first)
    first.send_signal(signal.SIGSTOP)
    second = other.fork()
    line = second.stdout.readline()
    assert (
        line
        == "another process is at work on other cells of this sweep of 'turns'; waiting for it\n"
    )
    first.send_signal(signal.SIGCONT)
    status, said, wrong = ended(second)
    assert status == 0, wrong
    assert "2 cells, 1 complete, 1 to run" in said
    assert ended(first)[0] == 0
    assert len(one.complete) == len(one.cells) == 3
    assert one.parent.data.tags[STATE] == "complete"


@pytest.mark.chaos
def test_a_full_disk_ends_a_sweep_in_one_line_and_the_same_command_goes_on(output_dir):
    """No file may hold more than 16 MB; weights of 6 MB take 18 MB with what Adam keeps."""
    if not shutil.which("prlimit"):
        pytest.skip("there is no prlimit here")
    large = ["encoder.scratch.vocabulary=6000", "encoder.scratch.dimension=256"]
    kept = "checkpoint.every_steps=2"
    sweep = Sweep(output_dir, "full-disk-sweep", *QUICK, *large, kept, "seed=0")
    status, _, wrong = sweep.run("prlimit", "--fsize=16000000")
    assert status == 1
    assert "Traceback" not in wrong
    assert "1 of 1 cells failed (first: output_dir: " in wrong
    assert "does not fit into" in wrong
    assert sweep.parent.data.tags[STATE] == "failed"
    status, _, wrong = sweep.run()
    assert status == 0, wrong
    assert sweep.parent.data.tags[STATE] == "complete"


def mounted(*mounts: str) -> list[str]:
    """Starts a command in a mount namespace of its own, where root too may not write, or where a
    disk is small; skips where there can be none."""
    space = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*space, mounts[0]], check=False).returncode:
        pytest.skip("no mount namespace can be made here")
    return [*space, " && ".join([*mounts, 'exec "$0" "$@"'])]


def read_only_at(path: Path) -> list[str]:
    return mounted(f"mount --bind {path} {path}", f"mount -o remount,ro,bind {path}")


def test_a_disk_that_has_no_room_for_the_store_either_ends_a_sweep_in_one_line(tmp_path):
    sweep = Sweep(tmp_path, "no-room", *CELL, "seed=0")
    status, _, wrong = sweep.run(*mounted(f"mount -t tmpfs -o size=1m tmpfs {tmp_path}"))
    assert status == 1
    assert "Traceback" not in wrong
    assert wrong.splitlines()[-1].startswith("lingmix-train: ")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """The file of one that is there already."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.mark.parametrize("read_only", ["its file", "its folder"])
def test_a_store_that_is_read_only_is_refused_in_one_line(store, tmp_path, read_only):
    where = store if read_only == "its file" else store.parent
    sweep = Sweep(tmp_path, "read-only", *QUICK, "seed=0,1", uri=f"sqlite:///{store}")
    status, said, wrong = sweep.run(*read_only_at(where))
    assert (status, said) == (1, "")
    assert wrong == (
        f"lingmix-train: tracking.uri: the store sqlite:///{store} cannot be written to; have its "
        "file and folder made writable, or choose another store\n"
    )
    assert sweep.experiment is None


def test_an_output_dir_that_is_read_only_is_refused_in_one_line(tmp_path):
    sweep = Sweep(tmp_path, "read-only", *QUICK, "seed=0,1")
    status, said, wrong = sweep.run(*read_only_at(tmp_path))
    assert (status, said) == (1, "")
    assert wrong == (
        f"lingmix-train: {tmp_path}/runs: cannot be written (Read-only file system); make room, "
        "or have it made writable, or choose another output_dir\n"
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


def with_password(uri: str) -> str:
    return uri.replace("http://", "http://me:s3cret@")


def test_a_sweep_whose_server_is_absent_from_the_beginning_is_refused_in_one_line(server, tmp_path):
    server.kill()
    sweep = Sweep(tmp_path, "absent", *QUICK, "seed=0,1", uri=with_password(server.uri))
    status, said, wrong = sweep.run()
    assert (status, said) == (1, "")
    shown = server.uri.replace("http://", "http://***@")
    assert wrong.startswith(f"lingmix-train: tracking.uri: no MLflow server answers at {shown} (")
    assert wrong.endswith("start it, or leave tracking.uri at its default, a local file\n")
    assert wrong.count("\n") == 1


def test_no_process_of_a_sweep_shows_the_password_of_its_store(server, tmp_path):
    """Neither the command, which is given it, nor a cell, nor a rank that a cell starts."""
    server.start()
    uri = with_password(server.uri)
    devices = ("trainer.devices=2", "trainer.max_steps=12", "checkpoint.every_steps=1")
    sweep = Sweep(tmp_path, "listed", *CELL, *devices, "seed=0", uri=uri)
    process = sweep.start()
    until(lambda: [*tmp_path.glob("runs/listed/*/state-*.ckpt")], process=process)
    listed = process_list()
    status, said, wrong = ended(process)
    assert status == 0, wrong
    assert f"output_dir={tmp_path}" in listed[process.pid]
    assert "tracking.uri=${oc.env:LINGMIX_TRACKING_URI}" in listed[process.pid]
    assert [line for line in listed.values() if "s3cret" in line] == []
    assert "s3cret" not in said + wrong


def process_list() -> dict[int, str]:
    """The arguments of every process of this machine, as `ps` shows them to everybody."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode()
    return found


CELL_BEGINS = ("/health", 4)
"""A sweep asks so three times before: to open its store, to begin, to say which cells it is of."""


@pytest.mark.chaos
@pytest.mark.parametrize("after", [0, 1, 4, 9][: max(1, ROUNDS // 2)])
def test_a_server_that_goes_away_during_a_sweep_misses_nothing_once_synced(server, tmp_path, after):
    """From a request of the first cell on. Nor does its password lie anywhere."""
    server.start()
    quick = ["tracking.wait=1", "hydra.launcher.processes=1", "pairs=all,[en-xx]"]
    with unreliable(server.uri) as proxy:
        uri = with_password(proxy.uri)
        proxy.arm(fault=GONE, at=1 + after, since=CELL_BEGINS)
        sweep = Sweep(tmp_path, tmp_path.name, *CELL, *quick, uri=uri)
        status, said, wrong = sweep.run()
        assert status == 1
        assert "Traceback" not in wrong
        last = wrong.splitlines()[-1]
        assert "how the sweep ended is not recorded" in last
        assert f"run `lingmix-sync output_dir={tmp_path}` to send pending records" in last
        assert "records are pending in" in said
        assert "is not recorded: tracking.uri: no MLflow server answers" in said
        assert files_with("s3cret", tmp_path) == []
        assert "s3cret" not in said + wrong
        proxy.repair()
        synced = (f"output_dir={tmp_path}", f"tracking.uri='{uri}'")
        assert command("sync", *synced).returncode == 0
        assert len(sweep.complete) == 1
        assert sweep.parent.data.tags[STATE] == "running"
        status, said, wrong = sweep.run()
        assert "2 cells, 1 complete, 1 to run" in said
        assert "1 of 2 cells failed (first: pairs" in wrong
        assert sweep.parent.data.tags[STATE] == "failed"
        assert files_with("s3cret", tmp_path) == []
        assert "s3cret" not in said + wrong


SLURM = [
    "launcher=slurm",
    "hydra.launcher.gpus_per_node=null",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.time=5",
]


@pytest.mark.slurm
def test_a_slurm_job_knows_the_password_of_the_store_and_no_file_does(server, tmp_path):
    server.start()
    uri = with_password(server.uri)
    sweep = Sweep(tmp_path, "slurm", *CELL, *SLURM, "tracking.wait=5", "seed=0", uri=uri)
    process = sweep.start()
    until(lambda: [*tmp_path.glob("runs/slurm/*/journal.jsonl")], process=process)
    assert [*tmp_path.glob("slurm/slurm/*")]
    assert files_with("s3cret", tmp_path) == []
    status, said, wrong = ended(process)
    assert status == 0, wrong
    assert "records are pending" not in said
    assert files_with("s3cret", tmp_path) == []
    assert "s3cret" not in said + wrong


@pytest.mark.parametrize("processes", [0, -1])
def test_fewer_processes_than_one_are_refused_in_one_line(processes):
    told = f"hydra.launcher.processes: must be at least 1, or null for .*, got {processes}$"
    with pytest.raises(InputError, match=told):
        next(run_locally([], "train", processes=processes))
