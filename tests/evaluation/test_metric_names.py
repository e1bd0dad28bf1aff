import pytest

from lingmix.data.items import LanguagePair
from lingmix.evaluation.metric_names import (
    MetricName,
    ScoreName,
    on_development_set,
    on_test_set,
    parse,
    parse_score,
    setting_maps,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "test/xquad_r/multilingual/map",
            MetricName("test", "xquad_r", ScoreName("map", "multilingual")),
        ),
        (
            "test/a/pair/zh-Hans-pt-BR/ndcg_at_10",
            MetricName("test", "a", ScoreName("ndcg_at_10", LanguagePair("zh-Hans", "pt-BR"))),
        ),
        (
            "test/pair/multilingual/excess_share/de",
            MetricName("test", "pair", ScoreName("excess_share/de", "multilingual")),
        ),
        (
            "val/development/contrastive_entropy",
            MetricName("val", "development", ScoreName("contrastive_entropy")),
        ),
    ],
)
def test_a_name_is_parsed_into_what_it_was_built_of(text: str, name: MetricName) -> None:
    assert parse(text) == name
    assert str(name) == text


@pytest.mark.parametrize(
    "text",
    [
        "train/loss",
        "system/cpu_utilization_percentage",
        "test/a",
        "test/a/",
        "test/a/pair/en-de",
        "test/a/pair/english/map",
        "test/a/other/map",
    ],
)
def test_what_is_no_metric_of_an_evaluation_set_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_score_is_named_alike_on_a_test_set_and_in_validation() -> None:
    score = str(ScoreName("map", "multilingual"))
    assert parse_score(score) == ScoreName("map", "multilingual")
    assert on_test_set("toy", score) == "test/toy/multilingual/map"
    assert on_development_set(score) == "val/development/multilingual/map"


def test_runs_are_compared_by_the_map_of_their_test_sets_settings() -> None:
    names = [
        "val/development/multilingual/map",
        "test/toy/multilingual/map",
        "test/toy/multilingual/peer",
        "test/toy/pair/en-de/map",
        "test/other/monolingual/map",
    ]
    found = [str(name) for name in setting_maps(names)]
    assert found == ["test/other/monolingual/map", "test/toy/multilingual/map"]
