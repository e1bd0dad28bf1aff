"""The analyze command on an experiment that trained nothing."""

from pathlib import Path

import pytest

from lingmix.commands.analyze import analyze
from lingmix.commands.evaluate import evaluate
from lingmix.errors import InputError
from lingmix.tracking.store.client import experiment_of, open_store


def test_two_lexical_rows_are_told_beside_one_another(configure):
    for method in ("tfidf", "bm25"):
        evaluate(configure("evaluate", f"encoder={method}", "languages=[en,de]"))
    config = configure("analyze")
    told = analyze(config)
    assert "cldr_currency\n\n### Encoders evaluated as they are" in told
    assert told.count("| tfidf | ") == told.count("| bm25 | ") == 4
    folder = Path(config.analysis.folder)
    assert (folder / "figures" / "cldr_currency-bias-encoder-2.png").exists()
    assert "2 languages (de, en)" in (folder / "report.html").read_text()


def test_an_experiment_without_a_complete_run_says_what_to_run(configure):
    config = configure("analyze")
    client = open_store(config.tracking.uri)
    experiment_of(client, config.name, output_dir=Path(config.output_dir))
    with pytest.raises(InputError, match="no complete run to analyse"):
        analyze(config)


def test_planted_studies_are_analysed_without_a_store(configure):
    config = configure(
        "analyze", "planted=additive", "planted.studies=2", "planted.draws=100",
        "planted.design.scales=[0,2000]", "planted.design.questions=20",
    )  # fmt: skip
    told = analyze(config)
    assert told.startswith("2 studies of 5 alphas, 2 scales, 3 seeds and 20 questions")
    # two scales tell no exponent: of two studies none
    exponent = next(line for line in told.splitlines() if line.startswith("exponent"))
    assert exponent.split() == ["exponent", ".500", ".000", "—", "—"]
    assert told == analyze(config)
