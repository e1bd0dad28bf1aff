"""Which texts say the same, of all training data: union-find over items, in bounded memory.

`ContentGroups` says what a group is. Texts are equal where their hashes are, so an item's passages,
or its queries, are a node, and two nodes are linked where they have a form in common. Of the nodes
those without such a link, which are most, need no union-find.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lingmix.data.columns.joined import Joined
from lingmix.data.columns.numbering import BUCKET, Rows, first_of_equal, mixed
from lingmix.data.columns.shard import PASSAGE, QUERY
from lingmix.data.content_groups import linked


def write_groups(
    joined: Joined, *, item_I: Rows, first_T: Rows
) -> Iterator[tuple[str, NDArray[np.int64] | Rows]]:
    """Columns by name: of each text `form`, the first row of an equal form, and `group`; and
    `answers`, sorted: group of a query * `groups` + group of passages known to answer it."""
    translated_I = _translated(joined, item_I=item_I, first_T=first_T)
    form_T = first_of_equal(lambda: joined.column("texts", "form"), joined.count("texts"))
    yield "form", form_T
    node_T, linked_U, group_U = _nodes(joined, form_T, item_I=item_I, translated_I=translated_I)
    group_T = _group_of(node_T, linked_U, group_U)
    alone_T = np.arange(2 * len(item_I), groups_of(joined), dtype=np.int32)
    np.copyto(group_T, alone_T, where=node_T < 0)
    del node_T, alone_T
    group_T = group_T[form_T]
    yield "group", group_T
    yield "answers", _answers(joined, group_T, linked_U, group_U, item_I=item_I)


def groups_of(joined: Joined) -> int:
    """More than any group's number."""
    return 2 * joined.count("items") + joined.count("texts")


def _translated(joined: Joined, *, item_I: Rows, first_T: Rows) -> NDArray[np.bool_]:
    """The items that have one query a language."""
    slot_T = first_of_equal(
        lambda: (
            mixed(mixed(item_I[item], language), role == QUERY)
            for _, item, language, role in joined.columns("texts", "item", "language", "role")
        ),
        len(first_T),
    )
    translated_I = np.ones(len(item_I), np.bool_)
    for begin, item, role in joined.columns("texts", "item", "role"):
        here = slice(begin, begin + len(role))
        differs = (role == QUERY) & (first_T[slot_T[here]] != first_T[here])
        translated_I[item_I[item[differs]]] = False
    return translated_I


def _nodes(
    joined: Joined, form_T: Rows, *, item_I: Rows, translated_I: NDArray[np.bool_]
) -> tuple[Rows, NDArray[np.int64], NDArray[np.int64]]:
    """Of each form the first node that has it, -1 for none; the nodes that share a form with
    another, and the group of each: its first node."""
    node_T = np.full(len(form_T), -1, np.int32)
    edges = [np.empty((0, 2), np.int64)]
    for begin, item, role in joined.columns("texts", "item", "role"):
        number, form = item_I[item], form_T[begin : begin + len(role)]
        links = (role == PASSAGE) | ((role == QUERY) & translated_I[number])
        form, node = form[links], (number + np.where(role == QUERY, len(item_I), 0))[links]
        new = np.flatnonzero(node_T[form] < 0)[::-1]  # the last that is assigned remains
        node_T[form[new]] = node[new]
        shared = node_T[form] != node
        pairs = np.stack([node_T[form[shared]], node[shared]], axis=1).astype(np.int64)
        edges.append(np.unique(pairs, axis=0))
    edges_E2 = np.concatenate(edges)
    linked_U, ends = np.unique(edges_E2, return_inverse=True)
    label_U = linked(ends.reshape(-1, 2), nodes=len(linked_U))
    _, first_U, label_U = np.unique(label_U, return_index=True, return_inverse=True)
    return node_T, linked_U, linked_U[first_U][label_U] if len(linked_U) else linked_U


def _group_of(node_N: Rows, linked_U: NDArray[np.int64], group_U: NDArray[np.int64]) -> Rows:
    """A node's group: that of those linked with it, or itself."""
    group_N = node_N.copy()
    if len(linked_U):
        for begin in range(0, len(node_N), BUCKET):
            node = node_N[begin : begin + BUCKET]
            place = np.minimum(np.searchsorted(linked_U, node), len(linked_U) - 1)
            found = linked_U[place] == node
            group_N[begin : begin + BUCKET][found] = group_U[place[found]]
    return group_N


def _answers(
    joined: Joined,
    group_T: Rows,
    linked_U: NDArray[np.int64],
    group_U: NDArray[np.int64],
    *,
    item_I: Rows,
) -> NDArray[np.int64]:
    """Without the group of the query itself; a range of queries' groups at a time is sorted."""
    groups = groups_of(joined)
    buckets = max(1, -(-joined.count("texts") // BUCKET))
    sorted_answers = []
    for bucket in range(buckets):
        low, high = (groups * n // buckets for n in (bucket, bucket + 1))
        found = [np.empty(0, np.int64)]
        for begin, item, role in joined.columns("texts", "item", "role"):
            asked = group_T[begin : begin + len(role)]
            wanted = (role == QUERY) & (low <= asked) & (asked < high)
            given = _group_of(item_I[item[wanted]], linked_U, group_U)
            answers = asked[wanted].astype(np.int64) * groups + given
            found.append(np.unique(answers[asked[wanted] != given]))
        sorted_answers.append(np.unique(np.concatenate(found)))
    return np.concatenate(sorted_answers)
