"""One training in a process of its own: `FOLDER BATCH MICRO_BATCH_TOKENS STEPS WARM_UP [OVERRIDE
...]`, of the encoder in FOLDER/encoder.

Prints the milliseconds a pair, and its resident memory before the training and at its peak.
0 tokens: the whole batch at once.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.configured import configured
from benchmarks.harness.encoder import loaded
from benchmarks.harness.search_once import status_mib
from benchmarks.harness.training import train_lingmix, work_of
from benchmarks.harness.xquad_r import all_pairs
from lingmix.model.transformer import quiet


def main(arguments: Sequence[str]) -> None:
    folder = Path(arguments[0])
    batch, micro_batch_tokens, steps, warm_up = map(int, arguments[1:5])
    config = configured(
        "sampler=crosslingual",
        "sampler.homogeneous=false",
        f"sampler.batch_size={batch}",
        f"trainer.max_steps={steps}",
        f"micro_batch_tokens={micro_batch_tokens or 'null'}",
        *arguments[5:],
    )
    with quiet():
        work, encoder = work_of(config, all_pairs()), loaded(folder / "encoder")
        before = status_mib("VmRSS")
        trained = train_lingmix(work, encoder, cache=folder / "tokens")
    milliseconds = 1000 * trained.seconds(warm_up=warm_up) / batch
    figures = {"pair": milliseconds, "before": before, "peak": status_mib("VmHWM")}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
