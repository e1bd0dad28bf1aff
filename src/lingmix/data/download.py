"""Fetches files from the web and from the Hugging Face Hub: a file is complete and verified, or
absent."""

import re
from pathlib import Path

import requests
from filelock import FileLock
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from lingmix.atomic import atomic_file, open_no_symlink
from lingmix.data.checksums import (
    check_blob,
    check_fetched,
    checksum_of,
    note_checked,
    require_form,
)
from lingmix.errors import InputError
from lingmix.progress import with_progress

ATTEMPTS = 4
WAIT = wait_exponential(multiplier=0.5, max=30)
TIMEOUT = 30.0
"""Seconds without a byte from the server."""

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    DownloadColumn(),
    TransferSpeedColumn(),
)

CHUNK = 2**16


def fetch(url: str, *, path: Path, checksum: str | None) -> Path:
    """Fetches `url` to `path`, unless that file exists; returns the path.

    `checksum` is `sha256:<hex>` or `md5:<hex>`; None, where none is published, stands for that of
    the file when it was first fetched. An interrupted transfer, in `<path>.part`, is continued if
    the server still has the same file. Raises InputError where it cannot be fetched, or its
    checksum differs.
    """
    if not re.match("https?://", url):
        raise InputError(f"{url}: only http and https addresses can be fetched")
    if checksum is not None:
        require_form(checksum)
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if path.is_file():
                check_fetched(path, checksum)
                return path
            _transfer_patiently(url, part)
            got = checksum_of(part, (checksum or "sha256").partition(":")[0])
            if got != (checksum or got):
                part.unlink()
                raise InputError(
                    f"{url}: the file has {got}, expected {checksum}; it was removed: the file at "
                    "this address has changed, or was changed on its way"
                )
            _validator_file(part).unlink(missing_ok=True)
            part.replace(path)
            note_checked(path, got)
    except requests.RequestException as error:
        raise InputError(
            f"{url} cannot be fetched ({_reason(error)}); try again when it can be reached, "
            f"or put the file at {path} by hand"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from error
    return path


def hub_file(file: str, *, repo: str, revision: str) -> Path:
    """Returns the path of a file of a Hugging Face dataset repository, in the Hub's own cache.

    The Hub names a blob by its digest; the content is checked against it at every call, at about a
    second a gigabyte. Raises InputError where the file cannot be fetched.
    """
    place = f"{file} of the Hugging Face dataset {repo} at {revision}"
    page = f"https://huggingface.co/datasets/{repo}"
    try:
        path = Path(hf_hub_download(repo, file, repo_type="dataset", revision=revision))
    except GatedRepoError as error:
        raise InputError(
            f"{place} is gated: accept its terms at {page} and set HF_TOKEN to a token of yours"
        ) from error
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"{place} is not in the Hub's cache and the Hub cannot be reached ({_reason(error)}); "
            "try again online, or set HF_HOME to a cache that holds it"
        ) from error
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise InputError(
            f"{place} is not there; look at {page}, and set HF_TOKEN if it is private"
        ) from error
    except Exception as error:  # httpx's, hf_xet's and the disk's have no common ancestor
        raise InputError(
            f"{place} cannot be fetched ({_reason(error)}); try again when {page} can be reached"
        ) from error
    check_blob(path, place)
    return path


def _transfer_patiently(url: str, part: Path) -> None:
    attempts = Retrying(
        retry=retry_if_exception(_is_passing),
        stop=stop_after_attempt(ATTEMPTS),
        wait=WAIT,
        reraise=True,
    )
    attempts(_transfer, url, part)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code == 429 or error.response.status_code >= 500
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, passing)


def _transfer(url: str, part: Path) -> None:
    """Appends the rest of the file to `part`, or starts anew where the server's file is another."""
    validator = _validator_file(part)
    offset = part.stat().st_size if part.is_file() and validator.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers |= {
            "Range": f"bytes={offset}-",
            "If-Range": validator.read_text("ascii", "ignore"),
        }
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        answered = response.headers.get("Content-Range", "")
        if answered == f"bytes */{offset}":
            return
        continued = response.status_code == 206 and answered.startswith(f"bytes {offset}-")
        if response.status_code in (206, 416) and not continued:
            part.unlink(missing_ok=True)
            raise requests.ConnectionError(
                f"asked for bytes {offset}-, the server has {answered!r}"
            )
        response.raise_for_status()
        if not continued:
            offset = 0
            part.unlink(missing_ok=True)
            _note_validator(response, validator)
        size = _size(response, offset)
        with open_no_symlink(part, "ab" if offset else "wb") as file:
            chunks = response.iter_content(CHUNK)
            for chunk in with_progress(
                chunks,
                f"Fetching {part.stem}",
                total=size,
                size=len,
                done=offset,
                columns=COLUMNS,
            ):
                file.write(chunk)
    if size is not None and part.stat().st_size != size:
        raise requests.ConnectionError(f"{part.stat().st_size} of {size} bytes came")


def _validator_file(part: Path) -> Path:
    """Returns the file with the validator (RFC 9110) of what `part` is a part of."""
    return part.with_name(f"{part.name}.validator")


def _note_validator(response: requests.Response, path: Path) -> None:
    etag = response.headers.get("ETag", "")
    validator = "" if etag.startswith("W/") else etag
    validator = validator or response.headers.get("Last-Modified", "")
    if validator and not _is_encoded(response):
        with atomic_file(path) as file:
            file.write(validator.encode())
    else:
        path.unlink(missing_ok=True)


def _size(response: requests.Response, offset: int) -> int | None:
    length = response.headers.get("Content-Length")
    return None if length is None or _is_encoded(response) else offset + int(length)


def _is_encoded(response: requests.Response) -> bool:
    """Whether the server ignored `Accept-Encoding`: lengths and ranges are not those of the
    file."""
    return response.headers.get("Content-Encoding", "identity") != "identity"


def _reason(error: BaseException) -> str:
    """Returns the message of the first cause, in one line."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return " ".join(str(error).split())[:200] or type(error).__name__
