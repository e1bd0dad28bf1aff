"""Commands in processes that are forked from one which has imported what they and their cells need.

What cells print to standard error is not seen: for that, start the command itself.
"""

import multiprocessing
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from operator import methodcaller
from pathlib import Path
from pkgutil import resolve_name
from subprocess import CompletedProcess

PRELOADED = ["lingmix.commands.train", "lingmix.sweep.local", "torch.distributed.run"]
PRELOADED += ["tests.commands"]

RANK = str(Path(__file__).with_name("rank.py"))
TORCHRUN = ("--standalone", "--nproc-per-node=2", "--start-method=fork", "--run-path", RANK)
"""Arguments of torchrun, before those of lingmix-train, that make it fork its ranks too."""


class Forked:
    """A command under way, as `subprocess.Popen` has it."""

    def __init__(self, place: str, *arguments: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        ours, theirs = zip(*(context.Pipe(duplex=False) for _ in range(2)), strict=True)
        self._process = context.Process(target=_main, args=(place, arguments, theirs))
        self._process.start()
        for stream in theirs:
            stream.close()
        self.pid = self._process.pid
        self.stdout, self.stderr = (os.fdopen(os.dup(stream.fileno())) for stream in ours)

    def poll(self) -> int | None:
        return self._process.exitcode

    returncode = property(poll)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        with ThreadPoolExecutor(2) as pool, self.stdout, self.stderr:
            said, wrong = pool.map(
                methodcaller("read"), (self.stdout, self.stderr), timeout=timeout
            )
            self._process.join(timeout)
        return said, wrong


def command(name: str, *arguments: str) -> CompletedProcess[str]:
    """`lingmix-NAME ARGUMENTS`, to its end."""
    process = Forked(f"lingmix.{name}:main", *arguments)
    said, wrong = process.communicate()
    return CompletedProcess([name, *arguments], process.returncode, said, wrong)


def torchrun(*arguments: str) -> Forked:
    return Forked("torch.distributed.run:main", *arguments)


def _main(place: str, arguments: tuple[str, ...], streams: tuple[Connection, ...]) -> None:
    for number, stream in enumerate(streams, 1):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", 1)
    # a sweep forks its cells from the same process
    forkserver.ensure_running = forkserver._forkserver.ensure_running = lambda: None
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    sys.argv = [place.partition(":")[0].replace("lingmix.", "lingmix-"), *arguments]
    resolve_name(place)()
