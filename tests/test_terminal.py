"""The machines that commands meet: closed streams, letters they lack, folders that cannot be."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lingmix.cli.arguments import locate
from lingmix.cli.config import build, resolved
from lingmix.cli.entry_point import entry_point
from lingmix.cli.failures import input_errors
from lingmix.errors import InputError
from lingmix.terminal import PrintableRecord, exit_with_error, printable, say
from lingmix.tracking.store.client import open_store

SWEEPS = [sys.executable, "-m", "lingmix.sweeps"]


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env=os.environ | {"command": " ".join(SWEEPS)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("$command output_dir=$folder >&-", 0),
        ("$command output_dir=$folder >&- 2>&- <&-", 0),
        ("$command output_dir=$folder | true", 141),
        ("$command --cfg job | head -1 > /dev/null", None),
        ("PYTHONUNBUFFERED=1 $command --help | true", 141),
    ],
)
def test_a_stream_that_nobody_reads_ends_a_command_quietly(
    tmp_path: Path, command: str, status: int | None
) -> None:
    """A pipe may take all that `--cfg job` has to say before its reader goes."""
    ended = shell(command, folder=str(tmp_path))
    assert ended.stderr == ""
    assert ended.returncode in ((0, 141) if status is None else (status,))


def test_letters_that_a_terminal_lacks_are_escaped(tmp_path: Path) -> None:
    """An experiment called é, on a terminal that knows ASCII alone."""
    ended = shell(
        "$command output_dir=$folder \"name='é'\"",
        folder=str(tmp_path),
        LC_ALL="C",
        PYTHONIOENCODING="ascii",
    )
    assert "lingmix-sweeps: name: no experiment '\\xe9' is recorded" in ended.stderr


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("$folder/file", "cannot be used (File exists)"),
        ("$folder/file/below", "cannot be used (Not a directory)"),
        ("$folder/$(printf '%300d' 0)", "cannot be used (File name too long)"),
        ("/proc/none", "cannot be used (No such file or directory)"),
    ],
)
def test_an_output_dir_that_cannot_be_is_one_line(tmp_path: Path, place: str, told: str) -> None:
    (tmp_path / "file").touch()
    ended = shell(f"$command \"output_dir='{place}'\"", folder=str(tmp_path))
    assert ended.returncode == 1
    assert told in ended.stderr
    assert ended.stderr.startswith("lingmix-sweeps: ")
    assert ended.stderr.count("\n") == 1


def test_a_user_without_a_home_has_the_root_as_docker_has_it() -> None:
    """A number without an account, as containers run under: MLflow asks for a home as it starts."""
    told = shell(
        f"""env -u HOME {sys.executable} -c '
import pathlib, pwd
pwd.getpwuid = {{}}.__getitem__
import lingmix
print(pathlib.Path.home())'"""
    )
    assert (told.stdout, told.stderr) == ("/\n", "")


def test_a_tilde_is_the_home_folder_in_every_path(
    configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = resolved(
        configure(
            "train",
            "output_dir='~/runs'",
            "tracking.uri='sqlite:///~/mlflow.db'",
            "data=pairs",
            "data.path='~/pairs.jsonl'",
            "evaluation=beir",
            "evaluation.folder='~/set'",
            "encoder.name='~'",
            "+tracking.note='a ~/b'",
        )
    )
    assert config["output_dir"] == f"{tmp_path}/runs"
    assert config["tracking"]["uri"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert config["data"]["sets"]["pairs"]["path"] == f"{tmp_path}/pairs.jsonl"
    assert config["evaluation"]["beir"]["folder"] == f"{tmp_path}/set"
    assert config["encoder"]["name"] == str(tmp_path)
    assert config["tracking"]["note"] == "a ~/b"


def test_hydra_makes_no_folder_called_tilde(tmp_path: Path) -> None:
    ended = shell(f"cd {tmp_path} && $command output_dir=\\'~/runs\\'", HOME=str(tmp_path))
    assert ended.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_what_the_machine_refuses_a_reader_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught, input_errors("train"):
        build({"_target_": "tokenize.open", "filename": f"{tmp_path}/none"})
    assert str(caught.value) == (
        f"{tmp_path}/none: cannot be used (No such file or directory); mend what is there, or name "
        "another path"
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            NotADirectoryError(20, "Not a directory", "a/b"),
            "a/b: cannot be used (Not a directory); mend what is there, or name another path",
        ),
        (
            OSError(24, "Too many open files"),
            "the machine does not do what it is asked (OSError: Too many open files)",
        ),
        (
            OSError("no\n such model"),
            "the machine does not do what it is asked (OSError: no such model)",
        ),
        (
            PermissionError(13, "Permission denied", "a"),
            "a: cannot be written (Permission denied); make room, or have it made writable, or "
            "choose another output_dir",
        ),
    ],
)
def test_what_the_machine_refuses_is_one_line(error: OSError, told: str) -> None:
    with pytest.raises(InputError) as caught, input_errors("train"):
        raise error
    assert str(caught.value) == told


ESCAPES = "run\x1b]0;title\x07\x1b[2J\x9b31m\u202eback\r"
SHOWN = r"run\x1b]0;title\x07\x1b[2J\x9b31m\u202eback\r"


def test_what_a_terminal_would_obey_is_escaped_wherever_text_is_shown(capsys, caplog):
    assert printable(f"a\tb\n{ESCAPES}é北京نص") == f"a\tb\n{SHOWN}é北京نص"
    say(ESCAPES)
    assert capsys.readouterr().out == f"{SHOWN}\n"
    with pytest.raises(SystemExit) as ended:
        exit_with_error(f"{ESCAPES}\nnext")
    assert ended.value.code == f"{SHOWN}\\nnext"
    record = PrintableRecord("name", 30, "file", 1, "%s went", (ESCAPES,), None)
    assert logging.Formatter().format(record) == f"{SHOWN} went"


def test_a_name_in_the_store_cannot_reach_the_terminal(tmp_path):
    open_store(f"sqlite:///{tmp_path}/mlflow.db").create_experiment(ESCAPES)
    ended = shell("$command output_dir=$folder name=another", folder=str(tmp_path))
    assert f"there are: Default, {SHOWN}" in ended.stderr or f"{SHOWN}, Default" in ended.stderr
    assert "\x1b" not in ended.stderr


def interrupted(config: object) -> str:
    raise KeyboardInterrupt


def test_ctrl_c_while_a_command_starts_is_one_line(tmp_path, monkeypatch, capsys):
    """Such as during the imports of seconds."""
    monkeypatch.setattr(sys, "argv", ["lingmix-sweeps", f"output_dir={tmp_path}"])
    with pytest.raises(SystemExit) as ended:
        entry_point("sweeps", f"{__name__}:interrupted")()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "lingmix-sweeps: stopped\n"


def test_ctrl_c_while_a_part_is_imported_is_not_taken_for_a_part_that_cannot_be(
    tmp_path, monkeypatch
):
    (tmp_path / "interrupted_part.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        locate("interrupted_part.Sampler", at="sampler")
