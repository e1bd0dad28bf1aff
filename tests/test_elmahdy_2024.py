"""A dress rehearsal of the paper's experiment: its two architectures at small size, its three
strategies, and every set in the form its publishers give it, from loopback or the Hub's cache."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lingmix.cli.config import resolved
from lingmix.commands.analyze import analyze
from lingmix.commands.train import train
from tests.data.sources import test_mlqa_r, test_xquad_r
from tests.data.sources.conftest import hub
from tests.data.sources.published import gzipped, hub_put, md5, served
from tests.model.conftest import model_folder

__all__ = ["hub"]

SETS = [
    "wikiqa",
    "mr_tydi",
    "duorc",
    "newsqa",
    "natural_questions",
    "yahoo_qa",
    "entity_questions",
    "mfaq",
    "mmarco",
]
ENGLISH_ALONE = ("mr_tydi", "mfaq")
SHIFTS = ("new_wiki", "nyt", "reddit", "amazon_reviews")
STRATEGIES = {"monolingual": 1.0, "crosslingual": 0.0, "hybrid": 0.5}


def training_rows(name: str, items: int = 6):
    """Triples in each language; their translations share a source."""
    of_set = ("en",) if name in ENGLISH_ALONE else ("de", "en", "es")
    for n in range(items):
        for language in of_set:
            yield {
                "query": f"{name} {language} asks {n} of {n * 7 % 5}?",
                "passage": f"{language} {name} tells that {n} is {n * 7 % 5}.",
                "negatives": [f"{language} {name} is no answer {n}."],
                "query_lang": language,
                "passage_lang": language,
                "source_id": f"{name}-{n}",
            }


def squad_shifts(name: str) -> str:
    context = f"A {name} stands here. It was built in 1900. Nobody lives there."
    asked = {"id": name, "question": f"When was the {name} built?"}
    answer = {"answer_start": context.index("1900"), "text": "1900"}
    paragraph = {"context": context, "qas": [asked | {"answers": [answer]}]}
    return json.dumps({"version": "1.1", "data": [{"title": name, "paragraphs": [paragraph]}]})


def publish(folder: Path, hub_cache: Path, miracl: dict) -> list[str]:
    """Writes all sets; returns where the run finds them."""
    paragraphs = {
        of: [test_xquad_r.paragraph([f"{of} one.", f"{of} two."], {"q": 0})]
        for of in ("de", "en", "es")
    }
    test_xquad_r.write(folder, **paragraphs)
    archive = test_mlqa_r.publish(folder)
    for name in SHIFTS:
        (folder / f"{name}_v1.0.json").write_text(squad_shifts(name))
    (folder / "elmahdy_2024").mkdir()
    for name in SETS:
        (folder / f"elmahdy_2024/{name}.jsonl.gz").write_bytes(gzipped(*training_rows(name)))
    stem = "miracl-v1.0-sw"
    for what, rows in (("topics", "0\tNani alibuni simu?\n"), ("qrels", "0\tQ0\t39#0\t1\n")):
        place = f"{stem}/{what}/{what}.{stem}-dev.tsv"
        hub_put(hub_cache, "miracl/miracl", miracl["revision"], place, rows)
    corpus = gzipped(
        {"docid": "39#0", "title": "Simu", "text": "Bell alibuni simu."},
        {"docid": "39#1", "title": "Nile", "text": "Nile ni mrefu."},
    )
    place = "miracl-corpus-v1.0-sw/docs-0.jsonl.gz"
    hub_put(hub_cache, "miracl/miracl-corpus", miracl["corpus_revision"], place, corpus)
    return [
        f"evaluation.mlqa_r.checksum={md5(archive)}",
        *(f"evaluation.xquad_r.checksums.{of}={md5(folder / f'{of}.json')}" for of in paragraphs),
    ]


@pytest.fixture
def models(tmp_path) -> dict[str, Path]:
    """XLM-R, and LaBSE, which is a BERT."""
    kinds = {"xlmr_base": "xlm-roberta", "labse": "bert"}
    return {
        name: model_folder(tmp_path / name, tmp_path / "cache", kind)
        for name, kind in kinds.items()
    }


def test_both_encoders_are_trained_by_three_strategies_and_measured(
    configure, hub, models, tmp_path
):
    settings = [
        "experiment=elmahdy_2024",
        "name=rehearsal",
        "evaluation.xquad_r.languages=[de,en,es]",
        "evaluation.mlqa_r.languages=[de,en,es]",
        "evaluation.miracl.languages=[sw]",
        f"data_dir={tmp_path}",
        f"download_dir={tmp_path / 'downloads'}",
        f"data.development.download_dir={tmp_path / 'downloads'}",
        "encoder.max_length={query: 32, passage: 48}",
        "sampler.batch_size=16",
        "trainer.max_steps=4",
        "trainer.val_check_interval=1",
        "trainer.callbacks.early_stopping.patience=1",
        "trainer.enable_progress_bar=false",
        "tracking.system_metrics=null",
    ]
    sets = resolved(configure("train", *settings))["evaluation"]
    settings += publish(tmp_path, hub, sets["miracl"])
    with served(tmp_path) as url:
        settings += [
            f"evaluation.xquad_r.url={url}",
            f"evaluation.mlqa_r.url={url}/MLQA_V1.zip",
            f"data.development.url={url}",
        ]
        for encoder, folder in models.items():
            for strategy in STRATEGIES:
                chosen = (f"sampler={strategy}", f"encoder={encoder}", f"encoder.name={folder}")
                config = configure("train", *settings, *chosen)
                train(config)
    client = MlflowClient(config.tracking.uri)
    runs = client.search_runs([client.get_experiment_by_name("rehearsal").experiment_id])
    assert len(runs) == 6
    for run in runs:
        scores = run.data.metrics
        for name in ("xquad_r", "mlqa_r"):
            assert f"test/{name}/multilingual/rank_distance" in scores
            assert f"test/{name}/crosslingual/map" in scores
        assert "test/miracl/monolingual/ndcg_at_10" in scores
        assert "test/miracl/crosslingual/map" not in scores
        assert "val/development/contrastive_entropy" in scores
        assert run.data.params["encoder.prompts.query"] == "Query: "
    printed = analyze(configure("analyze", "name=rehearsal"))
    assert all(name in printed for name in ("xquad_r", "mlqa_r", "miracl"))
