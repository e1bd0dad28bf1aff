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
