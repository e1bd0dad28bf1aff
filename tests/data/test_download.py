import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub.constants
import pytest
from tenacity import wait_none

from lingmix.data import download
from lingmix.data.download import fetch, hub_file
from lingmix.errors import InputError
from tests.data.origin import Hub, Origin, serving

CONTENT = bytes(range(256)) * 8192
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"  # noqa: S324
HALF = len(CONTENT) // 2


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "WAIT", wait_none())


@pytest.fixture
def origin() -> Iterator[Origin]:
    with serving(Origin(CONTENT)) as one:
        yield one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "set.zip"


def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the process ended at the first failure."""
    monkeypatch.setattr(download, "ATTEMPTS", 1)


@pytest.mark.parametrize("checksum", [SHA256, MD5, None])
def test_a_file_is_fetched_and_nothing_else_stays(
    origin: Origin, path: Path, checksum: str | None
) -> None:
    assert fetch(f"{origin.url}/set.zip", path=path, checksum=checksum) == path
    assert path.read_bytes() == CONTENT
    left = {one.name for one in path.parent.iterdir()}
    assert left <= {"set.zip", "set.zip.lock", "set.zip.checked"}


def test_a_file_put_there_by_hand_is_used_if_it_is_right(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    for _ in range(2):
        fetch("http://127.0.0.1:1/set.zip", path=path, checksum=SHA256)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=r"set\.zip: the file has sha256:.* not whole, or another"):
        fetch("http://127.0.0.1:1/set.zip", path=path, checksum=SHA256)


def test_a_dropped_connection_is_resumed_where_it_broke(origin: Origin, path: Path) -> None:
    origin.cuts = [HALF, 2**17]
    fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    assert path.read_bytes() == CONTENT
    assert [one.get("Range") for one in origin.requests] == [
        None,
        f"bytes={HALF}-",
        f"bytes={HALF + 2**17}-",
    ]


@pytest.fixture
def half_fetched(origin: Origin, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that tries once has fetched the first half of the file."""
    once(monkeypatch)
    origin.cuts = [HALF]
    with pytest.raises(InputError, match=r"cannot be fetched"):
        fetch(f"{origin.url}/set.zip", path=path, checksum=None)


@pytest.mark.usefixtures("half_fetched")
def test_the_next_process_resumes_too(origin: Origin, path: Path) -> None:
    assert not path.exists()
    fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    assert path.read_bytes() == CONTENT
    assert origin.requests[1]["Range"] == f"bytes={HALF}-"
    assert origin.requests[1]["If-Range"] == '"one"'


@pytest.mark.usefixtures("half_fetched")
def test_notes_that_a_crash_has_spoilt_count_for_nothing(origin: Origin, path: Path) -> None:
    path.with_name("set.zip.part.validator").write_bytes(b"\xff")
    fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    path.with_name("set.zip.checked").write_bytes(b"\xff\0\xfe")
    assert fetch("http://127.0.0.1:1/set.zip", path=path, checksum=SHA256).read_bytes() == CONTENT


@pytest.mark.usefixtures("half_fetched")
def test_a_whole_part_is_not_fetched_again(origin: Origin, path: Path) -> None:
    path.with_name("set.zip.part").write_bytes(CONTENT)
    origin.cuts = [0]
    fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("takes_ranges", [True, False])
@pytest.mark.usefixtures("half_fetched")
def test_a_changed_file_and_a_server_without_ranges_start_anew(
    origin: Origin, path: Path, takes_ranges: bool
) -> None:
    origin.content, origin.headers = CONTENT[::-1], {"ETag": '"two"'}
    origin.takes_ranges = takes_ranges
    fetch(f"{origin.url}/set.zip", path=path, checksum=None)
    assert path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"one"'}])
def test_what_cannot_be_told_from_another_file_starts_anew(
    origin: Origin, path: Path, headers: dict[str, str]
) -> None:
    origin.cuts, origin.headers = [HALF], headers
    fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    assert path.read_bytes() == CONTENT
    assert all("Range" not in one for one in origin.requests)


