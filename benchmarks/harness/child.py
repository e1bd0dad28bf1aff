"""A measurement in a process of its own, which prints its figures as JSON."""

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.harness.search_once import status_mib

Figures = dict[str, float]


def figures_of(module: str, *arguments: object) -> Figures:
    """What the module prints, and `own`: its peak memory that is not a file's (RssAnon, looked at
    every 5 ms)."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    own = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as child:
        while child.poll() is None:
            own = max(own, status_mib("RssAnon", child.pid))
            time.sleep(0.005)
        output = child.communicate()[0]
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return {**json.loads(output.splitlines()[-1]), "own": own}
