"""A run as far as its record goes."""

from collections.abc import Callable
from pathlib import Path

from lingmix.cli.config import Config
from lingmix.tracking.identity import RunIdentity
from lingmix.tracking.run import find_complete, record_run
from lingmix.tracking.run_folder import empty_folder, run_folder


def command(
    config: Config, identity: RunIdentity, *, trained: Callable[[], None] = lambda: None
) -> bool:
    """What a training does beside its work; False where it was complete already. Calls `trained`
    when nothing but its end is left to record."""
    with run_folder(config, identity.hash) as work:
        if find_complete(config, identity, work=work):
            return False
        record(config, identity, work, trained=trained)
    return True


def record(
    config: Config,
    identity: RunIdentity,
    work: Path,
    *,
    trained: Callable[[], None] = lambda: None,
    stops_after: int | None = None,
) -> None:
    with record_run(
        config,
        identity,
        name="run",
        command=["lingmix-train"],
        precision="32-true",
        work=work,
    ) as recorder:
        for step in (1, 2, 3):
            recorder.log_metrics({"train/loss": 1 / step, "val/map": step / 4}, step)
            if step == stops_after:
                raise KeyboardInterrupt
        left = empty_folder(work / "left")
        (left / "model").mkdir()
        (left / "scores.json").write_text('{"map": 0.5}')
        (left / "model" / "weights").write_bytes(bytes(range(256)))
        recorder.log_files(left)
        recorder.log_metrics({"test/set/monolingual/map": 0.5})
        trained()
