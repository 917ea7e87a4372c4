"""Texts into ids and back: every language at hand, characters, words, pieces.

All languages of the wheel of chatterbot-corpus, if ``--wheels DIR`` holds it, and the text files of
``--data``. A line is right when characters and BPE give it back exactly, and words with its white
space made uniform, also with BOS before and EOS and PAD behind it.
"""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from bench.acceptance import _frame
from fastrnn.data import BPE, Vocabulary

FILES = (
    "enja/train.en", "enja/train.ja", "tinyshakespeare/input.txt", "g2p-cmudict/g014b2b.test",
    "dates-additions/date.txt", "camrest/CamRest676.json",
)  # fmt: skip
MOST = 10_000  # lines of a text
SPECIALS = [Vocabulary.PAD, Vocabulary.PAD]


def languages(bench: _frame.Frame, folder: Path | None) -> Iterator[tuple[str, str]]:
    """Yield each language of the corpus with all its text."""
    wheels = sorted(folder.glob("chatterbot_corpus-*.whl")) if folder is not None else []
    if not wheels:
        how = "pip download --no-deps --dest DIR chatterbot-corpus, then --wheels DIR"
        raise _frame.Skipped(f"the wheel of chatterbot-corpus is not here ({how})")
    found: dict[str, str] = {}
    with zipfile.ZipFile(wheels[0]) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".yml"):
                language = name.split("/")[-2]
                found[language] = found.get(language, "") + bench.seen(name, archive.read(name))
    yield from found.items()


def measure(bench: _frame.Frame) -> None:
    """Every text, every level."""
    with bench.part("languages"):
        for name, text in languages(bench, bench.given.wheels):
            one(bench, f"chat, {name}", text)
    for name in FILES:
        with bench.part(name):
            one(bench, name, bench.read(name))
    for name in bench.metrics():
        bench.gate(name, at_least=1.0)


def one(bench: _frame.Frame, name: str, text: str) -> None:
    """One text: the share of its lines that come back, at each level."""
    lines = text.split("\n")[:MOST]
    tables = {
        level: Vocabulary.from_texts(lines, level=level) for level in ("character", "word")
    } | {"bpe": BPE.from_texts(lines, max_size=4_000)}
    for level, table in tables.items():
        right = ids = 0
        for line in lines:
            coded = table.encode(line, bos=True, eos=True)
            wanted = " ".join(line.split()) if level == "word" else line
            right += table.decode([*coded, *SPECIALS, *coded]) == wanted
            ids += len(coded) - 2
        bench.record(f"{name}, {level}", 0, right / len(lines))
        bench.configuration[f"{name}, {level}"] = {"V": len(table), "ids": ids}


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = _frame.options("round_trips", __doc__)
    parser.add_argument("--wheels", type=Path, default=None, help="folder of downloaded wheels")
    return _frame.main("round_trips", __doc__, measure, argv=argv, parser=parser, budget=60)


if __name__ == "__main__":
    sys.exit(main())
