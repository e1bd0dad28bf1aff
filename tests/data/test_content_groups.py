"""Groups and false negatives beside their definition, text by text."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, islice, product

import numpy as np
import pytest

from lingmix.data.columns.shard import whole_items
from lingmix.data.items import Item
from lingmix.data.schedule import HybridSchedule
from lingmix.data.sources.pair_rows import read_pairs
from lingmix.data.text import folded
from lingmix.data.training_pairs import TrainingPairs
from lingmix.data.training_pairs import training_pairs as pairs_of_columns
from tests.columns import columns_of, rows_of, training_pairs
from tests.conftest import SHARED

Cells = set[tuple[int, int]]


def item(id: str, queries: dict[str, str], passages: dict[str, str], **negatives: str) -> Item:
    """Texts of one language, if there are several, stand apart by a bar."""
    fields = (queries, passages, negatives)
    return Item(
        id, "", *({of: tuple(texts.split("|")) for of, texts in one.items()} for one in fields)
    )


def cells(items: Sequence[Item], rows: Sequence[tuple[str, str]], *negatives: str) -> Cells:
    """False negatives of a batch of queries and passages, then given negatives."""
    queries, passages = [query for query, _ in rows], [passage for _, passage in rows]
    passages = [*passages, *negatives]
    columns = columns_of([*items, item("also", {}, {}, en="|".join(passages))])
    found_E2 = columns.groups.false_negatives(rows_of(columns, queries), rows_of(columns, passages))
    assert len(np.unique(found_E2, axis=0)) == len(found_E2), "each once"
    return {(row, column) for row, column in found_E2.tolist()}


def test_a_passage_that_is_equal_to_the_query_and_its_translations_are_no_negatives():
    chain = [item("1", {"en": "a"}, {"de": "b", "fr": "b2"}), item("2", {"de": "b"}, {"fr": "c"})]
    assert cells(chain, [("a", "b"), ("b", "c")]) == {(1, 0)}
    assert cells(chain, [("a", "b2"), ("b", "c")]) == {(1, 0)}


def test_what_a_row_outside_the_batch_answers_to_an_equal_query_is_no_negative():
    items = [
        item("1", {"en": "q"}, {"en": "a"}),
        item("2", {"en": "q"}, {"en": "b", "de": "b2"}),
        item("3", {"en": "r"}, {"de": "b2"}),
        item("4", {"en": "s"}, {"en": "c"}, en="b|d"),
    ]
    batch = [("q", "a"), ("r", "b2"), ("s", "c")]
    assert cells(items, batch, "b", "d", "b2") == {(0, 1), (0, 3), (0, 5), (1, 3), (1, 5)}


def test_a_third_rows_copy_of_another_answer_to_an_equal_query_is_no_negative():
    items = [
        item("1", {"en": "q"}, {"en": "a"}),
        item("2", {"en": "q"}, {"en": "b"}),
        item("3", {"en": "r"}, {"en": "b"}),
    ]
    equal = {(0, 1), (1, 0), (1, 2), (2, 1)}
    assert cells(items, [("q", "a"), ("q", "b"), ("r", "b")]) == equal | {(0, 2)}


def test_items_that_share_a_passage_in_a_language_that_is_left_out_say_the_same():
    items = [
        item("1", {"en": "q"}, {"en": "a", "th": "shared"}),
        item("2", {"en": "r"}, {"en": "b", "th": "shared"}),
    ]
    pairs = training_pairs(items, languages=["en"], pairs="all", expand_pairs=False)
    found_E2 = pairs.groups.false_negatives(pairs.query_N, pairs.passage_N)
    assert found_E2.tolist() == [[0, 1], [1, 0]]


def test_texts_that_differ_in_case_or_a_full_stop_are_equal():
    items = [
        item("1", {"en": "What purrs?"}, {"en": "A cat."}),
        item("2", {"en": "r"}, {"en": "b"}),
    ]
    items += [
        item("3", {"en": "what purrs"}, {"en": "A lion"}),
        item("4", {"en": "s"}, {"en": "B."}),
    ]
    rows = [("What purrs?", "A cat."), ("r", "b"), ("s", "B.")]
    assert cells(items, rows, "a lion.") == {(0, 3), (1, 2), (2, 1)}


def test_answers_of_equal_queries_are_not_chained():
    """q is answered by a and b, r by b and c; so c is wrong for q, as far as anyone knows."""
    items = [item(of, {"en": of[0]}, {"en": of[1]}) for of in ("qa", "qb", "rb", "rc")]
    assert cells(items, [("q", "a"), ("r", "c")], "b") == {(0, 2), (1, 2)}


def test_other_questions_about_a_passage_do_not_hide_its_negatives():
    """Who and when are asked about a; when is asked about b too, who is not."""
    items = [item("1", {"en": "who|when"}, {"en": "a"}), item("2", {"en": "when"}, {"en": "b"})]
    rows = [("who", "a"), ("when", "a"), ("when", "b")]
    assert cells(items, rows) == {(0, 1), (1, 0), (1, 2), (2, 0), (2, 1)}


def test_a_translated_query_has_the_answers_of_the_query():
    items = [item("1", {"en": "q", "de": "q2"}, {"en": "a"}), item("2", {"en": "q"}, {"en": "b"})]
    assert cells(items, [("q2", "a")], "b") == {(0, 1)}


def test_given_negatives_are_negatives():
    items = [
        item("1", {"en": "q"}, {"en": "a"}, en="n"),
        item("2", {"en": "r"}, {"en": "b"}, en="n"),
    ]
    assert cells(items, [("q", "a"), ("r", "b")], "n", "n") == set()


def test_texts_of_punctuation_alone_are_not_all_one_text():
    items = [item("1", {"en": "?"}, {"en": "!"}), item("2", {"en": "¿"}, {"en": "\u200b"})]
    assert cells(items, [("?", "!"), ("¿", "\u200b")], "¡") == set()


def test_forms_are_numbers_of_folded_texts():
    columns = columns_of(
        [item("1", {"en": "q"}, {"en": "A cat.", "de": "Eine Katze."}, en="a CAT")]
    )
    cat, katze, other = rows_of(columns, ["A cat.", "Eine Katze.", "a CAT"])
    assert columns.groups.form_T[cat] == columns.groups.form_T[other]
    assert columns.groups.form_T[cat] != columns.groups.form_T[katze]
    assert len({*columns.groups.group_T[[cat, katze, other]]}) == 1


def test_known_answers_are_broadcast_against_each_other():
    items = [item("1", {"en": "q"}, {"en": "a"}), item("2", {"en": "r"}, {"en": "b"})]
    columns = columns_of([*items, item("3", {"en": "x"}, {})])
    asked, given = rows_of(columns, ["q", "r", "x"]), rows_of(columns, ["a", "b", "x"])
    known_QP = columns.groups.known_answers(asked[:, None], given)
    assert known_QP.tolist() == np.eye(3, dtype=bool).tolist()


class Definition:
    """Which passages are no negatives of a query, worked out by walking from text to text."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._same: dict[str, set[str]] = defaultdict(set)
        self._passages: dict[str, list[set[str]]] = defaultdict(list)
        for one in items:
            queries, passages = _forms(one.queries.values()), _forms(one.passages.values())
            for query in queries:
                self._passages[query].append(passages)
            linked = [passages]
            if all(len(texts) == 1 for texts in one.queries.values()):
                linked.append(queries)
            for texts in linked:
                for text in texts:
                    self._same[text] |= texts

    def group(self, form: str) -> set[str]:
        reached, ahead = {form}, [form]
        while ahead:
            new = self._same[ahead.pop()] - reached
            reached |= new
            ahead.extend(new)
        return reached

    def answers(self, query: str) -> set[str]:
        equal = self.group(folded(query) or query)
        known = set(equal)
        for form in equal:
            for passages in self._passages.get(form, ()):
                for passage in passages - known:
                    known |= self.group(passage)
        return known

    def cells(self, queries: Sequence[str], passages: Sequence[str]) -> Cells:
        columns = defaultdict(list)
        for column, text in enumerate(passages):
            columns[folded(text) or text].append(column)
        return {
            (row, column)
            for row, query in enumerate(queries)
            for form in self.answers(query) & columns.keys()
            for column in columns[form]
            if row != column
        }


