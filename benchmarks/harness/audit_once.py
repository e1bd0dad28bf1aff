"""The audit of one training set in a process of its own: `PAIRS MEASURED OUTPUT NEAR`.

Leaks of the made-up evaluation set that `MEASURED` pairs make are planted among the training pairs.
Prints the seconds of the audit itself, its peak resident memory, what it found of each kind, and
false alarms.
"""

import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.harness.planted_leaks import found_of, plant
from benchmarks.harness.search_once import status_mib
from lingmix.data.columns.columns import Source, keep_columns
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.pair_rows import read_pairs
from lingmix.leakage.audit import audit_leakage

LEAKS = 500


def main(arguments: Sequence[str]) -> None:
    pairs, measured, output, near = arguments
    held_out = evaluation_set(Path(measured))
    planted = plant(held_out, count=LEAKS, seed=1)
    sources = [
        Source("pairs", 0, f"pairs {pairs}", read=partial(read_pairs, path=pairs), size=0),
        Source("planted", 1, f"planted {measured}", read=lambda: planted.items, size=0),
    ]
    columns = keep_columns(sources, Path(output), expand_pairs=False)
    imported = status_mib("VmRSS")
    began = time.perf_counter()
    overlaps = audit_leakage(
        columns,
        items=None,
        evaluation_sets=[held_out],
        near_duplicates=float(near) or None,
    )
    seconds = time.perf_counter() - began
    found = found_of(planted, overlaps)
    figures = {
        "seconds": seconds,
        "peak": status_mib("VmHWM"),
        "before": imported,
        "texts": len(columns.texts) + len(held_out.queries) + len(held_out.passages),
        "trained": len(columns.texts),
        "false": found.false_alarms,
        **found.shares,
    }
    print(json.dumps(figures))


def evaluation_set(pairs: Path) -> EvaluationSet:
    """The queries and passages of a file of pairs, each query with its own passages."""
    queries: dict[str, tuple[str, str]] = {}
    passages: dict[str, tuple[str, str]] = {}
    judged: dict[tuple[str, str], None] = {}
    for item in read_pairs(path=pairs):
        for pair in item.listed or ():
            asked, given = (f"{language}:{item.id}" for language in pair.languages)
            queries[asked] = pair.query, pair.languages.query
            passages[given] = pair.passage, pair.languages.passage
            judged[asked, given] = None
    query, passage = ({id: n for n, id in enumerate(ids)} for ids in (queries, passages))
    return EvaluationSet(
        name="measured",
        query_ids=tuple(queries),
        queries=tuple(text for text, _ in queries.values()),
        query_languages=tuple(language for _, language in queries.values()),
        passage_ids=tuple(passages),
        passages=tuple(text for text, _ in passages.values()),
        passage_languages=tuple(language for _, language in passages.values()),
        query_J=np.array([query[asked] for asked, _ in judged], np.int32),
        passage_J=np.array([passage[given] for _, given in judged], np.int32),
        grade_J=np.ones(len(judged), np.int32),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
