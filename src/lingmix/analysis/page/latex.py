"""Tables for a paper."""

from lingmix.analysis.table import Entry, TextTable

_ESCAPED = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "−": r"$-$",
        "—": "---",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    }
)


def latex(table: TextTable, *, caption: str, label: str) -> str:
    """A floating table; needs `booktabs`. The best is bold."""
    lines = [" & ".join(map(escaped, table.header)), *(_line(row) for row in table.rows)]
    head, *body = [rf"{line} \\" for line in lines]
    columns = "l" + "r" * (len(table.header) - 1)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{label}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    return " ".join(text.split()).translate(_ESCAPED)


def _line(row: tuple[Entry, ...]) -> str:
    return " & ".join(rf"\textbf{{{escaped(e.text)}}}" if e.best else escaped(e.text) for e in row)
