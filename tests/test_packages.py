"""The wheel and the source archive, as they are built, installed and used from another folder."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from tomllib import loads

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]


def run(*command, cwd, **variables) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ended = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The wheel is built from the source archive, as `build` does it, so that both are whole."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """A new environment with the wheel alone; what it needs is that of the one which tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (wheel,) = built.glob("*.whl")
    bin_folder = folder / "bin"
    target = ["--python", bin_folder / "python", "install", "--no-deps", "--no-index", wheel]
    run(sys.executable, "-m", "pip", *target, cwd=folder)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "needed.pth").write_text(sysconfig.get_path("purelib"))
    return bin_folder


def test_the_archives_hold_what_is_needed_and_nothing_of_the_folder(built):
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    needed = {
        "lingmix/py.typed",
        "lingmix/conf/train.yaml",
        "lingmix/conf/export.yaml",
        "lingmix/publishing/card.md.jinja",
        "lingmix/analysis/page/report.html.jinja",
        "hydra_plugins/lingmix_launcher.py",
    }
    assert needed <= {*names}
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "lingmix",
        "hydra_plugins",
    }
    with tarfile.open(source) as archive:
        inside = [name.partition("/")[2] for name in archive.getnames()]
    assert {"pyproject.toml", "CHANGELOG.md", "LICENSE", "conf/train.yaml"} <= {*inside}
    assert not [name for name in inside if name.startswith(("multirun/cache", ".venv", "build/"))]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_command_works_from_another_folder(installed, tmp_path, script):
    assert "output_dir: multirun" in run(installed / script, "--cfg=job", cwd=tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_python_imports_the_wheel_and_no_checkout(installed, tmp_path):
    code = "import lingmix; print(lingmix.__file__, callable(lingmix.load), callable(lingmix.runs))"
    said = run(installed / "python", "-c", code, cwd=tmp_path).split()
    assert Path(said[0]).is_relative_to(installed.parent)
    assert said[1:] == ["True", "True"]
