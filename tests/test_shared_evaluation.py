"""One evaluation in several processes: they share the encoding, one records, all is the same."""

import json
import multiprocessing
import os
import re
import threading
from pathlib import Path

import mlflow.artifacts
import pytest
from mlflow import MlflowClient

from lingmix.cli.config import resolved
from lingmix.commands.evaluate import evaluate
from lingmix.errors import InputError
from lingmix.tracking.history import complete_runs
from lingmix.tracking.identity import config_hash
from lingmix.tracking.run_folder import run_folder
from tests.commands import command
from tests.events import until
from tests.test_evaluate import untrained

TEXTS = 7304
"""Distinct texts of the embedded evaluation sets, and their prompts."""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    untrained(folder / "cache").save(folder / "static")
    return folder / "static"


def rank(config, number, count, said):
    """A process as torchrun would start it."""
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "x",
        "WORLD_SIZE": str(count),
        "RANK": str(number),
        "LOCAL_RANK": str(number),
    }
    said.put((number, evaluate(config)))


def recorded(config) -> list[dict]:
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.name).experiment_id
    return [
        json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/scores.json"))
        for run in complete_runs(client, experiment).values()
    ]


def encoded(text) -> list[int]:
    return [int(number) for number in re.findall(r"^(\d+) texts encoded", text, re.MULTILINE)]


def test_ranks_share_the_encoding_and_score_as_one_process(configure, model, tmp_path):
    found, context = [], multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lingmix.commands.evaluate"])
    for count in (1, 2, 4):
        config = configure(
            "evaluate",
            f"encoder.name={model}",
            f"embeddings={tmp_path / str(count)}",
            "precision=32-true",
            f"name=ranks{count}",
        )
        said = context.Queue()
        ranks = [
            context.Process(target=rank, args=(config, number, count, said))
            for number in range(count)
        ]
        for process in ranks:
            process.start()
        texts = dict(said.get() for _ in ranks)
        for process in ranks:
            process.join()
            assert process.exitcode == 0
        assert [*filter(None, texts.values())] == [texts[0]]
        assert encoded(texts[0])[0] <= TEXTS
        (store,) = (tmp_path / str(count)).iterdir()
        assert sum(path.stat().st_size for path in (store / "shards").iterdir()) == TEXTS * 80
        found += recorded(config)
    assert len(found) == 3
    assert found[0] == found[1] == found[2]


def test_a_process_that_finds_another_at_work_encodes_along_and_waits_for_its_end(
    configure, model, tmp_path
):
    config = configure("evaluate", f"encoder.name={model}", f"embeddings={tmp_path}")
    values, at_work, ended = resolved(config), threading.Event(), threading.Event()

    def hold() -> None:
        with run_folder(values, config_hash(values)):
            at_work.set()
            until(lambda: len([*tmp_path.glob("*/shards/*")]) == 6)
            ended.set()

    other = threading.Thread(target=hold)
    other.start()
    at_work.wait()
    text = evaluate(config)
    assert ended.is_set()
    assert f"0 texts encoded, {TEXTS} from the cache" in text
    other.join()


def test_a_launcher_starts_processes_that_share_one_evaluation(output_dir, model, tmp_path):
    about = [f"encoder.name={model}", f"embeddings={tmp_path}", "name=copies", "processes=2"]
    ended = command("evaluate", "-m", f"output_dir={output_dir}", *about)
    assert ended.returncode == 0, ended.stderr
    assert "[2/2]" in ended.stdout
    assert ended.stdout.count("complete already (run ") == 1
    (store,) = tmp_path.iterdir()
    assert sum(path.stat().st_size for path in (store / "shards").iterdir()) == TEXTS * 80


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["processes=2"], r"^processes: are started by a launcher, with -m, got 2"),
        (["processes=2", "embeddings=null"], r"^processes: .* a folder, and embeddings is null"),
        (["processes=2", "encoder=bm25"], r"^processes: .* and encoder is lexical"),
        (["processes=0"], r"^processes: must be a whole number of at least 1, got 0"),
    ],
)
def test_processes_that_cannot_share_are_refused(configure, model, overrides, says):
    with pytest.raises(InputError, match=says):
        evaluate(configure("evaluate", f"encoder.name={model}", *overrides))
