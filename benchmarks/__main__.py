"""`python -m benchmarks [NAME ...]`: the comparisons named, or all of them."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.harness.comparison import Row, show, write
from lingmix.errors import InputError

KNOWN = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def main(names: Sequence[str]) -> int:
    unknown = sorted(set(names) - set(KNOWN))
    if unknown:
        print(f"NAME: must be one of {', '.join(KNOWN)}, got {', '.join(unknown)}", file=sys.stderr)
        return 2
    measured: dict[str, list[Row]] = {}
    missed = []
    for name in names or KNOWN:
        print(name, flush=True)
        try:
            measured[name] = import_module(f"benchmarks.{name}").compare()
        except InputError as error:
            missed.append(f"{name}: {error}")
            continue
        except ModuleNotFoundError as error:
            missed.append(f"{name}: needs {error.name}: pip install 'lingmix[dev,bench]'")
            continue
        print(f"  written to {write(name, measured[name])}", flush=True)
    for name, rows in measured.items():
        show(name, rows)
    for line in missed:
        print(line, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
