"""The preparation of one training in a process of its own: `PAIRS ENCODER OUTPUT STEPS`.

Prints the seconds that it takes to have the parts of a run once libraries are imported, its peak
resident memory then, and the batches that the loader makes in a second.
"""

import json
import sys
import time
from collections.abc import Sequence

from benchmarks.harness.configured import configured
from benchmarks.harness.search_once import status_mib
from lingmix.assembly.parts import prepare
from lingmix.model.transformer import quiet
from lingmix.tracking.identity import identify


def main(arguments: Sequence[str]) -> None:
    pairs, encoder, output, steps = arguments
    config = configured(
        "data=pairs",
        f"data.path={pairs}",
        "encoder=pretrained",
        f"encoder.name={encoder}",
        f"output_dir={output}",
        f"trainer.max_steps={steps}",
        "sampler.batch_size=64",
        "evaluation=cldr",
    )
    imported = status_mib("VmRSS")
    began = time.perf_counter()
    with quiet():
        identify(config)
        parts = prepare(config)
    prepared = time.perf_counter()
    peak = status_mib("VmHWM")
    batches = parts.datamodule.batches
    for step in range(int(steps)):
        batches[step]
    figures = {
        "seconds": prepared - began,
        "peak": peak,
        "imported": imported,
        "batches": int(steps) / (time.perf_counter() - prepared),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
