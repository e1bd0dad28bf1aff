import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from lingmix.analysis.page.report import write_report
from lingmix.analysis.results import results_of
from lingmix.errors import InputError
from tests.analysis.conftest import NO_CELLS, NO_EVALUATIONS, cell, evaluation, frame

SCRIPT = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Tags with their attributes, links, and all text: what is shown, what is drawn and what is
    run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.specifications: list[str] = []
        self.feed(html)

    @property
    def links(self) -> list[str]:
        return [str(attrs["href"]) for tag, attrs in self.tags if tag == "a"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem != "script":
            self.text += data
        elif "type" in self.tags[-1][1]:
            self.specifications.append(data)
        else:
            self.scripts.append(data)


@pytest.fixture(scope="module")
def written(two_sets: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("reports") / "new"
    return write_report(results_of(two_sets, NO_EVALUATIONS), name="demo", folder=folder)


@pytest.fixture(scope="module")
def page(written: list[Path]) -> Page:
    return Page(written[0].read_text())


def test_files_stand_beside_the_page(written: list[Path]) -> None:
    folder = written[0].parent
    assert written[0].name == "report.html"
    assert {*written} == {path for path in folder.rglob("*") if path.is_file()}
    figures = {
        *("toy-tradeoff", "toy-change-alpha-0.5"),
        *(f"toy-alpha-{s}" for s in ("monolingual", "crosslingual", "multilingual")),
        *(f"toy-pairs-alpha-{a}" for a in ("0", "0.5", "1")),
    }
    assert {path.name for path in written if path.match("figures/toy*")} == {
        f"{stem}.{form}" for stem in figures for form in ("svg", "png", "csv")
    }
    assert {path.name for path in written if path.match("tables/toy*")} == {
        f"toy-{what}.{form}" for what in ("scores", "gains", "bias") for form in ("csv", "tex")
    }
    table = pl.read_csv(folder / "table.csv")
    assert table.filter(set="toy", scale=400, alpha=0.5)["multilingual"].to_list() == [
        pytest.approx(0.227)
    ]
    assert (folder / "table.md").read_text().count("\n## ") == 2


def test_the_page_draws_what_the_files_hold_and_links_to_them(
    written: list[Path], page: Page
) -> None:
    folder = written[0].parent
    drawn = [json.loads(one)["datasets"]["rows"] for one in page.specifications]
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    stems = [Path(link).stem for link in page.links if link.endswith(".svg")]
    assert len(drawn) == len(images) == len(stems) == 16
    for rows, image, stem in zip(drawn, images, stems, strict=True):
        svg = base64.b64decode(str(image["src"]).partition(",")[2])
        assert (folder / "figures" / f"{stem}.svg").read_bytes() == svg
        saved = (folder / "figures" / f"{stem}.csv").read_text()
        columns = saved.partition("\n")[0].split(",")
        assert pl.DataFrame(rows).select(columns).write_csv() == saved
        assert len(str(image["alt"])) > 40
    assert all((folder / link).is_file() for link in page.links)


def test_the_page_needs_nothing_from_outside(page: Page) -> None:
    sources = [str(attrs["src"]) for _, attrs in page.tags if "src" in attrs]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object"}
    assert not any(re.match(r"[a-z]+:|/", link) for link in page.links)
    [script] = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = [attrs["content"] for _, attrs in page.tags if "http-equiv" in attrs]
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def test_controls_offer_what_the_figures_can_show(page: Page) -> None:
    for words in ("Scale all (maps: the largest)0400", "Seed mean123", "Pairs with any languagede"):
        assert words in page.text


def test_text_from_outside_is_inert(tmp_path: Path) -> None:
    cells = frame(
        cell(0.5, seed=1, set_name="a<i>", lr=SCRIPT, pairs=f"[{SCRIPT}]"),
        cell(1, seed=1, set_name="a<i>", lr="1"),
    ).with_columns(run_name=pl.lit(SCRIPT), run_id=pl.lit("<b>"))
    evaluations = frame(evaluation(SCRIPT, set_name="a<i>", excess={"en-en": 0.1}))
    [path, *_] = write_report(
        results_of(cells, evaluations),
        name=SCRIPT,
        folder=tmp_path,
        missing=[SCRIPT],
        commands=[f"x {SCRIPT}"],
    )
    page = Page(path.read_text())
    assert not {tag for tag, _ in page.tags} & {"i", "b"}
    assert len(page.scripts) == 1
    assert page.text.count(SCRIPT) >= 9
    assert all("<" not in one for one in page.specifications)
    folders = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert folders == {".", "figures", "tables"}


def test_the_page_states_what_was_compared_failed_and_is_missing(
    demo: pl.DataFrame, tmp_path: Path
) -> None:
    cells = demo.filter((pl.col("alpha") != 1) | (pl.col("scale") != 0))
    [path, *_] = write_report(
        results_of(cells, NO_EVALUATIONS),
        name="demo",
        folder=tmp_path,
        missing=["run 7: failed"],
        commands=["make demo"],
    )
    text = Page(path.read_text()).text
    for part in (
        "15 complete; 3 seeds (1, 2, 3)",
        "every run trained for 300 steps",
        "2 languages (de, en)",
        "run 7: failed",
        "No complete run for: scale 0, alpha 1.",
        "make demo",
        "+.041 over alpha 0",
    ):
        assert part in text


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param([cell(0.5, None)], id="one run"),
        pytest.param([cell(1, None), cell(1, 0)], id="one alpha"),
        pytest.param([cell(0, 0), cell(0.5, 400), cell(1, None)], id="diagonal grid"),
        pytest.param([cell(0), cell(0.5), cell(1, set_name="b")], id="sets of few runs"),
        pytest.param([cell(0, rank_distance=float("nan")), cell(1)], id="nan"),
        pytest.param([cell(0.5, lr="1"), cell(1, lr="2")], id="nothing comparable"),
    ],
)
def test_a_thin_grid_still_gives_a_report(cells: list[dict[str, object]], tmp_path: Path) -> None:
    [path, *_] = write_report(
        results_of(frame(*cells), NO_EVALUATIONS), name="thin", folder=tmp_path
    )
    assert path.exists()


