"""Uploads, to a small server on loopback that answers the calls which huggingface-hub makes."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lingmix.errors import InputError
from lingmix.publishing.hub import dry_run, push_folder, require_hub

TOKEN = "hf_" + "0" * 20
REPO = "me/model"


class Hub(ThreadingHTTPServer):
    """Takes what is signed with `TOKEN`; `files` are those of commits, `created` what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.created: list[dict] = []
        self.calls: list[str] = []
        self.read_only = False


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/api/whoami-v2":
            self._answer({"type": "user", "name": "me", "auth": {}})
        else:
            self._answer({"id": REPO, "sha": "0" * 40, "siblings": [], "private": True})

    def do_POST(self) -> None:
        body = self._body()
        path = self.path.partition("?")[0]
        if path == "/api/repos/create":
            self.server.created.append(json.loads(body))
            self._answer({"url": f"{self.server.url}/{REPO}"})
        elif path.endswith("/preupload/main"):
            asked = json.loads(body)["files"]
            regular = {"uploadMode": "regular", "shouldIgnore": False}
            self._answer({"files": [{"path": file["path"], **regular} for file in asked]})
        elif path.endswith("/commit/main"):
            for row in map(json.loads, body.splitlines()):
                if row["key"] == "file":
                    value = row["value"]
                    self.server.files[value["path"]] = base64.b64decode(value["content"])
            commit = {"commitUrl": f"{self.server.url}/{REPO}/commit/1", "commitOid": "1" * 40}
            self._answer(commit)
        else:
            self._answer({})

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(parts)

    def _answer(self, value: object) -> None:
        self.server.calls.append(f"{self.command} {self.path}")
        status = 200 if self.headers.get("Authorization") == f"Bearer {TOKEN}" else 401
        if self.server.read_only and self.path.endswith("/main"):
            status = 403
        body = json.dumps(value if status == 200 else {"error": "refused"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(range(256)))
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    return tmp_path


@pytest.mark.parametrize("private", [True, False])
def test_the_hub_gets_the_files_as_they_are(hub, folder, private):
    url = push_folder(require_hub(REPO), folder, REPO, private=private)
    assert url == f"{hub.url}/{REPO}/commit/1"
    assert [one.get("private", one.get("visibility")) for one in hub.created] in (
        [private],
        ["private" if private else "public"],
    )
    there = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert hub.files == {name: path.read_bytes() for name, path in there.items()}


def test_a_dry_run_asks_nobody(hub, folder):
    said = dry_run(folder, REPO, private=True)
    assert "3 files" in said
    assert "private" in said
    assert "  1_Pooling/config.json (2 bytes)" in said
    assert hub.calls == []


@pytest.mark.parametrize("token", ["hf_wrong", None])
def test_a_token_that_is_refused_or_missing_ends_in_a_line_without_it(hub, monkeypatch, token):
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(InputError) as refused:
        require_hub(REPO)
    assert str(refused.value).startswith("push: ")
    assert "HF_TOKEN" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hf_wrong" not in str(refused.value)
    assert hub.created == []


def test_a_token_without_the_right_to_write_leaves_the_folder(hub, folder):
    api = require_hub(REPO)
    hub.read_only = True
    with pytest.raises(InputError, match=r"push: me/model cannot be written.*status 403"):
        push_folder(api, folder, REPO, private=True)
    assert (folder / "model.safetensors").is_file()


@pytest.mark.parametrize("repo", ["a/b/c", "with space", "--"])
def test_a_name_that_the_hub_cannot_have_is_refused_first(hub, repo):
    with pytest.raises(InputError, match=r"push: must be <organisation>/<name>"):
        require_hub(repo)
    assert hub.calls == []
