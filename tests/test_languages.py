"""Languages as users have them, from the data to the report: tags with hyphens, and codes that
other readers take for false, for no number or for nothing.
"""

import json
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from mlflow import MlflowClient

from lingmix.analysis.groups import measured
from lingmix.analysis.pair_scores import pair_scores
from lingmix.commands.analyze import analyze
from lingmix.commands.evaluate import evaluate
from lingmix.commands.train import train
from lingmix.errors import InputError
from lingmix.tracking.history import complete_runs
from lingmix.tracking.run_table import cell_table
from tests.conftest import QUICK

CODES = ("NA", "en-US", "nan", "no", "null", "zh-Hans")


def lines(rows: list[dict]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.fixture
def items(tmp_path: Path) -> str:
    rows = [
        {
            "id": str(n),
            "domain": "",
            "queries": {code: [f"{code} trained question {n}"] for code in CODES},
            "passages": {code: [f"{code} trained answer {n}"] for code in CODES},
        }
        for n in range(8)
    ]
    (tmp_path / "items.jsonl").write_text(lines(rows))
    return f"data.path={tmp_path}/items.jsonl"


@pytest.fixture
def held_out(tmp_path: Path) -> str:
    """Two facts in all languages; each passage answers its fact's queries."""
    facts = list(product(CODES, "ab"))
    (tmp_path / "qrels").mkdir()
    for name, word in (("queries", "asked"), ("corpus", "told")):
        rows = [
            {"_id": f"{code} {fact}", "text": f"{word} {fact} {code}", "lang": code}
            for code, fact in facts
        ]
        (tmp_path / f"{name}.jsonl").write_text(lines(rows))
    judged = [
        f"{query} {fact}\t{passage} {fact}\t1\n" for query, (passage, fact) in product(CODES, facts)
    ]
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return f"evaluation.folder={tmp_path}"


def test_languages_are_called_the_same_from_the_data_to_the_report(
    configure, items: str, held_out: str
) -> None:
    quick = [one for one in QUICK if not one.startswith("languages")]
    sources = ("data=items", items, "evaluation=beir", held_out, "augmentation=none")
    train(configure("train", *quick, *sources))
    config = configure("analyze")
    analyze(config)
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.name).experiment_id
    (run,) = complete_runs(client, experiment).values()
    pairs = {f"test/beir/pair/{query}-{passage}/map" for query, passage in product(CODES, CODES)}
    assert {
        name for name in run.data.metrics if name.endswith("/map") and "/pair/" in name
    } == pairs
    recorded = cell_table(client, experiment)
    scores = pair_scores(measured(recorded, "beir"), "map", by=())
    assert {(query, passage) for query, passage, _ in scores.rows()} == {*product(CODES, CODES)}
    for query, passage, score in scores.rows():
        assert score == run.data.metrics[f"test/beir/pair/{query}-{passage}/map"]
    per_query = pl.read_parquet(client.download_artifacts(run.info.run_id, "per_query.parquet"))
    assert set(per_query["query_language"]) == {*CODES}
    assert set(per_query["passage_language"]) == {*CODES, None}
    page = (Path(config.analysis.folder) / "report.html").read_text()
    assert f"6 languages ({', '.join(CODES)})" in page


def test_pairs_with_tags_are_trained_on_as_they_are_asked_for(configure, items: str, held_out: str):
    quick = [one for one in QUICK if not one.startswith("languages")]
    asked = ("languages=[en-US,zh-Hans,'nan']", "pairs=[en-US-zh-Hans,zh-Hans-en-US,'nan-nan']")
    sources = ("data=items", items, "evaluation=beir", held_out, "augmentation=none")
    told = train(configure("train", *quick, *sources, *asked))
    assert "en-US-zh-Hans,zh-Hans-en-US,nan-nan" in told


def test_a_language_that_no_set_has_is_one_line(configure, held_out: str) -> None:
    asked = "languages=[en-US,sw]"
    config = configure("evaluate", "encoder=tfidf", "evaluation=beir", held_out, asked)
    with pytest.raises(InputError) as caught:
        evaluate(config)
    assert str(caught.value) == (
        "languages: no evaluation set has sw; leave it out (of those asked for they have en-US)"
    )
    client = MlflowClient(config.tracking.uri)
    assert not client.search_runs([client.get_experiment_by_name(config.name).experiment_id])


def test_a_set_that_lacks_a_language_says_so(configure, held_out: str, caplog) -> None:
    """Not an error: another set has it."""
    asked = ["encoder=tfidf", "evaluation=[cldr,beir]", held_out, "languages=[en,en-US]"]
    evaluate(configure("evaluate", *asked))
    said = [one.getMessage() for one in caplog.records if one.name.startswith("lingmix.data")]
    assert said == [
        "evaluation set cldr_currency has no en-US",
        "evaluation set cldr_geography has no en-US",
        "evaluation set beir has no en",
    ]
