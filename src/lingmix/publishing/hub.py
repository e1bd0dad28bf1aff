"""Uploads an exported folder to the Hugging Face Hub."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    disable_progress_bars,
    validate_repo_id,
)

from lingmix.errors import InputError

TOKEN, ENDPOINT = "HF_TOKEN", "HF_ENDPOINT"
MEGABYTE = 1_000_000


def require_hub(repo: str) -> HfApi:
    """Returns the Hub as the token in the environment's `HF_TOKEN` opens it.

    Raises InputError for a bad name and where there is no token or the Hub refuses it. A token that
    was saved by logging in is not used: what a command publishes is said in its environment.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"push: must be <organisation>/<name>, got {repo} ({reason})") from error
    token = os.environ.get(TOKEN)
    if not token:
        raise InputError(f"push: needs a token with the right to write; set {TOKEN} to it")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request
    api = HfApi(endpoint=os.environ.get(ENDPOINT) or None, token=token)
    with _one_line(api, "the token is not taken"):
        api.whoami()
    return api


def push_folder(api: HfApi, folder: Path, repo: str, *, private: bool) -> str:
    """Creates the repository where it is missing, uploads the folder in one commit, and returns
    the commit's address. A repository that is there stays as open as it is."""
    disable_progress_bars()
    with _one_line(api, f"{repo} cannot be written, {folder} is left as it is"):
        api.create_repo(repo, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo, folder_path=folder, commit_message="Export of Lingmix"
        )
    return str(commit.commit_url)


def dry_run(folder: Path, repo: str, *, private: bool) -> str:
    """Says what `push_folder` would upload, without a request to anywhere."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    total = sum(path.stat().st_size for path in files) / MEGABYTE
    kept = "private" if private else "public"
    lines = [f"  {path.relative_to(folder)} ({path.stat().st_size:,} bytes)" for path in files]
    return "\n".join(
        [
            f"dry run: {len(files)} files of {total:.1f} MB would go to {repo}, {kept} where it "
            "is new; dry_run=false uploads them",
            *lines,
        ]
    )


@contextmanager
def _one_line(api: HfApi, what: str) -> Iterator[None]:
    """Raises InputError for what the Hub refuses, without the token."""
    try:
        yield
    except (HfHubHTTPError, OSError) as error:
        response = getattr(error, "response", None)
        status = f"status {response.status_code}" if response is not None else type(error).__name__
        reason = " ".join(str(error).split()).replace(str(api.token), "***")
        raise InputError(
            f"push: {what} ({api.endpoint}: {status}, {reason[:200]}); check {TOKEN} and its rights"
        ) from error
