"""The entry points of the commands: bad input ends one with one line, before heavy imports."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pkgutil import resolve_name

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lingmix.cli.config import CONF, checked
from lingmix.cli.failures import input_errors
from lingmix.cli.process_list import hide_secret
from lingmix.cli.reading import arguments
from lingmix.errors import InputError
from lingmix.launchers import (
    SRUN,
    TORCHRUN,
    detect_launcher,
    exit_after_rank_0,
    is_follower,
)
from lingmix.terminal import (
    exit_broken_pipe,
    exit_interrupted,
    exit_with_error,
    prepare_streams,
    say,
)


def entry_point(command: str, work: str, *, launched: bool = False) -> Callable[[], None]:
    """Return the main function of a console command.

    Hydra composes `conf/<command>.yaml` and the settings are checked; only then is `work`, a
    function by its place (`module:name`), imported with all that it needs, which takes seconds.
    The text that it returns is printed. `launched` says that a launcher may start the command
    several times: Lightning reads the launcher's variables when it is imported, so they are checked
    before. Bad input ends the command with its one line and status 1.
    """

    def guarded(config: DictConfig) -> None:
        with _one_line(command, of_all_ranks=True):
            _refuse_sweep_without_multirun(command)
            checked(config, command)
            if launched:
                detect_launcher()
        with _one_line(command):
            if text := resolve_name(work)(config):  # a rank above 0 says nothing
                say(text)

    composing = hydra.main(version_base="1.3", config_path=str(CONF), config_name=command)

    def main() -> None:
        prepare_streams()
        with _one_line(command, of_all_ranks=True):
            sys.argv[1:] = hide_secret(arguments(sys.argv[1:]))
        if {"-m", "--multirun"} & {*sys.argv[1:]} and {TORCHRUN, SRUN} & os.environ.keys():
            from lingmix.training.ranks import refuse_sweep  # noqa: PLC0415 - seconds of imports

            with _one_line(command):
                refuse_sweep()
        os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # its errors are reported here
        with _one_line(command, of_all_ranks=True):
            composing(guarded)()
            sys.stdout.flush()

    return main


@contextmanager
def _one_line(command: str, *, of_all_ranks: bool = False) -> Iterator[None]:
    """End the process with one line for an InputError.

    `of_all_ranks`: every rank of a run meets the same error, unless it is the machine's, so that
    only rank 0 prints it.
    """
    try:
        with input_errors(command):
            yield
    except BrokenPipeError:
        exit_broken_pipe()
    except KeyboardInterrupt:  # while no `stoppable` work is under way, such as imports
        exit_interrupted(f"lingmix-{command}: stopped")
    except InputError as error:
        if of_all_ranks and not isinstance(error.__cause__, OSError) and is_follower():
            exit_after_rank_0()
        exit_with_error(f"lingmix-{command}: {error}")


def _refuse_sweep_without_multirun(command: str) -> None:
    """Raise InputError for a sweep without `-m`, which Hydra would start as one ordinary run."""
    hydra_config = HydraConfig.get()
    swept = hydra_config.sweeper.get("params") or {}
    given = {override.partition("=")[0].lstrip("+") for override in hydra_config.overrides.task}
    left = ", ".join(key for key in swept if key not in given)
    if left or (hydra_config.runtime.choices.get("sweep") and not swept):
        cell = f"; or as one cell, with {left} given" if left else ""
        raise InputError(
            f"sweep: is a grid or a search, which one run is not; start it as `lingmix-{command} "
            f"-m ...`{cell}"
        )
