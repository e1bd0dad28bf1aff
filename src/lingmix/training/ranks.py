"""One run in several processes that a launcher (torchrun, srun) has started; rank 0 prints."""

import atexit
import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import timedelta

import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.rank_zero import rank_zero_only
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from lingmix.errors import InputError
from lingmix.launchers import detect_launcher, exit_after_rank_0
from lingmix.training.rank_group import ARRIVAL, RankGroup, torchrun_serves_the_store


@contextmanager
def launched() -> Iterator[RankGroup]:
    """Yields the ranks of this run; the block ends on all of them together. Ranks other than 0
    print and log nothing."""
    environment = _environment()
    started = environment.world_size() if environment else None
    _set_rank(environment)
    if environment is None or started == 1:
        yield RankGroup(None, rank=0, started=started)
        return
    rank = environment.global_rank()
    ranks = RankGroup(_store(environment), rank=rank, started=started)
    if rank == 0:
        atexit.register(ranks.error_is_printed)
    with _silent() if rank else nullcontext(), ranks:
        yield ranks


def environments() -> list[ClusterEnvironment]:
    """Returns the environment that Lightning must use, as a plugin: it would find others too, and
    under Slurm one that handles signals."""
    return [_environment() or LightningEnvironment()]


def refuse_sweep() -> None:
    """Raises InputError where a launcher has started several processes of a sweep."""
    with launched() as ranks:
        if ranks.count > 1:
            raise InputError(
                "-m: a sweep starts its own processes; start it without torchrun or srun, or its "
                "runs one by one with it"
            )


def refuse_several(command: str, *, where: str) -> None:
    """Raises InputError on rank 0 where a launcher has started several processes of a command that
    is one process `where` so it is; the others exit."""
    environment = _environment()
    if environment is None or environment.world_size() == 1:
        return
    if environment.global_rank():
        exit_after_rank_0()
    raise InputError(
        f"lingmix-{command} is one process where {where}, the launcher has started "
        f"{environment.world_size()}; start it without torchrun or srun"
    )


def sharing_rank() -> int:
    """Returns the rank of a process that shares work with the launcher's others without meeting
    them. Of several GPUs it takes its own."""
    environment = _environment()
    _set_rank(environment)
    if environment is None:
        return 0
    if torch.cuda.is_available():
        torch.cuda.set_device(environment.local_rank() % torch.cuda.device_count())
    return environment.global_rank()


@contextmanager
def following() -> Iterator[None]:
    """Work of a rank above 0 that does not meet the others: it prints nothing, and bad input is
    left to rank 0 to report, which meets it too."""
    try:
        with _silent():
            yield
    except InputError as error:
        if isinstance(error.__cause__, OSError):
            raise
        exit_after_rank_0()


def _environment() -> ClusterEnvironment | None:
    warnings.filterwarnings("ignore", message="The `srun` command is available")
    try:
        match detect_launcher():
            case "torchrun":
                return TorchElasticEnvironment()
            case "srun":
                return SLURMEnvironment(auto_requeue=False)
            case None:
                return None
    except RuntimeError as error:
        raise InputError(f"srun: {' '.join(str(error).split())}") from error


def _set_rank(environment: ClusterEnvironment | None) -> None:
    """Replaces the rank that Lightning took from an environment variable when it was imported."""
    rank_zero_only.rank = environment.global_rank() if environment else 0  # type: ignore[attr-defined]


def _store(environment: ClusterEnvironment) -> Store:
    """Connects to torchrun's store, or to one of rank 0 on the port that training's will share."""
    rank, address = environment.global_rank(), environment.main_address
    try:
        store = TCPStore(
            address,
            environment.main_port,
            is_master=rank == 0 and not torchrun_serves_the_store(),
            timeout=timedelta(seconds=ARRIVAL),
            wait_for_workers=False,
            multi_tenant=True,
        )
    except RuntimeError as error:
        raise InputError(
            f"MASTER_PORT: the processes cannot meet at {address}:{environment.main_port} "
            f"({str(error).splitlines()[0]}); name a free port"
        ) from error
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return PrefixStore(f"lingmix {attempt}", store)


@contextmanager
def _silent() -> Iterator[None]:
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
