"""Queries by a model behind an endpoint: nothing paid for is lost, nothing answered sent again."""

import gzip
import json
import multiprocessing
import os
import re
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from lingmix.augmentation.journal import NAME, Journal, open_journal
from lingmix.augmentation.pipeline import ITEMS, REJECTED, REPORT, run_steps
from lingmix.augmentation.vector_filters import RoundTrip
from lingmix.cli.config import build, resolved
from lingmix.commands.augment import augment
from lingmix.errors import InputError
from tests.augmentation.endpoint_server import FAILING, FAULTS, Server, serving
from tests.augmentation.made import bench, draft
from tests.changes import watched
from tests.events import until

KEY = "sk-very-secret"
PASSAGES = 2 * len(FAULTS) + 4


@pytest.fixture
def server():
    with serving() as one:
        yield one


@pytest.fixture
def command(configure, tmp_path, monkeypatch):
    """A function that returns the configuration of a run against a server."""
    monkeypatch.setenv("A_KEY", KEY)
    path = tmp_path / "passages.jsonl"
    rows = [
        {"_id": n, "lang": "en", "text": f"About topic t{n}, fault {fault}"}
        for n, fault in enumerate([*FAULTS, *FAULTS, "none", "none", "none", "none"])
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def configured(server: Server, *overrides: str, place: str = "one"):
        given = [f"folder={tmp_path / place}", f"journal={tmp_path / place / 'journal'}"]
        quick = ["attempts=3", "wait=0.01", "timeout=0.3", "key_variable=A_KEY"]
        return configure(
            "augment",
            f"passages.path={path}",
            "steps=[queries]",
            "backend=endpoint",
            f"backend.url={server.url}",
            "backend.model=m",
            *(f"backend.{one}" for one in quick),
            *given,
            *overrides,
        )

    return configured


def result(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in (ITEMS, REJECTED, REPORT)]


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def journal(folder: Path) -> Journal:
    found = Journal(folder / "journal")
    found.close()
    return found


def answered_twice(server: Server) -> set[str]:
    return {key for key in server.answered if server.answered.count(key) > 1}


def test_every_passage_is_an_item_or_a_named_failure_and_none_is_answered_twice(
    command, server, tmp_path
):
    augment(command(server))
    items, rejected = rows(tmp_path / "one" / ITEMS), rows(tmp_path / "one" / REJECTED)
    reasons = {int(one["id"]): one["reason"] for one in rejected}
    assert len(items) + len(rejected) == PASSAGES
    for one in items:
        assert one["queries"] == {"en": [f"what is t{one['id']}"]}
        assert {"model", "prompt", "seed", "version"} <= {*one["provenance"]["steps"][0]}
    assert reasons == {n: FAILING[one] for n, one in enumerate(FAULTS * 2) if one in FAILING}
    assert answered_twice(server) == set()
    found = journal(tmp_path / "one")
    assert found.attempts.total() == found.spent.requests == len(server.requests)
    # what came too late or broken is charged at the most, as it may have been billed
    assert found.spent.written == server.written + 256 * sum(
        fault in ("late", "cut", "malformed") for fault in FAULTS * 2
    )


def test_run_again_it_sends_what_has_no_answer_and_nothing_else(command, server, tmp_path):
    augment(command(server))
    first = result(tmp_path / "one")
    before = len(server.requests)
    augment(command(server))
    assert len(server.requests) - before == 2 * 3  # two passages at 500, three attempts each
    assert result(tmp_path / "one") == first


def test_a_server_restarted_in_mid_run_gets_again_what_was_under_way_and_nothing_else(
    command, tmp_path
):
    path = tmp_path / "plain.jsonl"
    rows_of = [{"_id": n, "lang": "en", "text": f"About topic t{n}"} for n in range(24)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows_of))
    given = [f"passages.path={path}", "backend.concurrency=3"]
    given += ["backend.timeout=20", "backend.attempts=12"]
    with serving() as first, ExitStack() as later, ThreadPoolExecutor(1) as beside:
        first.holds_from = 9
        config = command(first, *given)

        def restart() -> Server:
            assert all(first.held.acquire(timeout=20) for _ in range(3))
            first.drop()
            written = tmp_path / "one" / "journal" / NAME
            until(lambda: b'"failed"' in written.read_bytes())  # there was no server
            return later.enter_context(serving(first.server_port))

        restarted = beside.submit(restart)
        augment(config)
        second = restarted.result()
    under_way = {*first.requests} - {*first.answered}
    assert len(under_way) == 3
    assert Counter(first.requests + second.requests) == Counter(
        {key: 1 + (key in under_way) for key in [*first.requests, *second.requests]}
    )
    found = journal(tmp_path / "one")
    assert found.spent.requests == len(first.requests + second.requests) == 24 + 3
    assert found.spent.written == first.written + second.written + 256 * len(under_way)
    assert len(rows(tmp_path / "one" / ITEMS)) == 24


