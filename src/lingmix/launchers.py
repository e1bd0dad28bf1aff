"""Which launcher started this process, by the variables that it set; those of another are not
believed."""

import os
from typing import Literal

from lingmix.errors import InputError

Launcher = Literal["torchrun", "srun"]

TORCHRUN, SRUN = "TORCHELASTIC_RUN_ID", "SLURM_NTASKS"
RANK_OF: dict[Launcher, str] = {"torchrun": "RANK", "srun": "SLURM_PROCID"}

INTERACTIVE = ("bash", "interactive")
"""Names of Slurm jobs that are a person's shell: Lightning's rule."""

RANKS = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK"),
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"),
    *("JSM_NAMESPACE_RANK", "JSM_NAMESPACE_LOCAL_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK"),
)
SIZES = (
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE"),
    *("JSM_NAMESPACE_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"),
)
MEETING = ("MASTER_ADDR", "MASTER_PORT")


def detect_launcher() -> Launcher | None:
    """None: the process is alone. Then variables that torchrun, mpirun or a shell of theirs left
    behind are removed where they say the same, and refused where they do not: PyTorch and Lightning
    would believe them, and a rank above 0 records nothing."""
    if TORCHRUN in os.environ:
        _refuse_impossible(TORCHRUN, rank="RANK", size="WORLD_SIZE", others=("LOCAL_RANK",))
        return "torchrun"
    if {SRUN, "SLURM_PROCID"} <= os.environ.keys() and _is_batch():
        others = () if os.environ[SRUN] == "1" else ("SLURM_LOCALID", "SLURM_NODEID")
        _refuse_impossible(SRUN, rank="SLURM_PROCID", size=SRUN, others=others)
        return "srun"
    for names, alone in ((RANKS, "0"), (SIZES, "1")):
        for name in names:
            if os.environ.get(name, alone) != alone:
                raise InputError(
                    f"{name}: must be unset, or {alone}, in a process that neither torchrun nor "
                    f"srun has started, got {os.environ[name]!r}; run `unset {name}`"
                )
    for name in (*RANKS, *SIZES, *MEETING):
        os.environ.pop(name, None)
    return None


def is_follower() -> bool:
    """Whether the launcher says that this process has a rank above 0."""
    try:
        found = detect_launcher()
    except InputError:
        return False
    return found is not None and os.environ[RANK_OF[found]] != "0"


def _is_batch() -> bool:
    return os.environ.get("SLURM_JOB_NAME") not in INTERACTIVE


def _refuse_impossible(variable: str, *, rank: str, size: str, others: tuple[str, ...]) -> None:
    """`variable` says which launcher it was."""
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