def _forms(fields) -> set[str]:
    return {folded(text) or text for texts in fields for text in texts}


def few_texts(random: np.random.Generator, count: int) -> Iterator[Item]:
    """Items that share many texts: queries that are passages, in any case, also as negatives."""
    words = [
        f"{word}{mark}" for word, mark in product(["a", "A", "b", "c", "d", "e"], ["", ".", "#"])
    ]
    words += [f"w{n}" for n in range(count)]

    def drawn(most: int) -> dict[str, tuple[str, ...]]:
        languages = random.choice(["en", "de", "th"], random.integers(1, 4), replace=False)
        return {
            str(of): tuple(
                {str(word) for word in random.choice(words, random.integers(1, most + 1))}
            )
            for of in languages
        }

    for number in range(count):
        yield Item(f"{number}", "", drawn(random.choice([1, 2])), drawn(1), drawn(2))


def batches(
    pairs: TrainingPairs, *, homogeneous: bool, steps: int, size: int
) -> Iterator[np.ndarray]:
    schedule = HybridSchedule(
        pairs, alpha=0.5, alpha_end=None, alpha_schedule="constant", steps=steps, batch_size=size,
        size_exponent=0.5, homogeneous=homogeneous, min_size=1, seed=0,
    )  # fmt: skip
    yield from map(schedule.rows, range(steps))


