import json
from itertools import accumulate
from pathlib import Path

import pytest

from lingmix.data.sentences import sentences

DATA = Path(__file__).parents[2] / "../shared/data/raw/lareqa/xquad-r"


@pytest.mark.parametrize(
    ("language", "split"),
    [
        ("en", "It won.| Did it?| Yes!| So it did."),
        ("en", "He said “No.”| Then 3.5 of them left for the U.S.A. with John C. Reilly."),
        ("en", "Dr. Who met St. John, e.g. in Jones et al. and elsewhere.| 35 others fled."),
        ("de", "Am 7. Januar war es d. h. zu spät.| Dann kam Dr. Wu.| 1950 war es 99 Jahre her."),
        ("es", "¿Qué?| ¡Nada!| Vino el Dr. Costa con William E.| Simon."),
        ("ar", "هل جاء؟| نعم.| ثم ذهب."),
        ("hi", "वह आया।| वह गया।| क्यों?| पता नहीं."),
        ("vi", "Anh đến.| Anh đi lúc 3.5 giờ."),
        ("zh", "他来了。|“真的吗？”|他走了。1991年又来。"),
        ("zh", "没有句号"),
    ],
)
def test_a_text_is_split_where_its_sentences_end(language: str, split: str) -> None:
    assert sentences(split.replace("|", ""), language=language) == split.split("|")


PUBLISHED = [
    ("ar", 240, 1222, 1222),
    ("de", 212, 1296, 1276),
    ("el", 239, 1234, 1234),
    ("en", 227, 1184, 1180),
    ("es", 216, 1219, 1215),
    ("hi", 239, 1245, 1244),
    ("vi", 238, 1211, 1209),
    ("zh", 216, 1165, 1196),
]
"""Of XQuAD-R's 240 paragraphs, those split as its authors do; sentences by us, by its authors."""


@pytest.mark.skipif(not DATA.is_dir(), reason="XQuAD-R is not beside the project")
@pytest.mark.parametrize(("language", "same", "ours", "theirs"), PUBLISHED)
def test_paragraphs_split_as_the_authors_of_xquad_r_split_them(
    language: str, same: int, ours: int, theirs: int
) -> None:
    articles = json.loads((DATA / f"{language}.json").read_bytes())["data"]
    paragraphs = [one for article in articles for one in article["paragraphs"]]
    found = [sentences(one["context"], language=language) for one in paragraphs]
    published = [[end for _, end in one["sentence_breaks"]] for one in paragraphs]
    contexts = [one["context"] for one in paragraphs]
    assert ["".join(parts) for parts in found] == contexts
    ends = [list(accumulate(map(len, parts))) for parts in found]
    equal = [
        {*got[:-1], len(text.rstrip())} == {len(text[:end].rstrip()) for end in told}
        for got, told, text in zip(ends, published, contexts, strict=True)
    ]
    assert (sum(equal), sum(map(len, found)), sum(map(len, published))) == (same, ours, theirs)
