"""Bitext of OPUS (Tatoeba, TED2020 and others) as zip archives of two files, line by line."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from lingmix.data.archive import read_member
from lingmix.data.download import fetch
from lingmix.data.items import Item
from lingmix.errors import InputError


def read_opus(
    *,
    url: str,
    corpus: str,
    version: str,
    pairs: Sequence[str],
    most: int | None,
    download_dir: str | Path,
) -> Iterator[Item]:
    """Makes an item of each sentence and its translation, the first `most` of each of `pairs`, as
    OPUS writes them (`de-en`, in the order of the alphabet). Either is the query of the other."""
    for pair in pairs:
        name = f"OPUS-{corpus}/{version}/moses/{pair}.txt.zip"
        archive = fetch(f"{url}/{name}", path=Path(download_dir) / "opus" / name, checksum=None)
        languages = pair.split("-")
        texts = [_lines(archive, f"{corpus}.{pair}.{language}") for language in languages]
        if len({len(one) for one in texts}) != 1:
            raise InputError(
                f"{archive}: its files have {' and '.join(str(len(one)) for one in texts)} lines; "
                "a line of one must be that of the other; remove it and run again"
            )
        for number, lines in enumerate(islice(zip(*texts, strict=True), most), 1):
            if all(map(str.strip, lines)):
                sentences = {of: (line,) for of, line in zip(languages, lines, strict=True)}
                yield Item(f"{corpus}:{pair}:{number}", "sentences", sentences, sentences)


def _lines(archive: Path, member: str) -> list[str]:
    try:
        return read_member(archive, member).decode().split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise InputError(
            f"{archive}: {member} is not UTF-8 at byte {error.start}; remove it and run again"
        ) from error
