"""The mining command: negatives that train, none of which is known to be right."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from lingmix.cli.config import build, resolved
from lingmix.commands.mine import mine_negatives
from lingmix.commands.train import train
from lingmix.data.items import Item
from lingmix.data.sources.cldr import read_cldr
from lingmix.data.sources.pair_rows import read_pairs
from lingmix.data.training_pairs import TrainingPairs
from lingmix.errors import InputError
from lingmix.model.embed import encode_texts
from lingmix.model.encoder import Encoder
from tests.columns import training_pairs
from tests.conftest import QUICK, STATIC

LANGUAGES = ["en", "de"]
ITEMS = read_cldr(languages=LANGUAGES, domains=["geography", "currency"])


@pytest.fixture
def encoder(configure, output_dir) -> Encoder:
    scratch = ["encoder.scratch.dimension=16", "encoder.scratch.vocabulary=500"]
    config = configure("train", "encoder=static", *scratch)
    texts = [text for item in ITEMS for one in item.passages.values() for text in one]
    return build(resolved(config)["encoder"])(texts=texts, cache=output_dir / "cache", seed=0)


@pytest.fixture
def configured(configure, encoder, tmp_path):
    """Of the English and German facts, with a static encoder's folder."""
    encoder.save(tmp_path / "model")

    def of(*overrides: str):
        return configure(
            "mine",
            "languages=[en,de]",
            f"encoder.name={tmp_path / 'model'}",
            f"path={tmp_path / 'mined.jsonl.gz'}",
            "precision=32-true",
            *overrides,
        )

    return of


def pairs_of(items: list[Item]) -> TrainingPairs:
    return training_pairs(items, languages=None, pairs="all", expand_pairs=False)


def texts_of(pairs: TrainingPairs) -> list[tuple[str, str, str]]:
    queries, passages = pairs.texts.take(pairs.query_N), pairs.texts.take(pairs.passage_N)
    named = [str(pairs.language_pairs[n]) for n in pairs.language_pair_N]
    return [*zip(queries, passages, named, strict=True)]


@pytest.mark.parametrize("language", ["passage", "any"])
def test_the_file_holds_the_pairs_of_the_data_and_no_false_negative(
    configured, encoder, tmp_path, language
):
    said = mine_negatives(configured(f"mining.language={language}", "mining.count=3"))
    read = list(read_pairs(path=tmp_path / "mined.jsonl.gz"))
    pairs, mined = pairs_of(ITEMS), pairs_of(read)
    assert sorted(texts_of(mined)) == sorted(texts_of(pairs))
    assert f"{len(pairs):,}" in said
    own_M, negative = mined.given_negatives
    given_N = np.bincount(own_M, minlength=len(mined))
    assert given_N.max() == 3
    assert given_N.mean() > 0.5
    own = mined.passage_N[own_M]
    assert not mined.groups.known_answers(mined.query_N[own_M], negative).any()
    vectors_QD, vectors_PD = (
        encode_texts(encoder, [*mined.texts], role, batch_tokens=4096, precision="32-true").astype(
            float
        )
        for role in ("query", "passage")
    )
    asked_MD = vectors_QD[mined.query_N[own_M]]
    own_M1, negative_M1 = (np.vecdot(asked_MD, vectors_PD[which]) for which in (own, negative))
    assert (negative_M1 <= own_M1 - 0.05 * np.abs(own_M1) + 1e-6).all()
    german = {text for item in ITEMS for text in item.passages["de"]}
    english = {text for item in ITEMS for text in item.passages["en"]}
    for item in read:
        for pair in item.listed:
            if language == "passage":
                corpus = german if pair.languages.passage == "de" else english
                assert corpus.issuperset(pair.negatives)
    if language == "any":
        assert any(german & set(pair.negatives) for item in read for pair in item.listed)


def test_what_was_mined_trains(configured, configure, tmp_path):
    mine_negatives(configured())
    mined = [
        "data=pairs",
        f"data.path={tmp_path / 'mined.jsonl.gz'}",
        "data.negatives=2",
        "augmentation=none",
    ]
    assert "currency" in train(configure("train", *QUICK, *STATIC, *mined))


def test_the_same_command_writes_the_same_bytes(configured, tmp_path):
    sampled = ["pairs=[en-de]", "mining.take=sample", "mining.depth=20"]
    mine_negatives(configured(*sampled))
    first = (tmp_path / "mined.jsonl.gz").read_bytes()
    mine_negatives(configured(*sampled))
    assert (tmp_path / "mined.jsonl.gz").read_bytes() == first
    mine_negatives(configured(*sampled, "mining.seed=1"))
    assert (tmp_path / "mined.jsonl.gz").read_bytes() != first


def test_languages_pairs_scale_and_search_are_chosen_as_elsewhere(configured, tmp_path):
    mine_negatives(
        configured(
            "pairs=[en-de]",
            "augmentation=currency",
            "augmentation.scale=3",
            "search=scalar",
        )
    )
    with gzip.open(tmp_path / "mined.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    assert {(row["query_lang"], row["passage_lang"]) for row in rows} == {("en", "de")}
    assert len({row["source_id"] for row in rows if row["domain"] == "currency"}) == 3


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["mining.depth=4", "mining.skip=1"], r"mining\.depth: must be at least count \+ skip = 5"),
        (["mining.max_share=1.5"], r"mining\.max_share: must be in \(0, 1\], or null, got 1\.5"),
        (["path=mined.tsv"], r"path: must end in one of \.jsonl "),
        (["encoder=bm25"], r"encoder: .* gives no vectors; name a model"),
        (
            ["pairs=[en-de]", "mining.margin=1.99"],
            r"mining: no pair has a candidate left: of [1-9]\d* candidates ",
        ),
    ],
)
def test_bad_input_is_named_and_leaves_no_file(configured, tmp_path, overrides, says):
    with pytest.raises(InputError, match=says):
        mine_negatives(configured(*overrides))
    assert [one.name for one in tmp_path.iterdir()] == ["model"]


def test_what_is_read_is_not_written_over(configured, tmp_path):
    path = Path(tmp_path, "mined.jsonl.gz")
    with pytest.raises(InputError, match=r"path: .*mined\.jsonl\.gz is read by"):
        mine_negatives(configured("data=pairs", f"data.path={path}"))


@pytest.mark.parametrize("name", ["symbolic link", "hard link", "relative", "folder"])
def test_what_is_read_is_not_written_over_by_another_name_of_it(
    configured, tmp_path, monkeypatch, name
):
    read = tmp_path / "pairs.jsonl"
    read.write_text('{"query": "a", "passage": "b"}\n')
    link = tmp_path / "link.jsonl"
    match name:
        case "symbolic link":
            link.symlink_to(read)
        case "hard link":
            link.hardlink_to(read)
        case "relative":
            monkeypatch.chdir(tmp_path)
            link = Path("../", tmp_path.name, "pairs.jsonl")
        case "folder":
            (tmp_path / "all").symlink_to(tmp_path)
            link = tmp_path / "all" / "pairs.jsonl"
    config = configured("data=pairs", f"data.path={read}", f"path={link}")
    with pytest.raises(InputError, match=r"^path: .* is read by data.sets.pairs.path=.*;"):
        mine_negatives(config)
    assert read.read_text() == '{"query": "a", "passage": "b"}\n'
