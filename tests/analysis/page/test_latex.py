import shutil
import subprocess

import pytest

from lingmix.analysis.page.latex import escaped, latex
from lingmix.analysis.table import Entry, TextTable


def test_a_table_has_a_line_a_row_and_its_best_in_bold() -> None:
    table = TextTable(
        ("alpha", "mAP"), ((Entry("0"), Entry(".2 ± .1")), (Entry("1"), Entry("−.3", best=True)))
    )
    assert latex(table, caption="50% of a_b", label="toy") == (
        r"""\begin{table}
\centering
\caption{50\% of a\_b}
\label{tab:toy}
\begin{tabular}{lr}
\toprule
alpha & mAP \\
\midrule
0 & .2 $\pm$ .1 \\
1 & \textbf{$-$.3} \\
\bottomrule
\end{tabular}
\end{table}
"""
    )


def test_no_text_is_a_command() -> None:
    assert escaped("\\input{x} $a$ #1 & ~^\n<b>") == (
        r"\textbackslash{}input\{x\} \$a\$ \#1 \& \textasciitilde{}\textasciicircum{} "
        r"\textless{}b\textgreater{}"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX: texlive-latex-recommended")
def test_tables_compile_with_tex(tmp_path) -> None:
    """A name of a user's may have any letter that LaTeX knows."""
    marks = [*"±−—–&%$#_{}~^\\<>éüßñ“”…×"]
    rows = [(Entry(f"a{mark}b"), Entry(mark, best=True)) for mark in marks]
    table = latex(TextTable(("set", "mAP"), tuple(rows)), caption=" ".join(marks), label="toy")
    packages = r"\documentclass{article}\usepackage{booktabs}"
    page = f"{packages}\\begin{{document}}\n{table}\\end{{document}}\n"
    (tmp_path / "page.tex").write_text(page, "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert (tmp_path / "page.pdf").read_bytes()[:5] == b"%PDF-"
