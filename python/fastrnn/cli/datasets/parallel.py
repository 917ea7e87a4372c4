"""Parallel files for ``fastrnn train``: line n of one file translates line n of the other."""

from pathlib import Path
from typing import Any, Literal

from fastrnn.cli.datasets.text import Dataset, divided, named, read_lines, unknown_shares
from fastrnn.data import BPE, Vocabulary
from fastrnn.models._seq2seq.pairs import batched_pairs

Level = Literal["character", "word", "bpe"]
_LEVELS = ("character", "word", "bpe")


def parallel_dataset(
    folder: Path,
    sources: str,
    targets: str,
    *,
    source_level: Level = "character",
    target_level: Level = "character",
    min_count: int = 1,
    max_size: int | None = None,
    source_min_count: int | None = None,
    target_min_count: int | None = None,
    source_max_size: int | None = None,
    target_max_size: int | None = None,
    held_out: float = 0.1,
    held_out_sources: str | None = None,
    held_out_targets: str | None = None,
    batch_size: int = 64,
    seed: int = 0,
    bucket: bool = True,
) -> Dataset:
    """Return pairs of lines; a share of them is held out, or the files that are named for it.

    Parameters
    ----------
    source_min_count, target_min_count, source_max_size, target_max_size : int or None
        Of one side; None: min_count and max_size, which are for both.
    bucket : bool
        As `Seq2Seq.pairs`.

    Raises
    ------
    OSError, ValueError
        A file cannot be read, is no UTF-8, or has another number of lines than its partner; or an
        argument breaks its rule.
    """
    for name, level in (("source_level", source_level), ("target_level", target_level)):
        if level not in _LEVELS:
            raise ValueError(f"{name} must be one of {list(_LEVELS)}, got {level!r}")
    pairs = _lines(folder, sources, targets)
    check_held_out(held_out_sources, held_out_targets)
    if held_out_sources is not None and held_out_targets is not None:
        judged = _lines(folder, held_out_sources, held_out_targets)
    else:
        pairs, judged = divided(pairs, held_out, seed, sources, "pairs of lines")
    if not pairs or not judged:
        empty = sources if not pairs else held_out_sources
        raise ValueError(f"{empty} must hold at least one pair of lines")
    tables = [
        vocabulary_of(
            texts, level, min_count if least is None else least, max_size if most is None else most
        )
        for texts, level, least, most in zip(
            zip(*pairs, strict=True), (source_level, target_level),
            (source_min_count, target_min_count), (source_max_size, target_max_size), strict=True,
        )
    ]  # fmt: skip

    (sources_in, targets_in), (sources_out, targets_out) = (
        [
            [table.encode(text) for text in texts]
            for table, texts in zip(tables, zip(*chosen, strict=True), strict=True)
        ]
        for chosen in (pairs, judged)
    )
    longest = max(map(len, sources_in)), max(map(len, targets_in)) + 1
    return Dataset(
        batched_pairs(sources_in, targets_in, batch_size, seed, bucket),
        batched_pairs(sources_out, targets_out, batch_size, seed, bucket),
        {"source_vocab": tables[0], "target_vocab": tables[1]},
        (),
        f"{len(pairs):,} pairs of {sources} and {targets}, {len(tables[0])} and {len(tables[1])} "
        f"different {source_level}s and {target_level}s; {len(judged):,} held out",
        batch_size * max(longest),
        unknown=f"sources {unknown_shares(sources_in, sources_out)}; "
        f"targets {unknown_shares(targets_in, targets_out)}",
    )


def check_held_out(sources: str | None, targets: str | None) -> None:
    """Refuse a held-out file of one side alone."""
    if (sources is None) != (targets is None):
        raise ValueError("held_out_sources and held_out_targets must be given both, or neither")


def vocabulary_of(texts: Any, level: Level, min_count: int, max_size: int | None) -> Vocabulary:
    """Return the symbols of texts."""
    if level not in _LEVELS:
        raise ValueError(f"level must be one of {list(_LEVELS)}, got {level!r}")
    maker = BPE if level == "bpe" else Vocabulary
    return maker.from_texts(texts, level=level, min_count=min_count, max_size=max_size)


def _lines(folder: Path, sources: str, targets: str) -> list[tuple[str, str]]:
    """Return the pairs of lines of two files; the ends of lines do not belong to them."""
    one, other = (
        read_lines(named(folder, key, name))
        for key, name in (("sources", sources), ("targets", targets))
    )
    if len(one) != len(other):
        raise ValueError(
            f"{sources} and {targets} must have as many lines, got {len(one)} and {len(other)}"
        )
    return list(zip(one, other, strict=True))