def test_evaluations_stand_beside_the_cells_of_their_set(
    two_sets: pl.DataFrame, tmp_path: Path
) -> None:
    excess = {"en-en": 0.1, "en-de": -0.1}
    evaluations = frame(
        evaluation("bm25", excess=excess, bias={"peer": 0.031}), evaluation("e5", set_name="third")
    )
    [path, *others] = write_report(results_of(two_sets, evaluations), name="demo", folder=tmp_path)
    text = Page(path.read_text()).text
    assert "bm25.800.100.300—" in text
    assert "bm25————.031" in text
    assert "2 encoders (bm25, e5)" in text
    assert "toy-bias-encoder-1.svg" in {other.name for other in others}
    rows = pl.read_csv(tmp_path / "table.csv").filter(pl.col("encoder").is_not_null())
    assert rows.select("set", "encoder", "monolingual", "alpha").rows() == [
        ("third", "e5", 0.8, None),
        ("toy", "bm25", 0.8, None),
    ]
    assert "| bm25 | .800 |" in (tmp_path / "table.md").read_text()


def test_evaluations_alone_give_a_report_that_speaks_of_no_training(tmp_path: Path) -> None:
    evaluations = frame(evaluation("bm25", excess={"en-en": 0.1}), evaluation("e5"))
    written = write_report(results_of(NO_CELLS, evaluations), name="demo", folder=tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        *("report.html", "table.csv", "table.md"),
        *(f"figures/toy-bias-encoder-1.{form}" for form in ("svg", "png", "csv")),
        *(f"tables/toy-encoders.{form}" for form in ("csv", "tex")),
    ]
    page = Page(written[0].read_text())
    assert "2 encoders (bm25, e5)" in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == 1
    for word in ("alpha", "Alpha", "seeds", "Gaps", "Hybrid", "trade-off\n"):
        assert word not in page.text, word


def test_no_complete_run_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no complete run"):
        write_report(results_of(NO_CELLS, NO_EVALUATIONS), name="x", folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()
