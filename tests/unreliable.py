"""A proxy between a run and its MLflow server that fails at one request, chosen by its number."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

LOST = "lost"
UNHEARD = "unheard"
CUT = "cut"
DELAYED = "delayed"
GONE = "gone"
STATUSES = {"500": 500, "503": 503, "429": 429}
FAULTS = (LOST, UNHEARD, CUT, DELAYED, GONE, *STATUSES)
"""The request never arrives; it arrives and its answer is lost, or is cut in its middle, or comes
after the client has given up; no request arrives from this one on; an answer of that status."""

HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "host")


class Unreliable(ThreadingHTTPServer):
    """Passes requests on to a server, and fails at the `at`-th from `arm` on as `fault` says."""

    daemon_threads = True

    def __init__(self, uri: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(uri).netloc
        self.uri = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[str] = []
        self._lock = threading.Lock()
        self.released = threading.Event()
        self.arm(fault=None, at=0)

    def arm(
        self, *, fault: str | None, at: int, since: tuple[str, int] = ("", 1), busy: int = 0
    ) -> None:
        """Requests are counted `since` one that ends so has come so often, which is the first. A
        status is the answer to all that is asked in the next `busy` seconds, as it says itself."""
        with self._lock:
            self._since = since
            self.busy, self._busy_until = busy, 0.0
            self.requests.clear()
            self.failed: list[str] = []
            self.fault, self.at = fault, at
            self.released.set()
            self.released = threading.Event()

    def repair(self) -> None:
        """From here on every request is answered."""
        self.arm(fault=None, at=0)

    def fault_of(self, request: str) -> str | None:
        """Counts the request; what is to go wrong with it."""
        with self._lock:
            self.requests.append(request)
            count = self._count()
            due = count >= self.at > 0 if self.fault == GONE else count == self.at
            if not due and time.monotonic() >= self._busy_until:
                return None
            self._busy_until = max(self._busy_until, time.monotonic() + self.busy * due)
            self.failed.append(request)
            return self.fault

    def _count(self) -> int:
        end, times = self._since
        begun = [at for at, one in enumerate(self.requests) if one.endswith(end)]
        return len(self.requests) - begun[times - 1] if len(begun) >= times else 0

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has hung up is part of the test."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Unreliable

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.fault_of(f"{self.command} {urlsplit(self.path).path}")
        if fault in (LOST, GONE):
            self.close_connection = True
        elif fault in STATUSES:
            self._reply(STATUSES[fault], b"out of order", {"Retry-After": str(self.server.busy)})
        else:
            self._forward(body, fault)

    def _forward(self, body: bytes, fault: str | None) -> None:
        released = self.server.released
        status, headers, answer = self._ask(body)
        if fault == UNHEARD:
            self.close_connection = True
        elif fault == CUT:
            self._reply(status, answer, headers, sent=len(answer) // 2)
            self.close_connection = True
        else:
            if fault == DELAYED:
                released.wait(timeout=60)
            self._reply(status, answer, headers)

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = HTTPConnection(self.server.upstream, timeout=60)
        try:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in HOP_BY_HOP
            }
            upstream.request(self.command, self.path, body, headers)
            response: HTTPResponse = upstream.getresponse()
            passed = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in HOP_BY_HOP
            }
            return response.status, passed, response.read()
        except (OSError, HTTPException):
            return 502, {}, b""
        finally:
            upstream.close()

    def _reply(
        self, status: int, body: bytes, headers: dict[str, str], sent: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _answer

    def log_message(self, *arguments: object) -> None:
        """Quiet: the test says what was asked."""


@contextmanager
def unreliable(uri: str) -> Iterator[Unreliable]:
    """A proxy of the server at `uri`, at work until the block ends."""
    proxy = Unreliable(uri)
    thread = threading.Thread(
        target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        proxy.shutdown()
        proxy.server_close()
        thread.join()
