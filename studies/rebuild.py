"""Rebuilds every number and the figures of a study's text from its scores.

    python studies/rebuild.py hybrid-batches

writes the blocks of the study's README.md that begin with `<!-- answers.py: NAME -->`, each the
table of that name in what `blocks()` of its answers.py returns, and the figures of `figures()`.
"""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from lingmix.analysis.table import TextTable, markdown_table

HERE = Path(__file__).parent
BLOCK = re.compile(r"(<!-- answers\.py: (\w+) -->)\n\n(?:\|.*\n)*")


def answers_of(study: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("answers", HERE / study / "answers.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rebuilt(text: str, blocks: dict[str, TextTable]) -> str:
    """The text with its blocks, each of which ends at the first empty line after its table."""
    return BLOCK.sub(lambda found: f"{found[1]}\n\n{markdown_table(blocks[found[2]])}", text)


def main(study: str) -> None:
    answers, page = answers_of(study), HERE / study / "README.md"
    page.write_text(rebuilt(page.read_text("utf-8"), answers.blocks()), "utf-8")
    for name, chart in answers.figures().items():
        chart.save(HERE / study / name)


if __name__ == "__main__":
    main(sys.argv[1])
