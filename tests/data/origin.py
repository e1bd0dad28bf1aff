"""A web server on loopback that can be made to fail, and a Hub in front of it."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Origin:
    """Serves `content`; `cuts` and `statuses` are of the next answers, one each."""

    content: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    takes_ranges: bool = True
    says_length: bool = True
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    delay: float = 0.0
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(dict(handler.headers))
        time.sleep(self.delay)
        if self.statuses:
            handler.send_error(self.statuses.pop(0))
            return
        wanted = handler.headers.get("Range", "") if self.takes_ranges else ""
        same = handler.headers.get("If-Range") in self.headers.values()
        start = int(wanted[len("bytes=") : -1]) if wanted and same else 0
        size = len(self.content)
        handler.send_response(416 if start >= size > 0 else 206 if start else 200)
        if start:
            kept = "*" if start >= size else f"{start}-{size - 1}"
            handler.send_header("Content-Range", f"bytes {kept}/{size}")
        for name, value in self.headers.items():
            handler.send_header(name, value)
        if self.says_length:
            handler.send_header("Content-Length", str(size - start))
        handler.end_headers()
        cut = self.cuts.pop(0) if self.cuts else size
        handler.wfile.write(self.content[start : start + cut])


@contextmanager
def serving(one: Any) -> Iterator[Any]:
    """`one.answer` on loopback, at `one.url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            one.answer(self)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    one.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Hub:
    """The Hub's answers for files of a dataset repository; large ones lie on another host."""

    repo: str
    commit: str
    small: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    """What is sent instead of a file's content."""
    gated: bool = False
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        owner, _, file = handler.path.partition(f"/resolve/{self.commit}/")
        headers: dict[str, str] = {"X-Repo-Commit": self.commit}
        body = self.sent.get(file, {**self.small, **self.large}.get(file, b""))
        if handler.path.startswith("/cdn/"):
            body = self.sent.get(handler.path[5:], self.large.get(handler.path[5:], b""))
            status = 200
        elif owner != f"/datasets/{self.repo}":
            status, headers = 401, {"X-Error-Code": "RepoNotFound"}
        elif self.gated:
            status, headers = 401, {"X-Error-Code": "GatedRepo"}
        elif file in self.small:
            content = self.small[file]
            name = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324
            status, headers["ETag"] = 200, f'"{name}"'
        elif file in self.large:
            status, content = 302, self.large[file]
            headers["X-Linked-Etag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            headers["X-Linked-Size"] = str(len(content))
            headers["Location"] = f"{self.url.replace('127.0.0.1', 'localhost')}/cdn/{file}"
        else:
            status, headers = 404, {"X-Error-Code": "EntryNotFound"}
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body)