def compared(definition: Definition, pairs: TrainingPairs, rows_B: np.ndarray) -> int:
    """How many false negatives a batch has, its given negatives included."""
    given = [pairs.negatives(row) for row in rows_B]
    query_B, passage_P = pairs.query_N[rows_B], np.concatenate([pairs.passage_N[rows_B], *given])
    found_E2 = pairs.groups.false_negatives(query_B, passage_P)
    found = {(row, column) for row, column in found_E2.tolist()}
    wanted = definition.cells(pairs.texts.take(query_B), pairs.texts.take(passage_P))
    assert not wanted - found, "left in the loss"
    assert not found - wanted, "hidden from the loss"
    return len(found)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("languages", [None, ["en", "de"]])
def test_no_false_negative_is_left_and_no_negative_is_hidden(seed, languages):
    items = list(few_texts(np.random.default_rng(seed), 40))
    definition = Definition(items)
    pairs = training_pairs(items, languages=languages, pairs="all", expand_pairs=False)
    drawn = batches(pairs, homogeneous=False, steps=5, size=20)
    assert min(compared(definition, pairs, rows) for rows in drawn) > 0


@pytest.mark.skipif(not SHARED.is_dir(), reason="the multilingual data are not beside this")
@pytest.mark.parametrize(
    ("sources", "homogeneous"),
    [
        (("ntrex", "tatoeba", "monoqa"), True),
        (("python-docs", "tldr", "cncf-glossary"), False),
    ],
)
def test_none_is_left_and_none_hidden_in_public_data(sources, homogeneous):
    read = [[*islice(read_pairs(path=SHARED / at / "pairs.jsonl.gz"), 3000)] for at in sources]
    definition = Definition([*chain.from_iterable(map(whole_items, read))])
    pairs = pairs_of_columns(columns_of(*read), items=None, languages=None, pairs="all")
    drawn = batches(pairs, homogeneous=homogeneous, steps=25, size=512)
    assert sum(compared(definition, pairs, rows) for rows in drawn) > 500
