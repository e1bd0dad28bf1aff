"""The version of the code that decides results."""

import subprocess
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]

SOURCES = (".py", ".toml")
"""Suffixes of the files that count; embedded data are among them."""

DECIDING = ("assembly", "data", "evaluation", "mining", "model", "search", "training")
"""Subpackages that decide results; the others compose, start, record and report."""


@cache
def code_version() -> str:
    """Return the package's version and a digest of the deciding subpackages."""
    digest = sha256()
    for file in sorted(PACKAGE.rglob("*")):
        name = file.relative_to(PACKAGE)
        if file.suffix in SOURCES and name.parts[0] in DECIDING:
            digest.update(f"{name.as_posix()}:".encode())
            digest.update(sha256(file.read_bytes()).digest())
    return f"{version('lingmix')}-{digest.hexdigest()[:10]}"


@cache
def git_tags() -> dict[str, str]:
    """Return MLflow's tags of a git checkout; empty where the package is installed."""
    root = PACKAGE.parents[1]
    if not (root / ".git").exists():
        return {}
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {}
    branch = _git(root, "rev-parse", "--abbrev-ref", "HEAD")
    edited = _git(root, "status", "--porcelain", "--", str(PACKAGE))
    return {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": branch or "",
        "mlflow.source.git.dirty": str(bool(edited)).lower(),
    }


def _git(root: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(  # noqa: S603 - arguments of our own
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
