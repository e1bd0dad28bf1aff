"""How many texts training data have in each language."""

import altair as alt
import polars as pl

from lingmix.analysis.page.figures.figure import Drawing, Figure, figure_of


def texts_of_languages(texts: pl.DataFrame) -> Figure:
    """A bar a role and language, of `texts` of a data card."""
    bars = alt.Chart().mark_bar()
    chart = bars.encode(
        alt.Y("language:N", title=None),
        alt.X("texts:Q", title="texts"),
        alt.YOffset("role:N"),
        alt.Color("role:N", title=None, scale=alt.Scale(scheme="viridis")),
        tooltip=["role:N", "language:N", "texts:Q", "repeated:Q", "median:Q", "longest:Q"],
    )
    rows = (
        f"{role} in {language}: {count:,}"
        for role, language, count in texts.select("role", "language", "texts").rows()
    )
    return figure_of(
        Drawing([chart], [], height=30 * texts["language"].n_unique() + 20),
        texts,
        stem="texts",
        title="Texts by language",
        description=f"Texts of the training data. {'; '.join(rows)}.",
        width=420,
    )
