"""Passwords and tokens in URIs are in nothing that is written or shown."""

import pytest

from lingmix.commands.evaluate import evaluate
from lingmix.tracking.secrets import mask_all_secrets, mask_secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db"),
        ("sqlite:////home/me:1/a@b/x.db", "sqlite:////home/me:1/a@b/x.db"),
        ("http://host:5000/a?b=c", "http://host:5000/a?b=c"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("tracking.uri=postgresql://me:p@w@host/db", "tracking.uri=postgresql://me:***@host/db"),
        ("postgresql+psycopg://me:a b#c/d@host/db", "postgresql+psycopg://me:***@host/db"),
        ("mysql://:secret@host/db", "mysql://:***@host/db"),
        ("http://token@host", "http://***@host"),
        ("https://token:@host:5000/x", "https://***@host:5000/x"),
        ("https://me:secret@host", "https://***@host"),
        ("https://host/x?access_token=abc&b=c", "https://host/x?access_token=***&b=c"),
        (
            "postgresql://host/db?user=me&password=a b#c",
            "postgresql://host/db?user=me&password=***",
        ),
        ("https://huggingface.co/datasets/a@main", "https://huggingface.co/datasets/a@main"),
    ],
)
def test_a_secret_is_shown_as_three_stars_and_all_else_as_it_is(text, expected):
    assert mask_secrets(text) == expected


def test_every_text_of_a_configuration_is_masked():
    config = {"a": [{"url": "https://token@host/x"}], "b": 1, "c": None, "d": ("http://t@h",)}
    assert mask_all_secrets(config) == {
        "a": [{"url": "https://***@host/x"}],
        "b": 1,
        "c": None,
        "d": ["http://***@h"],
    }


def test_a_uri_can_be_handed_by_the_environment_which_no_process_list_shows(
    configure, monkeypatch, output_dir
):
    for command in ("train", "evaluate", "mine", "sweeps", "analyze"):
        monkeypatch.delenv("LINGMIX_TRACKING_URI", raising=False)
        assert configure(command).tracking.uri == f"sqlite:///{output_dir}/mlflow.db"
        monkeypatch.setenv("LINGMIX_TRACKING_URI", "http://t0ken@host:5000/a b")
        assert configure(command).tracking.uri == "http://t0ken@host:5000/a b"


def test_a_token_is_nowhere_below_the_output_of_a_run(configure, output_dir):
    where = ("tracking.uri='http://s3cret-t0ken@127.0.0.1:9'", "tracking.wait=0")
    config = configure("evaluate", "encoder=bm25", "languages=[en,de]", *where)
    assert "records are pending in" in evaluate(config)
    files = [path for path in (output_dir / "runs" / config.name).rglob("*") if path.is_file()]
    assert {"journal.jsonl", "config.yaml", "sent.json"} <= {path.name for path in files}
    assert [path for path in files if b"s3cret-t0ken" in path.read_bytes()] == []
    (config_yaml,) = [
        path for path in files if path.parent.name == "left" and "config" in path.name
    ]
    assert "uri: http://***@127.0.0.1:9" in config_yaml.read_text()
