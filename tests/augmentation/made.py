"""Drafts of a few passages, and what steps work with."""

from collections.abc import Sequence

from lingmix.augmentation.drafts import Bench, Draft

THREE = "One is here. Two is there. Three is gone."
DREI = "Eins ist hier. Zwei ist dort. Drei ist weg."


def draft(id: str = "a", titles: dict[str, str] | None = None, **texts: str) -> Draft:
    """Texts by language, English and German unless others are given."""
    passages = texts or {"en": THREE, "de": DREI}
    return Draft(
        id, "d", f"{id}.jsonl:1", {of: (text,) for of, text in passages.items()}, titles or {}
    )


def bench(corpus: Sequence[Draft] = (), **given) -> Bench:
    return Bench(
        **{"corpus": corpus, "answers": None, "translate": None, "encode": None, "seed": 0, **given}
    )
