"""Each form of an exported encoder, encoding the same passages of XQuAD-R on this CPU.

Ours are the forms that `lingmix-export` writes, each encoded with as its proof does it (see
`publishing.readers`), and Lingmix itself in float32. The peer is sentence-transformers on the same
folder, as it loads it by default. Its own ONNX and OpenVINO backends need optimum, no release of
which takes Transformers 5; they would run a graph like ours.

The encoder is a folder that LINGMIX_BENCH_ENCODER names, else one of 12 layers with random weights,
which do not change the time. Vectors must be the peer's, or no row is written: those in float32 to
1e-4; those of 8 bits are said, as a mean cosine.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness.comparison import FOLDER, Row, named, timed
from benchmarks.harness.encoder import save_encoder
from benchmarks.harness.xquad_r import LANGUAGES, XQUAD_R
from lingmix.data.sources.xquad_r import read_xquad_r
from lingmix.errors import InputError
from lingmix.model.transformer import quiet
from lingmix.publishing.forms import FILES, ONNX_INT8, SENTENCE_TRANSFORMERS, write_forms
from lingmix.publishing.records import load_folder
from lingmix.publishing.text_encoder import TextEncoder

ENCODER = "LINGMIX_BENCH_ENCODER"
PASSAGES, ROUNDS = 330, 3
OURS = "lingmix"
TOLERANCE = 1e-4


def compare() -> list[Row]:
    xquad_r = read_xquad_r(name="xquad_r", folder=XQUAD_R, languages=LANGUAGES, articles=None)
    texts = [*xquad_r.passages][:: len(xquad_r.passages) // PASSAGES][:PASSAGES]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as temporary, quiet():
        encoder = load_folder(_encoder(Path(temporary, "encoder"), xquad_r.passages))
        forms = write_forms(encoder, Path(temporary, "exported"), [*FILES])
        sides = {name: partial(encode, texts, "passage") for name, encode in forms.items()}
        sides[OURS] = partial(TextEncoder(encoder).encode, texts, "passage")
        measured = timed(sides, rounds=ROUNDS)
    peer = measured[SENTENCE_TRANSFORMERS]
    rows = []
    for name in (OURS, *FILES):
        vectors_ND, peer_ND = (side.outcomes[-1] for side in (measured[name], peer))
        rows.append(
            Row(
                case=f"{name}: passages a second{_cosine(name, vectors_ND, peer_ND)}",
                ours=len(texts) / measured[name].median,
                peer=len(texts) / peer.median,
                peer_name=named("sentence-transformers"),
                unit="1/s",
                more_is_better=True,
            )
        )
    return rows


def _encoder(folder: Path, texts: Sequence[str]) -> Path:
    if given := os.environ.get(ENCODER):
        return Path(given)
    save_encoder(folder, texts, layers=12, width=384)
    return folder


def _cosine(name: str, vectors_ND: np.ndarray, peer_ND: np.ndarray) -> str:
    """Raises InputError where vectors in float32 are not the peer's."""
    if name == ONNX_INT8:
        return f" (mean cosine {np.vecdot(vectors_ND, peer_ND).mean():.4f})"
    worst = np.abs(vectors_ND - peer_ND).max()
    if not worst <= TOLERANCE:
        raise InputError(f"{name}: vectors differ from the peer's by {worst:.2g}")
    return ""
