"""`make gpu` without a GPU: the same code with small shapes."""

from benchmarks import gpu

from lingmix.model.precision import fastest_precision


def test_the_stand_in_measures_each_thing_once(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "FOLDER", tmp_path)
    monkeypatch.setattr(gpu, "STEPS", 1)
    rows = gpu.compare()
    cases = [row.case for row in rows]
    assert len(set(cases)) == len(cases)
    trained = 2 * 2 * 2  # shapes, lengths, batches
    assert sum("batch" in case and "cached loss" not in case for case in cases) == 2 * trained
    assert sum("cached loss" in case for case in cases) == 2
    assert sum("packed against padded" in case for case in cases) == 2 * len(
        {"32-true", fastest_precision()}
    )
    assert sum("search" in case for case in cases) == 2
    assert all(row.ours > 0 for row in rows if "packed" not in row.case)
