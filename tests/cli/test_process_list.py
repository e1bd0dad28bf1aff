"""What of a command its process list shows."""

import os
import sys

import pytest

from lingmix.cli.process_list import hide_secret

REFERENCE = "${oc.env:LINGMIX_TRACKING_URI}"


@pytest.mark.parametrize(
    ("override", "hidden", "uri"),
    [
        ("tracking.uri='http://me:s3cret@host/a b'", "tracking.uri=", "http://me:s3cret@host/a b"),
        ("++tracking.uri=http://t0ken@host", "++tracking.uri=", "http://t0ken@host"),
        (
            "tracking.uri='postgresql://u@host/d?password=x'",
            "tracking.uri=",
            "postgresql://u@host/d?password=x",
        ),
    ],
)
def test_a_uri_with_a_secret_is_handed_by_the_environment(monkeypatch, override, hidden, uri):
    monkeypatch.setenv("LINGMIX_TRACKING_URI", "before")
    assert hide_secret(["-m", override, "seed=0"]) == ["-m", f"{hidden}{REFERENCE}", "seed=0"]
    assert os.environ["LINGMIX_TRACKING_URI"] == uri


@pytest.mark.parametrize(
    "override",
    [
        "tracking.uri=http://host:5000",
        "tracking.uri=sqlite:////a/b.db",
        f"tracking.uri={REFERENCE}",
        "tracking.uri='http://t@a','http://t@b'",
        "tracking.uri=['http://t@a'",
        "encoder.name=http://t0ken@host",
    ],
)
def test_all_else_stays_as_it_is(monkeypatch, override):
    monkeypatch.setenv("LINGMIX_TRACKING_URI", "before")
    assert hide_secret([override]) == [override]
    assert os.environ["LINGMIX_TRACKING_URI"] == "before"


def test_a_process_that_shows_a_secret_starts_anew_without_it(monkeypatch):
    monkeypatch.setenv("LINGMIX_TRACKING_URI", "before")
    started = []
    monkeypatch.setattr(sys, "orig_argv", ["python", "command", "tracking.uri=http://t0ken@host"])
    monkeypatch.setattr(os, "execv", lambda *given: started.append(given))
    hide_secret(sys.orig_argv[2:])
    assert started == [(sys.executable, ["python", "command", f"tracking.uri={REFERENCE}"])]
