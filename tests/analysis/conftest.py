import polars as pl
import pytest

from lingmix.tracking.run_table import CELL_COLUMNS, EVALUATION_COLUMNS

Cell = dict[str, object]


def cell(
    alpha: float = 0.5,
    scale: int | None = 400,
    seed: int = 1,
    *,
    maps: tuple[float, ...] = (0.5, 0.3, 0.2),
    rank_distance: float = 100.0,
    pairs: str = "all",
    set_name: str = "toy",
    pair_maps: dict[str, float] | None = None,
    bias: dict[str, float] | None = None,
    excess: dict[str, float] | None = None,
    **params: object,
) -> Cell:
    """One complete run: mAP monolingual, cross-lingual, multilingual."""
    return {
        "run_id": f"{alpha}/{scale}/{seed}/{pairs}",
        "run_name": f"alpha={alpha},scale={scale},seed={seed}",
        "alpha": float(alpha),
        "scale": scale,
        "seed": seed,
        "pairs": pairs,
        "param.trainer.max_steps": "300",
        **_params(params),
        **_metrics(set_name, maps, {"rank_distance": rank_distance, **(bias or {})}),
        **_of_pairs(set_name, "map", pair_maps),
        **_of_pairs(set_name, "excess_share", excess),
    }


def evaluation(
    encoder: str = "bm25",
    *,
    maps: tuple[float, ...] = (0.8, 0.1, 0.3),
    set_name: str = "toy",
    bias: dict[str, float] | None = None,
    excess: dict[str, float] | None = None,
    **params: object,
) -> Cell:
    """One complete evaluation of an encoder as it is."""
    return {
        "run_id": f"{encoder} {params}",
        "encoder": encoder,
        **_params(params),
        **_metrics(set_name, maps, bias or {}),
        **_of_pairs(set_name, "excess_share", excess),
    }


def _params(params: dict[str, object]) -> Cell:
    return {f"param.{key.replace('__', '.')}": value for key, value in params.items()}


def _metrics(set_name: str, maps: tuple[float, ...], bias: dict[str, float]) -> Cell:
    settings = zip(("monolingual", "crosslingual", "multilingual"), maps, strict=True)
    return {
        **{f"test/{set_name}/{setting}/map": value for setting, value in settings},
        **{f"test/{set_name}/multilingual/{name}": value for name, value in bias.items()},
    }


def _of_pairs(set_name: str, figure: str, values: dict[str, float] | None) -> Cell:
    return {f"test/{set_name}/pair/{pair}/{figure}": v for pair, v in (values or {}).items()}


def frame(*rows: Cell) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)


NO_CELLS = pl.DataFrame(schema=CELL_COLUMNS)
NO_EVALUATIONS = pl.DataFrame(schema=EVALUATION_COLUMNS)


@pytest.fixture(scope="session")
def demo() -> pl.DataFrame:
    """Two scales, three alphas, three seeds; at scale 400 multilingual mAP is .165 (alpha 1),
    .186 (alpha 0) and .223, .227, .231 (alpha 0.5)."""
    languages = ("de", "en")
    levels = {0.0: (0.566, 0.239, 0.186), 0.5: (0.757, 0.260, 0.227), 1.0: (0.867, 0.047, 0.165)}
    rows = []
    for scale in (0, 400):
        for alpha, maps in levels.items():
            for seed in (1, 2, 3):
                wobble = (seed - 2) * 0.004 if alpha == 0.5 else 0.0
                loss = 0.05 if scale == 0 and alpha == 0.5 else 0.0
                found = tuple(value + wobble - loss for value in maps)
                pairs = {f"{q}-{p}": maps[q != p] for q in languages for p in languages}
                rows.append(cell(alpha, scale, seed, maps=found, pair_maps=pairs))
    return frame(*rows)


@pytest.fixture(scope="session")
def two_sets(demo: pl.DataFrame) -> pl.DataFrame:
    return demo.with_columns(
        pl.col(column).alias(column.replace("test/toy", "test/other"))
        for column in demo.columns
        if column.startswith("test/toy")
    )
