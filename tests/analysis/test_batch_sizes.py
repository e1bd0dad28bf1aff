import numpy as np
import polars as pl
import pytest

from lingmix.analysis.batch_sizes import batch_sizes, critical_batches_in_words, swept
from lingmix.tracking.validation_curves import Curve

BATCHES = (16, 64, 256, 1024)


def runs(batches=BATCHES, seeds=(0, 1), scale=100, turn=200):
    """Scores rise by .001 with each 1 + turn / batch steps: the critical batch size is turn / 5."""
    rows, curves = [], {}
    for batch in batches:
        for seed in seeds:
            run = f"{batch}-{seed}-{scale}"
            rows.append({
                "run_id": run, "alpha": 0.5, "scale": scale, "items": 500 + scale,
                "pairs": "all", "seed": seed,
                "param.sampler.batch_size": str(batch), "param.seed": str(seed),
            })  # fmt: skip
            steps = np.arange(1, 400) * 10
            pace = 1 + turn / batch
            scores = steps / pace * (1 + 0.02 * seed) / 1000
            curves[run] = Curve(tuple(steps.tolist()), tuple(np.minimum(scores, 0.3).tolist()))
    return pl.DataFrame(rows), curves


def test_the_critical_batch_size_of_a_sweep_is_that_of_its_curves():
    cells, curves = runs()
    [row] = batch_sizes(cells, curves, level=0.95).iter_rows(named=True)
    assert (row["alpha"], row["scale"], row["runs"], row["unreached"]) == (0.5, 100, 8, 0)
    assert row["critical_batch"] == pytest.approx(40, rel=0.02)
    assert row["critical_batch_low"] < 40 < row["critical_batch_high"]
    [said] = critical_batches_in_words(batch_sizes(cells, curves, level=0.95))
    assert said.startswith("At alpha 0.5 and scale 100 the critical batch size is 40 (")


def test_it_grows_with_the_data_as_the_turns_do():
    """Four times the data, twice the turn: to the power of one half."""
    (small, few), (large, many) = runs(scale=0), runs(scale=1500, turn=400)
    found = batch_sizes(pl.concat([small, large]), few | many, level=0.95)
    assert found["critical_batch"].to_list() == pytest.approx([40, 80], rel=0.02)
    assert found["growth"].to_list() == pytest.approx([0.5, 0.5], abs=0.02)
    assert "it grows as the data's size to the power of .5" in critical_batches_in_words(found)[2]


def test_runs_that_pass_the_target_before_their_first_validation_are_counted_apart():
    cells, curves = runs()
    late = Curve((4000, 4100), (0.5, 0.5))
    [row] = batch_sizes(cells, curves | {"1024-0-100": late}, level=0.95).iter_rows(named=True)
    assert (row["runs"], row["unreached"]) == (7, 1)


def test_two_runs_are_too_few_and_that_is_said():
    cells, curves = runs(batches=(16, 64), seeds=(0,))
    [said] = critical_batches_in_words(batch_sizes(cells, curves, level=0.95))
    assert said.startswith("Not found: the critical batch size")


def test_one_batch_size_is_no_sweep():
    assert swept(runs()[0])
    assert not swept(runs(batches=(16,))[0])
    assert not swept(runs()[0].drop("param.sampler.batch_size"))
