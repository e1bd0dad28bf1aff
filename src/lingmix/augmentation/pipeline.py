"""Runs the steps of an augmentation, and counts what each of them keeps and drops."""

import inspect
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from lingmix.atomic import atomic_file
from lingmix.augmentation.drafts import Bench, Draft, Outcome, Rejected, Step, queries_of
from lingmix.data.row_file import write_rows
from lingmix.text_table import format_table

ITEMS, REJECTED, REPORT = "items.jsonl.gz", "rejected.jsonl.gz", "report.json"


class Made(NamedTuple):
    """Drafts after the last step, what each step rejected, and a row of counts a step."""

    drafts: list[Draft]
    rejected: list[tuple[str, Rejected]]
    counts: list[dict[str, Any]]

    @property
    def items(self) -> list[Draft]:
        return [draft for draft in self.drafts if any(draft.queries.values())]


def run_steps(drafts: Sequence[Draft], steps: Mapping[str, Step], bench: Bench) -> Made:
    """Apply the steps in their order."""
    made = Made([*drafts], [], [])
    for name, step in steps.items():
        before = made.drafts
        outcome = step(before, bench)
        entry = {"step": name, "version": _version(step), "seed": bench.seed, **outcome.note}
        after = [replace(draft, steps=(*draft.steps, entry)) for draft in outcome.drafts]
        made.rejected.extend((name, one) for one in outcome.rejected)
        made.counts.append(_counted(name, before, outcome))
        made = made._replace(drafts=after)
    return made


def _version(step: Step) -> str:
    """A digest of the code of the step's module."""
    return sha256(inspect.getsource(inspect.getmodule(type(step))).encode()).hexdigest()[:12]  # type: ignore[arg-type]


def _counted(name: str, before: Sequence[Draft], outcome: Outcome) -> dict[str, Any]:
    reasons = Counter(one.reason for one in outcome.rejected)
    return {
        "step": name,
        "queries_before": _queries(before),
        "queries_after": _queries(outcome.drafts),
        "items_after": sum(any(draft.queries.values()) for draft in outcome.drafts),
        "rejected": dict(sorted(reasons.items())),
    }


def _queries(drafts: Sequence[Draft]) -> int:
    return sum(1 for draft in drafts for _ in queries_of(draft))


def write_result(made: Made, folder: Path, *, report: Mapping[str, Any]) -> None:
    """Write items, rejected texts and the report; the last says that all are complete."""
    (folder / REPORT).unlink(missing_ok=True)
    rows = ({"step": step, **one._asdict()} for step, one in made.rejected)
    write_rows(rows, path=folder / REJECTED)
    write_rows((draft.row() for draft in made.items), path=folder / ITEMS)
    with atomic_file(folder / REPORT, durable=True) as file:
        file.write(f"{json.dumps(report, indent=1, ensure_ascii=False)}\n".encode())


def table(counts: Sequence[Mapping[str, Any]]) -> str:
    """Return the counts of each step as a text table; the reasons stand below their step."""
    rows = []
    for one in counts:
        figures = (one["queries_before"], one["queries_after"], one["items_after"])
        rows.append((one["step"], *(f"{figure:,}" for figure in figures)))
        rows += [(f"  {reason}", "", f"{-n:,}", "") for reason, n in one["rejected"].items()]
    head = ("step", "queries before", "queries after", "items")
    return format_table(head, rows, figures=slice(1, None))
