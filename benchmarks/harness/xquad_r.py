"""XQuAD-R as texts to train on: for its lengths and its languages, never for a model to keep."""

import atexit
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.harness.comparison import FOLDER
from lingmix.data.columns.columns import Source, keep_columns
from lingmix.data.items import Item
from lingmix.data.sources.xquad_r import read_xquad_r
from lingmix.data.training_pairs import TrainingPairs, training_pairs

XQUAD_R = Path(__file__).parents[3] / "shared" / "data" / "raw" / "lareqa" / "xquad-r"
LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")


def monolingual_pairs() -> TrainingPairs:
    return _pairs([f"{language}-{language}" for language in LANGUAGES])


def all_pairs() -> TrainingPairs:
    return _pairs("all")


def _pairs(pairs: Sequence[str] | str) -> TrainingPairs:
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=FOLDER))
    atexit.register(shutil.rmtree, folder)
    source = Source("XQuAD-R", 0, "xquad_r", read=_items, size=0)
    columns = keep_columns([source], folder, expand_pairs=False)
    return training_pairs(columns, items=None, languages=None, pairs=pairs)


def _items() -> list[Item]:
    """A question in every language and the sentences that answer it. No two share a text, so that
    no loss has a false negative to mask in a monolingual batch."""
    texts = read_xquad_r(name="xquad_r", folder=XQUAD_R, languages=LANGUAGES, articles=None)
    queries: dict[str, dict[str, tuple[str, ...]]] = {}
    passages: dict[str, dict[str, tuple[str, ...]]] = {}
    for q, p in zip(texts.query_J, texts.passage_J, strict=True):
        question = texts.query_ids[q].partition(":")[2]
        queries.setdefault(question, {})[texts.query_languages[q]] = (texts.queries[q],)
        passages.setdefault(question, {})[texts.passage_languages[p]] = (texts.passages[p],)
    items, seen = [], set[str]()
    for question, asked in queries.items():
        held = {text for by in (asked, passages[question]) for (text,) in by.values()}
        if seen.isdisjoint(held):
            seen |= held
            items.append(
                Item(id=question, domain="xquad_r", queries=asked, passages=passages[question])
            )
    return items
