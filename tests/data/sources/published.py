"""Small files in the places and the form that their publishers give them."""

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lingmix.data.evaluation_set import EvaluationSet


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder's files on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def md5(path: Path) -> str:
    return f"md5:{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"


def hub_put(cache: Path, repo: str, revision: str, file: str, content: str | bytes) -> Path:
    """A file of a dataset repository, where the Hub's cache holds it."""
    path = cache / f"datasets--{repo.replace('/', '--')}" / "snapshots" / revision / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def gzipped(*rows: dict[str, Any]) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return gzip.compress("".join(lines).encode(), mtime=0)  # the same in the ids of all workers


def judged(one: EvaluationSet) -> set[tuple[str, str, int]]:
    return {
        (one.query_ids[q], one.passage_ids[p], int(g))
        for q, p, g in zip(one.query_J, one.passage_J, one.grade_J, strict=True)
    }
