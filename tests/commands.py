"""Commands in processes that are forked from one which has imported what they and their cells need.

What cells print to standard error is not seen: for that, start the command itself.
"""

import multiprocessing
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from subprocess import CompletedProcess

PRELOADED = ["lingmix.commands.train", "lingmix.sweep.local", "tests.commands"]


def command(name: str, *arguments: str) -> CompletedProcess[str]:
    """`lingmix-NAME ARGUMENTS`, to its end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    ours, theirs = zip(*(context.Pipe(duplex=False) for _ in ("stdout", "stderr")), strict=True)
    process = context.Process(target=_main, args=(name, arguments, theirs))
    process.start()
    for stream in theirs:
        stream.close()
    with ThreadPoolExecutor() as pool:
        stdout, stderr = pool.map(_text, ours)
    process.join()
    return CompletedProcess([name, *arguments], process.exitcode, stdout, stderr)


def _text(stream: Connection) -> str:
    with os.fdopen(os.dup(stream.fileno())) as file:
        return file.read()


def _main(name: str, arguments: tuple[str, ...], streams: tuple[Connection, ...]) -> None:
    for number, stream in enumerate(streams, 1):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", 1)
    # a sweep forks its cells from the same process
    forkserver.ensure_running = forkserver._forkserver.ensure_running = lambda: None
    sys.argv = [f"lingmix-{name}", *arguments]
    resolve_name(f"lingmix.{name}:main")()
