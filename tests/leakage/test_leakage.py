from pathlib import Path

import numpy as np
import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import Item
from lingmix.data.sources.beir import read_beir
from lingmix.data.sources.pair_rows import read_pairs
from lingmix.data.sources.xquad_r import read_xquad_r
from lingmix.errors import InputError
from lingmix.leakage.audit import audit_leakage
from lingmix.leakage.development import audit_development, refuse_shared_queries
from lingmix.leakage.overlap import Overlap, refuse_leakage
from tests.columns import columns_of

DATA = Path(__file__).parents[2] / "../shared/data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the multilingual data are not beside this")


def evaluation_set(
    name: str, queries: dict[str, str], passages: dict[str, str], relevant: str = ""
) -> EvaluationSet:
    """The passage `relevant` is relevant to the first query, no other is."""
    return EvaluationSet(
        name=name,
        query_ids=tuple(queries),
        queries=tuple(queries.values()),
        query_languages=("en",) * len(queries),
        passage_ids=tuple(passages),
        passages=tuple(passages.values()),
        passage_languages=("en",) * len(passages),
        query_J=np.zeros(len(passages), np.int32),
        passage_J=np.arange(len(passages), dtype=np.int32),
        grade_J=np.array([id == relevant for id in passages], np.int32),
    )


RIVERS = evaluation_set(
    "rivers",
    {"q1": "Where does the Rhine end?", "q2": "1998?", "q3": "Why?"},
    {"p1": "In the North Sea.", "p2": "It ends near Rotterdam.", "p3": "", "p4": "1998"},
    relevant="p2",
)


def item(
    id: str,
    *,
    queries: tuple[str, ...] = ("an unrelated query",),
    passages: tuple[str, ...] = ("an unrelated passage",),
    negatives: tuple[str, ...] = (),
) -> Item:
    return Item(id, "", {"en": queries}, {"de": passages}, {"de": negatives})


def audited(
    items: list[Item], *sets: EvaluationSet, near_duplicates: float | None = None
) -> list[Overlap]:
    return audit_leakage(
        columns_of(items), items=None, evaluation_sets=sets, near_duplicates=near_duplicates
    )


def test_every_field_is_compared_with_queries_and_passages_of_every_set() -> None:
    seas = evaluation_set("seas", {"q1": "What is in the North Sea?"}, {"x": "IN THE NORTH SEA"})
    items = [
        item("a", passages=("fine", "in the  north sea!")),
        item("b", queries=("“It ends near Rotterdam”",)),
        item("c", negatives=("where does the Rhine end",)),
        item("d"),
    ]
    assert [one[:7] for one in audited(items, RIVERS, seas)] == [
        ("a", "passages.de", "rivers", "passage", "p1", "in the  north sea!", "normalised"),
        ("a", "passages.de", "seas", "passage", "x", "in the  north sea!", "normalised"),
        (
            *("b", "queries.en", "rivers", "relevant passage", "p2"),
            *("“It ends near Rotterdam”", "normalised"),
        ),
        ("c", "negatives.de", "rivers", "query", "q1", "where does the Rhine end", "normalised"),
    ]


def test_a_text_that_holds_an_evaluation_text_among_more_is_not_equal_to_it() -> None:
    items = [item("a", passages=("In the North Sea it ends.",))]
    assert audited(items, RIVERS) == []


def test_texts_equal_by_chance_are_passed_over() -> None:
    items = [item("a", queries=("1998", "why", "?"), passages=("1998.", "..."))]
    assert audited(items, RIVERS) == []


@pytest.mark.parametrize(
    ("measured", "trained"),
    [
        ("the river’s mouth", "The river's mouth"),
        ("a well‑known co-operative", "a well-known cooperative"),
        ("Cologne, Bonn and Mainz", "Cologne Bonn and Mainz"),
        ("He said “no”, twice.", "he said 'no' twice"),
        ("أين يَنتهي الرَّاين؟", "أين ينتهي الراين"),
        ("نهـــر الراين", "نهر الراين"),
        ("北京市", "北京市。"),
        ("서울", "서울"),
    ],
)
def test_copies_in_another_form_are_found(measured: str, trained: str) -> None:
    held_out = evaluation_set("rivers", {"q": measured}, {"p": "In the sea."})
    (found,) = audited([item("a", queries=(trained,))], held_out)
    assert found[:6] == ("a", "queries.en", "rivers", "query", "q", trained)


def test_items_that_are_not_trained_on_are_not_compared() -> None:
    columns = columns_of([item(id, queries=("Where does the Rhine end?",)) for id in ("a", "b")])
    found = audit_leakage(
        columns,
        items=np.array([-1, 5], np.int32),
        evaluation_sets=[RIVERS],
        near_duplicates=0.5,
    )
    assert [one.item_id for one in found] == ["b"]


@pytest.mark.parametrize(
    ("measured", "trained"),
    [("C# in brief", "C in brief"), ("version 3.5", "version 35"), ("it is -5", "it is 5")],
)
def test_texts_that_differ_in_a_number_or_a_sign_are_no_copies(measured: str, trained: str) -> None:
    held_out = evaluation_set("rivers", {"q": measured}, {"p": "In the sea."})
    assert audited([item("a", queries=(trained,))], held_out) == []


