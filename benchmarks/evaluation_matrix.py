"""XQuAD-R, all 121 language pairs: read off one encoding, or evaluated pair by pair.

Ours is `evaluate_encoder`, whole: all pairs, the pool of all languages, six metrics, every figure
of bias and of parallel passages, alignment, uniformity and contrastive entropy. The peer is
`mteb.evaluate` on a retrieval task with a subset for each pair, as its own multilingual tasks have;
the pool is not asked of it. Both load one folder, cut texts to the same length, batch as they do by
default, have the same threads, begin with the texts in memory and keep nothing from one round to
the next. The weights are random: they do not change the time.

A round of the peer is 11 pairs in which each language asks once and is searched once, one pair
being monolingual: an eleventh of all encoding, and of the pairs of either kind. Its time is
multiplied by 11; each round takes other pairs. With LINGMIX_BENCH_FULL=1 there are 11 rounds, which
are all 121 pairs, and their times are added up.

nDCG@10 of every pair that the peer ran must be ours too, or no row is written.

The last rows set the whole evaluation against encoding its distinct texts and nothing else.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from sentence_transformers import SentenceTransformer

from benchmarks.harness.comparison import FOLDER, Row, Timed, named, timed
from benchmarks.harness.encoder import loaded, save_encoder
from benchmarks.harness.mteb_pairs import evaluate_pairs, splits_of
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import LanguagePair
from lingmix.data.sources.xquad_r import read_xquad_r
from lingmix.data.tokens import Role
from lingmix.evaluation.evaluator import evaluate_encoder
from lingmix.model.embed import BATCH_TOKENS, cached_encoder, encode_texts
from lingmix.model.encoder import Encoder
from lingmix.model.precision import fastest_device, fastest_precision
from lingmix.model.transformer import quiet

XQUAD_R = Path(__file__).parents[2] / "shared" / "data" / "raw" / "lareqa" / "xquad-r"
LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")

FULL = os.environ.get("LINGMIX_BENCH_FULL") == "1"
ROUNDS = len(LANGUAGES) if FULL else 3

PEER, ALONE = "mteb", "encoding alone"
FLOAT32 = "32-true"
PRECISIONS = tuple(dict.fromkeys((FLOAT32, fastest_precision())))

TOLERANCE = {FLOAT32: 1e-4}
"""Of a pair's nDCG@10; the peer computes in float32."""

COARSE = 0.02
"""Where ours does not."""


class Evaluated(NamedTuple):
    ndcg: dict[LanguagePair, float]
    encoding: float


def compare() -> list[Row]:
    xquad_r = read_xquad_r(name="xquad_r", folder=XQUAD_R, languages=LANGUAGES, articles=None)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as temporary, quiet():
        folder = Path(temporary, "encoder")
        save_encoder(folder, xquad_r.passages)
        encoder = loaded(folder).to(fastest_device("auto"))
        peer = SentenceTransformer(str(folder))
        measured = timed(_sides(xquad_r, encoder, peer), rounds=ROUNDS)
    for precision in PRECISIONS:
        _check(precision, measured[precision].outcomes[-1].ndcg, measured[PEER].outcomes)
    return [
        *(_against_peer(precision, measured) for precision in PRECISIONS),
        *_against_encoding(fastest_precision(), measured),
    ]


def by_lingmix(xquad_r: EvaluationSet, encoder: Encoder, precision: str) -> Evaluated:
    encode = cached_encoder(encoder, name="bench", precision=precision, folder=None)
    encoded = []

    def clocked(texts: Sequence[str], role: Role) -> Any:
        began = time.perf_counter()
        vectors = encode(texts, role)
        encoded.append(time.perf_counter() - began)
        return vectors

    (scores,) = evaluate_encoder(clocked, [xquad_r], depth=None, temperature=0.05, seed=0)
    pairs = [LanguagePair(query, passage) for query in LANGUAGES for passage in LANGUAGES]
    ndcg = {pair: scores.metrics[f"pair/{pair}/ndcg_at_10"] for pair in pairs}
    return Evaluated(ndcg, sum(encoded))


def encode_alone(xquad_r: EvaluationSet, encoder: Encoder, precision: str) -> None:
    texts: dict[Role, Sequence[str]] = {"query": xquad_r.queries, "passage": xquad_r.passages}
    for role, of_role in texts.items():
        encode_texts(
            encoder,
            list(dict.fromkeys(of_role)),
            role,
            batch_tokens=BATCH_TOKENS,
            precision=precision,
        )


def pairs_of_round(number: int) -> list[LanguagePair]:
    n = len(LANGUAGES)
    return [LanguagePair(LANGUAGES[i], LANGUAGES[(number - i) % n]) for i in range(n)]


def _sides(
    xquad_r: EvaluationSet, encoder: Encoder, peer: SentenceTransformer
) -> dict[str, Callable[[], Any]]:
    splits, number = splits_of(xquad_r), count()
    return {
        **{of: partial(by_lingmix, xquad_r, encoder, of) for of in PRECISIONS},
        ALONE: partial(encode_alone, xquad_r, encoder, fastest_precision()),
        PEER: lambda: evaluate_pairs(
            peer, {pair: splits[pair] for pair in pairs_of_round(next(number))}
        ),
    }


def _check(
    precision: str, ours: dict[LanguagePair, float], rounds: list[dict[LanguagePair, float]]
) -> None:
    tolerance = TOLERANCE.get(precision, COARSE)
    for pair, theirs in (each for one in rounds for each in one.items()):
        if abs(ours[pair] - theirs) > tolerance:
            raise AssertionError(
                f"nDCG@10 of {pair} in {precision}: ours {ours[pair]:.5f}, the peer's "
                f"{theirs:.5f}, so the two did not do the same work"
            )


def _against_peer(precision: str, measured: dict[str, Timed]) -> Row:
    n = len(LANGUAGES)
    peer = sum(measured[PEER].seconds) if FULL else n * measured[PEER].median
    run = f"{n * n} pairs" if FULL else f"{n} pairs x {n}"
    return Row(
        case=f"{n * n} pairs and the pool in {precision}; peer: {run} in float32",
        ours=measured[precision].median,
        peer=peer,
        peer_name=named("mteb"),
        unit="s",
    )


def _against_encoding(precision: str, measured: dict[str, Timed]) -> list[Row]:
    whole, alone = measured[precision], measured[ALONE]
    encoding_R = [outcome.encoding for outcome in whole.outcomes]
    ratio_R = [a / b for a, b in zip(whole.seconds, alone.seconds, strict=True)]
    rest_R = [a - b for a, b in zip(whole.seconds, encoding_R, strict=True)]
    figures = {
        "over encoding its texts alone": (ratio_R, "times"),
        "its encoding": (encoding_R, "s"),
        "all else: scores, ranks, metrics, bias, entropy": (rest_R, "s"),
    }
    return [
        Row(case=f"whole evaluation in {precision}, {case}", ours=median(figure_R), unit=unit)
        for case, (figure_R, unit) in figures.items()
    ]
