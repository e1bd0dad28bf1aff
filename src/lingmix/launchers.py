"""Detection of the launcher of this process, torchrun or srun, by its environment variables."""

import os
import sys
import time
from typing import Literal, NoReturn

from lingmix.errors import InputError

Launcher = Literal["torchrun", "srun"]

TORCHRUN, SRUN = "TORCHELASTIC_RUN_ID", "SLURM_NTASKS"
RANK_OF: dict[Launcher, str] = {"torchrun": "RANK", "srun": "SLURM_PROCID"}

INTERACTIVE_JOBS = ("bash", "interactive")
"""Names of Slurm jobs that are interactive shells, as Lightning defines them."""

RANK_VARIABLES = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK"),
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"),
    *("JSM_NAMESPACE_RANK", "JSM_NAMESPACE_LOCAL_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK"),
)
SIZE_VARIABLES = (
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE"),
    *("JSM_NAMESPACE_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"),
)
RENDEZVOUS_VARIABLES = ("MASTER_ADDR", "MASTER_PORT")

PRINTING = 10.0
"""Seconds within which rank 0 has printed an error that all ranks meet."""


def detect_launcher() -> Launcher | None:
    """Return the launcher of this process, None for a single process.

    In a single process, leftover rank variables, as of mpirun or an earlier torchrun, are removed:
    PyTorch and Lightning would believe them, and a rank above 0 records nothing. Raises InputError
    where they contradict a single process, or a launcher's variables each other.
    """
    if TORCHRUN in os.environ:
        _refuse_impossible(TORCHRUN, rank="RANK", size="WORLD_SIZE", others=("LOCAL_RANK",))
        return "torchrun"
    if {SRUN, "SLURM_PROCID"} <= os.environ.keys() and _is_batch():
        others = () if os.environ[SRUN] == "1" else ("SLURM_LOCALID", "SLURM_NODEID")
        _refuse_impossible(SRUN, rank="SLURM_PROCID", size=SRUN, others=others)
        return "srun"
    for names, single in ((RANK_VARIABLES, "0"), (SIZE_VARIABLES, "1")):
        for name in names:
            if os.environ.get(name, single) != single:
                raise InputError(
                    f"{name}: must be unset, or {single}, in a process that neither torchrun nor "
                    f"srun has started, got {os.environ[name]!r}; run `unset {name}`"
                )
    for name in (*RANK_VARIABLES, *SIZE_VARIABLES, *RENDEZVOUS_VARIABLES):
        os.environ.pop(name, None)
    return None


def is_follower() -> bool:
    """Whether this process has a rank above 0."""
    try:
        found = detect_launcher()
    except InputError:
        return False
    return found is not None and os.environ[RANK_OF[found]] != "0"


def exit_after_rank_0() -> NoReturn:
    """Exit with status 1 and print nothing, late enough for rank 0 to print the error: with the
    first process that fails torchrun ends all others."""
    time.sleep(PRINTING)
    sys.exit(1)


def _is_batch() -> bool:
    return os.environ.get("SLURM_JOB_NAME") not in INTERACTIVE_JOBS


def _refuse_impossible(variable: str, *, rank: str, size: str, others: tuple[str, ...]) -> None:
    """Raise InputError for impossible ranks; `variable` is what identifies the launcher."""
    for name in (rank, size, *others):
        if not os.environ.get(name, "").isdecimal():
            raise InputError(
                f"{name}: must be a whole number where {variable} is set, got "
                f"{os.environ.get(name)!r}; start the command anew, or unset {variable}"
            )
    if int(os.environ[rank]) >= int(os.environ[size]):
        raise InputError(
            f"{rank}: must be below {size} ({os.environ[size]}), got {os.environ[rank]}; start the "
            f"command anew, or unset {variable}"
        )