def test_queries_of_the_development_set_are_compared_with_queries_of_every_set_alone() -> None:
    development = evaluation_set(
        "development",
        {
            "d1": "where does the Rhine end",
            "d2": "In the North Sea",
            "d3": "1998",
            "d4": "Where to?",
        },
        {"p1": "In the North Sea.", "p9": "Where does the Rhine end?"},
    )
    seas = evaluation_set("seas", {"s1": "“Where to”?"}, {"p1": "In the North Sea."})
    shared = audit_development(development=development, evaluation_sets=[RIVERS, seas])
    assert shared == [
        ("d1", "rivers", "q1", "where does the Rhine end"),
        ("d4", "seas", "s1", "Where to?"),
    ]
    with pytest.raises(InputError) as caught:
        refuse_shared_queries(shared=shared, allowed=["rivers", "seas"])
    assert str(caught.value) == (
        "data.development: must hold no query of an evaluation set, got 2: "
        "query 'd1' is rivers query 'q1' ('where does the Rhine end'); "
        "query 'd4' is seas query 's1' ('Where to?'); choose other queries to develop on, or set "
        "data.allow_overlap=[development/rivers,development/seas,rivers,seas] to choose weights by "
        "these all the same"
    )
    with pytest.raises(InputError, match="got 1: query 'd4'"):
        refuse_shared_queries(shared=shared, allowed=["development/rivers"])
    refuse_shared_queries(shared=shared, allowed=["development/rivers", "development/seas"])


def overlaps(count: int, name: str = "rivers") -> list[Overlap]:
    return [
        Overlap(
            *(f"i{n}", "queries.en", name, "query", f"q{n}", "Where?"),
            kind="exact",
            similarity=1.0,
            evaluation_text="Where?",
            source="",
        )
        for n in range(count)
    ]


def test_overlap_stops_in_one_line_with_count_first_rows_and_the_way_out() -> None:
    with pytest.raises(InputError) as caught:
        refuse_leakage(overlaps=overlaps(5), allowed=[])
    assert str(caught.value) == (
        "training data hold queries of evaluation data, or passages relevant to them as queries, "
        "5 times: "
        "item 'i0' queries.en is rivers query 'q0' ('Where?'); "
        "item 'i1' queries.en is rivers query 'q1' ('Where?'); "
        "item 'i2' queries.en is rivers query 'q2' ('Where?'); and 2 more; leave them out of "
        "training, or set data.allow_overlap=[rivers] to train on them all the same"
    )


def test_only_overlap_with_sets_allowed_by_name_passes() -> None:
    refuse_leakage(overlaps=[], allowed=[])
    refuse_leakage(overlaps=overlaps(5), allowed=["seas", "rivers"])
    with pytest.raises(InputError, match=r"1 times: .* data.allow_overlap=\[rivers,seas\]"):
        refuse_leakage(overlaps=overlaps(5) + overlaps(1, "seas"), allowed=["rivers"])


@pytest.mark.parametrize(
    ("field", "text", "leaks"),
    [
        ("queries", "Where does the Rhine end?", True),
        ("passages", "Where does the Rhine end?", True),
        ("negatives", "Where does the Rhine end?", True),
        ("queries", "It ends near Rotterdam.", True),
        ("passages", "It ends near Rotterdam.", False),
        ("negatives", "It ends near Rotterdam.", False),
        ("queries", "In the North Sea.", False),
        ("passages", "In the North Sea.", False),
    ],
)
def test_queries_and_what_answers_them_as_queries_leak_and_passages_are_counted(
    caplog: pytest.LogCaptureFixture, field: str, text: str, leaks: bool
) -> None:
    items = [item("a", **{field: (text,)}), item("b", **{field: (text.upper(),)})]
    found = audited(items, RIVERS)
    assert [one.is_leak for one in found] == [leaks, leaks]
    if leaks:
        with pytest.raises(InputError, match="2 times: item 'a'"):
            refuse_leakage(overlaps=found, allowed=[])
        assert not caplog.records
    refuse_leakage(overlaps=found, allowed=["rivers"] if leaks else [])
    said = "training data hold passages that are searched: 1 of rivers; figures"
    assert [said in message for message in caplog.messages] == ([] if leaks else [True])


@real
def test_public_training_pairs_hold_no_text_of_xquad_r() -> None:
    xquad_r = read_xquad_r(
        name="xquad_r",
        folder=DATA / "raw/lareqa/xquad-r",
        languages=("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"),
        articles=None,
    )
    sources = [
        read_pairs(path=DATA / source / "pairs.jsonl.gz")
        for source in ("ntrex", "tatoeba", "monoqa")
    ]
    adapted = item("adapted", passages=xquad_r.passages[7:8])
    leaked = item("leaked", queries=xquad_r.queries[7:8])
    columns = columns_of(*sources, [adapted, leaked])
    found = audit_leakage(columns, items=None, evaluation_sets=[xquad_r], near_duplicates=None)
    assert [(one.item_id, one.evaluation_id, one.is_leak) for one in found] == [
        ("adapted", xquad_r.passage_ids[7], False),
        ("leaked", xquad_r.query_ids[7], True),
    ]


@real
def test_the_development_queries_of_xquad_r_are_among_its_test_queries() -> None:
    test, development = (
        read_beir(
            name=split, folder=DATA / "xquad-r", split=split, language=None,
            other_languages_only=False,
        )
        for split in ("test", "dev8")
    )  # fmt: skip
    shared = audit_development(development=development, evaluation_sets=[test])
    assert {one.development_id for one in shared} == set(development.query_ids)
