"""What a person sees of a sweep at work."""

import os
import time
from io import StringIO

import pytest
from rich.console import Console

from lingmix.sweep.cell import Cell, Outcome
from lingmix.sweep.live import SweepProgress
from lingmix.tracking.outbox.journal import JOURNAL, Journal


@pytest.fixture
def cells(tmp_path):
    values = {"output_dir": str(tmp_path), "name": "study", "trainer": {"max_steps": 20}}
    return [Cell(None, values, f"hash{seed}", f"seed={seed}") for seed in range(4)]


@pytest.fixture
def journal(tmp_path):
    def opened(cell):
        return Journal(tmp_path / "runs" / "study" / cell.identity)

    return opened


def lines(progress):
    console = Console(file=StringIO(), width=100)
    console.print(progress.lines())
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_a_cell_has_a_line_from_its_first_record_to_its_end(cells, journal):
    progress = SweepProgress(cells)
    assert [line[:4] for line in lines(progress)] == [["0", "of", "4", "cells"]]
    journal(cells[1]).append(begin={})
    (line, whole) = lines(progress)
    assert line[0] == "seed=1"
    assert line[-2:] == ["step", "0/20"]
    told = progress.count(iter([Outcome(cells[1], True, "", 1.0)]))
    next(told)
    (whole,) = lines(progress)
    assert whole[:4] == ["1", "of", "4", "cells"]


def test_a_line_says_the_step_the_loss_and_the_speed(cells, journal):
    progress = SweepProgress(cells)
    records = journal(cells[0])
    records.append(metrics={"train/loss": 0.5, "train/pairs_per_second": 1234.4}, step=5)
    assert " ".join(lines(progress)[0]).endswith("step 5/20, loss 0.5, pairs/s 1,234")
    records.append(metrics={"train/loss": 0.25}, step=10)
    assert "step 10/20, loss 0.25" in " ".join(lines(progress)[0])


def test_the_load_of_the_machine_is_no_step_of_the_training(cells, journal):
    progress = SweepProgress(cells)
    records = journal(cells[0])
    records.append(metrics={"train/loss": 0.5}, step=5)
    records.append(metrics={"system/cpu_utilization_percentage": 90.0}, step=23)
    assert "step 5/20, loss 0.5" in " ".join(lines(progress)[0])


def test_what_an_earlier_start_has_left_is_not_at_work(cells, journal, tmp_path):
    journal(cells[0]).append(metrics={"train/loss": 0.5}, step=5)
    path = tmp_path / "runs" / "study" / "hash0" / JOURNAL
    earlier = time.time() - 60
    os.utime(path, (earlier, earlier))
    progress = SweepProgress(cells)
    assert len(lines(progress)) == 1
    journal(cells[0]).append(metrics={"train/loss": 0.5}, step=6)
    assert " ".join(lines(progress)[0]).startswith("seed=0")


def test_the_time_left_counts_what_cells_at_work_have_done(cells, journal, monkeypatch):
    progress = SweepProgress(cells)
    began = time.time()
    journal(cells[0]).append(metrics={"train/loss": 0.5}, step=10)
    monkeypatch.setattr(time, "time", lambda: began + 10)
    assert " ".join(lines(progress)[-1]).endswith("70 s left"), "half of 4 cells took 10 s"
    next(progress.count(iter([Outcome(cells[1], True, "", 10.0)])))
    assert " ".join(lines(progress)[-1]).endswith("17 s left"), "1.5 of 4 cells"
