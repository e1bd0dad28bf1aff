"""The audit command, and the audit that a training records."""

import json

import polars as pl
import pytest

from lingmix.commands.audit import audit
from lingmix.errors import InputError
from tests.commands import command
from tests.data.test_cldr import held_out_sets


@pytest.fixture(scope="module")
def held_out_query() -> str:
    """A long one in English of the embedded evaluation data."""
    return max(held_out_sets(["en"], ["geography"])[-1].queries, key=len)


@pytest.fixture
def pairs(tmp_path):
    """A file with a query of the embedded evaluation data, in other case, and nothing else of
    them."""

    def written(*queries: str):
        path = tmp_path / "pairs.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for number, query in enumerate(queries):
                languages = {"query_lang": "en", "passage_lang": "en"}
                row = {"query": query, "passage": f"An answer of its own {number}", **languages}
                row["source_id"] = str(number)
                file.write(json.dumps(row) + "\n")
        return [f"data.path={path}", "data=pairs", f"folder={tmp_path / 'audit'}"]

    return written


def test_data_that_share_nothing_pass(configure, pairs, tmp_path):
    printed = audit(configure("audit", *pairs("Something quite different?")))
    assert printed.splitlines()[1].split() == ["cldr_currency", "query", *"00000"]
    assert printed.endswith(f"{tmp_path / 'audit'}")
    assert pl.read_parquet(tmp_path / "audit/leakage.parquet").is_empty()


def test_a_leak_is_reported_and_ends_the_command_with_its_status(
    configure, pairs, tmp_path, capsys, held_out_query
):
    overrides = [*pairs("Something else", held_out_query.upper()), "data.near_duplicates=null"]
    with pytest.raises(SystemExit) as caught:
        audit(configure("audit", *overrides))
    assert str(caught.value).startswith("lingmix-audit: 1 training texts leak, the first: item '1'")
    assert "normalised" in capsys.readouterr().out
    (row,) = pl.read_csv(tmp_path / "audit/leakage.csv").rows(named=True)
    assert (row["text"], row["evaluation_text"]) == (held_out_query.upper(), held_out_query)
    name = row["evaluation_set"]
    assert audit(configure("audit", *overrides, f"data.allow_overlap=[{name}]"))


def test_a_set_that_is_not_audited_cannot_be_allowed(configure, pairs):
    with pytest.raises(InputError, match=r"data\.allow_overlap: must be among the sets"):
        audit(configure("audit", *pairs("Something"), "data.allow_overlap=[xquad]"))


def test_the_command_itself(output_dir, pairs):
    ended = command("audit", *pairs("Something quite different?"), f"output_dir={output_dir}")
    assert (ended.returncode, ended.stderr) == (0, "")
