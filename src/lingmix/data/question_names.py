"""What the ids of a question's translations share."""

import polars as pl


def question_name(query_id: pl.Expr, language: pl.Expr) -> pl.Expr:
    """Returns the name of the question, as ids of queries are `<language>:<name>` or
    `<name>-<language>`; an id of another form is a name of its own."""
    return query_id.str.strip_prefix(language + ":").str.strip_suffix("-" + language)
