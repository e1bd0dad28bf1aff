"""A server in OpenAI's form on loopback, which fails as a passage says that it should."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Event, Lock, Semaphore, Thread
from typing import Any

TOO_LATE = 0.6
"""Seconds; longer than the client waits."""

FAULTS = ("429", "503", "late", "cut", "malformed", "unreadable", "never", "long", "400", "down")
"""Of passages: the first answer is 429, 503, too late, cut in its middle or no JSON; its content
cannot be read once, never, or is too long each time; it is refused; it is 500 each time."""

FAILING = {
    "never": "cannot be read",
    "long": "cut off",
    "400": "refused",
    "down": "no answer",
}
"""The reason of a passage that ends without a query."""


class Server(ThreadingHTTPServer):
    """`requests` has the key of each that came, `answered` of each whose answer was sent whole.

    Requests are held from the `holds_from`th on, until the server is dropped.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.holds_from: int | None = None
        self.held, self.dropped = Semaphore(0), Event()
        self.connections: list[socket] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.lock = Lock()
        self.requests: list[str] = []
        self.times: list[float] = []
        self.answered: list[str] = []
        self.keys: set[str | None] = set()
        self.retry_after = "0"
        self.written = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def drop(self) -> None:
        """Ends the server as a crash does: what is held gets no answer."""
        self.shutdown()
        self.server_close()
        self.dropped.set()
        for one in self.connections:
            with suppress(OSError):  # it has ended by itself
                one.shutdown(SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed closes its connections."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        with self.server.lock:
            self.server.requests.append(key)
            self.server.times.append(time.monotonic())
            self.server.keys.add(self.headers["Authorization"])
            attempt = Counter(self.server.requests)[key]
            number = len(self.server.requests)
        if self.server.holds_from is not None and number >= self.server.holds_from:
            self.server.held.release()
            self.server.dropped.wait()
            self.close_connection = True
            return
        said = [one["content"] for one in body["messages"] if one["role"] == "user"]
        repair = said[-1].startswith("This cannot be read")
        passage = said[-2] if repair else said[-1]
        fault = found[1] if (found := re.search(r"fault (\w+)", passage)) else ""
        if "nowhere" in self.path:
            self._send(404, {"error": "no such model"})
        elif (attempt == 1 and fault in ("429", "503")) or fault in ("400", "down"):
            status = {"down": 500}.get(fault) or int(fault)
            self._send(status, {"error": f"no, {self.headers['Authorization']}"})
        elif attempt == 1 and fault == "late":
            time.sleep(TOO_LATE)
            self.close_connection = True
        elif attempt == 1 and fault in ("cut", "malformed"):
            self._send(200, {"choices": []}, cut=fault == "cut")
        else:
            unreadable = fault == "never" or (fault == "unreadable" and not repair)
            topic = re.search(r"topic (\w+)", passage)[1]
            content = "I cannot" if unreadable else json.dumps({"query": f"what is {topic}"})
            choice = {
                "message": {"content": content},
                "finish_reason": "length" if fault == "long" else "stop",
            }
            usage = {"prompt_tokens": 40, "completion_tokens": 7}
            self._send(200, {"choices": [choice], "usage": usage})
            with self.server.lock:
                self.server.answered.append(key)
                self.server.written += 7

    def _send(self, status: int, body: dict[str, Any], *, cut: bool = False) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", self.server.retry_after)
        self.send_header("Content-Length", str(len(data) + (10 if cut else 0)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()
        self.close_connection = self.close_connection or cut


@contextmanager
def serving(port: int = 0) -> Iterator[Server]:
    with Server(port) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
