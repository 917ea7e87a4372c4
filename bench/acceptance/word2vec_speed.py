"""Word vectors: words per second and memory beside gensim, the same file, settings and threads.

kjv.txt of the data folder, one verse a line, 0.79 M words, from the Debian package bible-kjv:

    bible -f gen1:1-rev22:21 | sed 's/^[0-9A-Za-z]*:[0-9]* //' | tr A-Z a-z | sed "s/[^a-z' ]/ /g"

100 numbers, window 5, 5 noise words, subsampling at 1e-4, 5 epochs; each seed is one repetition,
both libraries in turn. Gates: skip-gram 3 times and CBOW 2 times gensim's words per second, on 1
and on 2 threads; 2 times with the pass that counts the vocabulary; no more memory.
"""

import sys

from bench.acceptance import _frame, _word2vec_peer


def measure(bench: _frame.Frame) -> None:
    path = _word2vec_peer.corpus(bench, "kjv.txt")
    for seed in bench.seeds:
        for sg, method in ((1, "skip-gram"), (0, "CBOW")):
            for workers in (1, 2):
                _compare(bench, str(path), seed, sg, method, workers)
    for method, least in (("skip-gram", 3.0), ("CBOW", 2.0)):
        for threads in ("1 thread", "2 threads"):
            bench.gate(f"{method}, {threads}: times gensim's words/s", at_least=least)
            bench.gate(f"{method}, {threads}: times as fast with vocabulary", at_least=2.0)
            bench.gate(f"{method}, {threads}: part of gensim's memory", at_most=1.0)


def _compare(
    bench: _frame.Frame, corpus: str, seed: int, sg: int, method: str, workers: int
) -> None:
    found = {}
    for library in _word2vec_peer.LIBRARIES:
        name = f"{library}, {method}, {workers} threads"
        with bench.run(name, seed) as note:
            found[library] = _word2vec_peer.run(
                bench, library, corpus=corpus, sg=sg, workers=workers, seed=seed + 1
            )
            note.update(found[library])
    ours, theirs = found["fastrnn"], found["gensim"]
    case = f"{method}, {workers} thread{'s' if workers > 1 else ''}"
    for library in _word2vec_peer.LIBRARIES:
        speed = found[library]["words_per_second"]
        bench.record(f"{case}: {library}, million words/s", seed, speed / 1e6)
    bench.record(
        f"{case}: times gensim's words/s", seed,
        ours["words_per_second"] / theirs["words_per_second"],
    )  # fmt: skip
    whole = [side["vocabulary_seconds"] + side["training_seconds"] for side in (theirs, ours)]
    bench.record(f"{case}: times as fast with vocabulary", seed, whole[0] / whole[1])
    bench.record(f"{case}: part of gensim's memory", seed, ours["peak_mib"] / theirs["peak_mib"])


def main(argv: list[str] | None = None) -> int:
    """Run the bench; 1 when a gate was missed."""
    options = _word2vec_peer.parser("word2vec_speed", __doc__)
    return _frame.main(
        "word2vec_speed", __doc__, measure, argv=argv, budget=30, parser=options
    )


if __name__ == "__main__":
    sys.exit(main())