class Kill:
    """Kills the process after the n-th time that a journal was synced."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, change) -> None:
        if change.call == "write" and str(change.path).endswith(NAME):
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


def killed(config, at: int) -> None:
    with watched(Kill(at)):
        augment(config)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_killed_at_ten_places_it_ends_as_if_left_alone(command, tmp_path, concurrency):
    given = (f"backend.concurrency={concurrency}",)
    with serving() as server:
        augment(command(server, *given, place="alone"))
    context = multiprocessing.get_context("fork")
    with serving() as server:
        config = command(server, *given, place="killed")
        for number in range(10):
            process = context.Process(target=killed, args=(config, 3 + number % 3))
            process.start()
            process.join()
            assert process.exitcode == -signal.SIGKILL
            known = journal(tmp_path / "killed")
            begin = len(server.requests)
        answered = {key for key in server.requests if known.answer(key)}
        augment(config)
        assert answered.isdisjoint(server.requests[begin:])
        assert journal(tmp_path / "killed").attempts.total() >= len(server.requests)
    assert result(tmp_path / "killed") == result(tmp_path / "alone")


def test_a_budget_stops_before_it_is_passed_and_the_rest_are_named(command, server, tmp_path):
    augment(command(server, "backend.budget.requests=7"))
    assert len(server.requests) == 7
    rejected = rows(tmp_path / "one" / REJECTED)
    assert "budget of requests is spent" in {one["reason"] for one in rejected}
    assert len(rows(tmp_path / "one" / ITEMS)) + len(rejected) == PASSAGES
    augment(command(server, "backend.budget.requests=7"))
    assert len(server.requests) == 7
    augment(command(server))
    augment(command(server, place="alone"))
    assert result(tmp_path / "one") == result(tmp_path / "alone")


@pytest.mark.parametrize(("key", "limit"), [("tokens", 9000), ("money", 0.012)])
def test_tokens_and_money_are_limited_at_the_most_that_a_request_may_cost(
    command, server, tmp_path, key, limit
):
    prices = "backend.prices={read: 1.0, written: 2.0}"
    augment(command(server, prices, f"backend.budget.{key}={limit}", "backend.concurrency=8"))
    assert 0 < len(server.requests) < PASSAGES
    assert journal(tmp_path / "one").spent.amounts[key] <= limit


def test_an_estimate_sends_nothing_and_is_not_passed(command, server, tmp_path, capsys):
    assert augment(command(server, "estimate=true")) == "nothing was sent: estimate=true"
    assert server.requests == []
    assert f"{PASSAGES} requests" in capsys.readouterr().out


def words(texts, _):
    """Unit vectors with a dimension a word, but for a few that share one."""
    counts_TD = np.zeros((len(texts), 4096), np.float32)
    for row, text in enumerate(texts):
        for word in re.findall(r"\w+", text.lower()):
            counts_TD[row, crc32(word.encode()) % 4096] += 1
    return counts_TD / np.linalg.norm(counts_TD, axis=1, keepdims=True)


def test_a_models_query_that_another_passage_answers_better_is_dropped(command, server, tmp_path):
    """It asks `what is t<n>`; a passage has that in it and is of another topic."""
    config = resolved(command(server))
    texts = {"1": "topic t1: what t1 is", "2": "About topic t2", "3": "topic t3: what is t2"}
    drafts = [draft(id, en=text) for id, text in texts.items()]
    with open_journal(tmp_path / "journal") as kept:
        endpoint = build(config["backend"])(journal=kept)
        made = run_steps(
            drafts,
            {"queries": build(config["steps"]["queries"]), "round_trip": RoundTrip(depth=1)},
            bench(drafts, answers=endpoint, encode=words),
        )
    assert {one.id: one.queries["en"] for one in made.items} == {
        "1": ("what is t1",),
        "3": ("what is t3",),
    }
    assert [(step, one.id, one.text, one.detail) for step, one in made.rejected] == [
        ("round_trip", "2", "what is t2", "rank 3")
    ]


def test_the_key_is_sent_and_stands_nowhere(command, server, tmp_path, capsys):
    said = augment(command(server))
    assert server.keys == {f"Bearer {KEY}"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 5
    texts = [
        gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in files
    ]
    assert not [text for text in texts if KEY.encode() in text]
    assert KEY not in said + capsys.readouterr().out


def test_a_server_says_when_it_may_be_asked_again(command, server):
    server.retry_after = "1"
    augment(command(server, "scale=24", "backend.wait=0"))
    key = server.requests[[server.requests.count(key) for key in server.requests].index(2)]
    waits = {
        key: [at for at, of in zip(server.times, server.requests, strict=True) if of == key]
        for key in server.requests
    }
    assert sum(len(at) == 2 and at[1] - at[0] >= 1 for at in waits.values()) >= 2
    assert key


def test_two_processes_send_no_request_twice(command, server, tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=augment, args=(command(server, f"folder={tmp_path / str(n)}"),))
        for n in range(2)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join()
    assert [one.exitcode for one in processes] == [0, 0]
    assert answered_twice(server) == set()
    assert result(tmp_path / "0") == result(tmp_path / "1")


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["backend.key_variable=NOT_SET"], "backend.key_variable: the environment has no NOT_SET"),
        (["backend.budget.requests=0"], "backend.budget.requests: must be above 0"),
        (["backend.budget.money=1"], "backend.budget.money: needs backend.prices"),
        (["steps.queries.languages=[xx]"], "languages: no name is known for .xx."),
    ],
)
def test_what_cannot_be_asked_ends_in_one_line(command, server, overrides, line):
    with pytest.raises(InputError, match=line):
        augment(command(server, *overrides))
    assert server.requests == []


def test_a_model_that_is_not_there_is_asked_for(configure, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"id": 1, "lang": "en", "text": "t"}')
    path = f"passages.path={tmp_path / 'rows.jsonl'}"
    with pytest.raises(InputError, match="backend: the steps need a model: backend=endpoint"):
        augment(configure("augment", path, "steps=[queries]", f"folder={tmp_path / 'made'}"))


def test_a_server_that_refuses_everything_ends_the_run(command, server):
    with pytest.raises(InputError, match="answers HTTP 404"):
        augment(command(server, f"backend.url={server.url}/nowhere", "backend.key_variable=null"))