@pytest.mark.usefixtures("half_fetched")
def test_a_part_longer_than_the_file_starts_anew(
    origin: Origin, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    path.with_name("set.zip.part").write_bytes(CONTENT + b"more")
    fetch(f"{origin.url}/set.zip", path=path, checksum=None)
    assert path.read_bytes() == CONTENT


def test_truncated_content_never_becomes_the_file(origin: Origin, path: Path) -> None:
    origin.cuts = [HALF, 1, 1, 1]
    with pytest.raises(InputError, match=r"cannot be fetched .* put the file at .*set.zip by hand"):
        fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    assert not path.exists()
    assert len(origin.requests) == 4


def test_a_wrong_checksum_is_refused_and_nothing_is_left(origin: Origin, path: Path) -> None:
    origin.content = CONTENT[:-1] + b"?"
    got = hashlib.sha256(origin.content).hexdigest()
    with pytest.raises(InputError) as caught:
        fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    told = str(caught.value)
    assert told.startswith(f"{origin.url}/set.zip: the file has sha256:{got}, expected {SHA256}")
    assert "\n" not in told
    assert not path.exists()
    assert not path.with_name("set.zip.part").exists()


def test_a_cut_answer_of_unknown_length_is_found_by_its_checksum(
    origin: Origin, path: Path
) -> None:
    origin.says_length, origin.cuts = False, [HALF]
    with pytest.raises(InputError, match=r"expected "):
        fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    assert not path.exists()


@pytest.mark.parametrize(("status", "requests"), [(503, 2), (429, 2), (404, 1), (403, 1)])
def test_only_passing_failures_are_tried_again(
    origin: Origin, path: Path, status: int, requests: int
) -> None:
    origin.statuses = [status]
    if requests == 1:
        with pytest.raises(InputError, match=rf"cannot be fetched \({status} "):
            fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    else:
        fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    assert len(origin.requests) == requests


def test_out_of_reach_is_told_in_one_line_with_the_way_out(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        fetch("http://127.0.0.1:1/set.zip", path=path, checksum=SHA256)
    assert str(caught.value) == (
        "http://127.0.0.1:1/set.zip cannot be fetched ([Errno 111] Connection refused); try again "
        f"when it can be reached, or put the file at {path} by hand"
    )


@pytest.mark.parametrize(
    ("url", "checksum", "told"),
    [
        ("ftp://127.0.0.1/set.zip", None, "^ftp://127.0.0.1/set.zip: only http and https"),
        ("http://127.0.0.1:1/", "sha256:12", "^checksum must be sha256:<64 hex> or md5:<32 hex>"),
        ("http://127.0.0.1:1/", "crc:12", "got 'crc:12'"),
    ],
)
def test_other_addresses_and_checksums_are_refused(
    path: Path, url: str, checksum: str | None, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        fetch(url, path=path, checksum=checksum)


def test_several_at_once_fetch_one_time(origin: Origin, path: Path) -> None:
    origin.delay = 0.2
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: fetch(f"{origin.url}/a", path=path, checksum=SHA256), range(4))
        assert set(found) == {path}
    assert len(origin.requests) == 1


REPO, COMMIT = "lingua/texts", "c" * 40


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    one = Hub(REPO, COMMIT, small={"data/en.jsonl": b"small"}, large={"data/all.gz": CONTENT})
    with serving(one):
        template = f"{one.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        for name, value in (
            ("ENDPOINT", one.url),
            ("HUGGINGFACE_CO_URL_TEMPLATE", template),
            ("HF_HUB_CACHE", str(tmp_path / "hub")),
            ("HF_HUB_OFFLINE", False),
        ):
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        yield one


@pytest.mark.parametrize(
    ("file", "content"), [("data/en.jsonl", b"small"), ("data/all.gz", CONTENT)]
)
def test_a_file_of_the_hub_is_fetched_once_and_then_needs_no_hub(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, file: str, content: bytes
) -> None:
    path = hub_file(file, repo=REPO, revision=COMMIT)
    assert path.read_bytes() == content
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert hub_file(file, repo=REPO, revision=COMMIT) == path


@pytest.mark.parametrize("file", ["data/en.jsonl", "data/all.gz"])
def test_content_of_another_digest_is_refused_and_fetched_anew(hub: Hub, file: str) -> None:
    right = {**hub.small, **hub.large}[file]
    hub.sent = {file: right[:-1] + b"?"}
    with pytest.raises(InputError, match=rf"^{file} of .* {REPO} at c+: the content has digest"):
        hub_file(file, repo=REPO, revision=COMMIT)
    hub.sent = {}
    assert hub_file(file, repo=REPO, revision=COMMIT).read_bytes() == right


def test_a_cached_file_that_was_cut_is_refused(hub: Hub) -> None:
    path = hub_file("data/all.gz", repo=REPO, revision=COMMIT)
    os.truncate(path, HALF)
    with pytest.raises(InputError, match=r"removed from the cache, run again"):
        hub_file("data/all.gz", repo=REPO, revision=COMMIT)
    assert hub_file("data/all.gz", repo=REPO, revision=COMMIT).read_bytes() == CONTENT


def test_a_gated_repository_says_what_to_do(hub: Hub) -> None:
    hub.gated = True
    with pytest.raises(
        InputError, match=rf"accept its terms at .*/{REPO} and set HF_TOKEN"
    ) as told:
        hub_file("data/en.jsonl", repo=REPO, revision=COMMIT)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("file", "repo"), [("data/fr.jsonl", REPO), ("data/en.jsonl", "lingua/none")]
)
def test_a_file_that_the_hub_lacks_is_named(hub: Hub, file: str, repo: str) -> None:
    with pytest.raises(InputError, match=rf"^{file} of the .* {repo} at c+ is not there") as told:
        hub_file(file, repo=repo, revision=COMMIT)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("offline", [True, False])
def test_a_hub_out_of_reach_is_told_in_one_line(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    template = "http://127.0.0.1:1/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    with pytest.raises(InputError, match=r"not in the Hub's cache and .* HF_HOME") as told:
        hub_file("data/en.jsonl", repo=REPO, revision=COMMIT)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["set.zip.checked", "set.zip.part", "set.zip.part.validator"])
def test_a_link_that_waits_beside_a_download_is_not_written_through(
    origin: Origin, path: Path, tmp_path: Path, name: str
) -> None:
    path.parent.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.with_name(name).symlink_to(victim)
    fetch(f"{origin.url}/set.zip", path=path, checksum=SHA256)
    assert path.read_bytes() == CONTENT
    assert victim.read_text() == "precious"


def test_without_a_checksum_a_file_must_stay_what_it_was_when_it_came(
    origin: Origin, path: Path
) -> None:
    fetch(f"{origin.url}/a", path=path, checksum=None)
    assert path.with_name("set.zip.checked").read_text().startswith(f"{SHA256} ")
    path.touch()
    assert fetch("http://127.0.0.1:1/a", path=path, checksum=None).read_bytes() == CONTENT
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=rf"set.zip: the file has sha256:\w+, expected {SHA256}:"):
        fetch("http://127.0.0.1:1/a", path=path, checksum=None)
