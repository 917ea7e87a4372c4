"""Word vectors: what they know, beside gensim's, of the same text with the same settings.

corpus.txt of the data folder (a dictionary, a Bible, plays); questions-words.txt, wordsim353.tsv
and simlex999.txt are gensim's own test data, read beside it or from the data folder. Gates:
Spearman correlation at most 0.02 below gensim's, syntactic analogies at most 2 points. One thread
unless told: each of gensim's K threads holds its own count of words against that of the whole file,
so that with two the learning rate falls half as far in an epoch, and CBOW gains by what it keeps.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.acceptance import _frame, _word2vec_peer
from fastrnn.data import WordVectors

SYNTACTIC = ("gram3-comparative", "gram7-past-tense", "gram8-plural")
SHOWN = ("king", "water", "music", "doctor", "red", "walk", "house", "war", "bread", "river")


def _tests(bench: _frame.Frame) -> Path:
    """Return the folder with the questions."""
    if (bench.given.data / "questions-words.txt").is_file():
        return Path(bench.given.data)
    code = "import gensim, os; print(os.path.join(os.path.dirname(gensim.__file__), 'test'))"
    found = subprocess.run(
        [bench.given.peer_python, "-c", code], capture_output=True, text=True, check=True
    )
    return Path(found.stdout.strip()) / "test_data"


def scores(wv: WordVectors, tests: Path) -> dict[str, float]:
    """Return the figures of some vectors; coverage with each."""
    _, wordsim, no_wordsim = wv.evaluate_word_pairs(tests / "wordsim353.tsv")
    _, simlex, no_simlex = wv.evaluate_word_pairs(tests / "simlex999.txt")
    _, sections = wv.evaluate_word_analogies(tests / "questions-words.txt")
    named = {section["section"]: section for section in sections}
    parts = [named[name] for name in SYNTACTIC]
    answered = sum(part["answered"] for part in parts)
    return {
        "WordSim-353": wordsim,
        "WordSim-353 coverage": 1 - no_wordsim / 100,
        "SimLex-999": simlex,
        "SimLex-999 coverage": 1 - no_simlex / 100,
        "syntactic analogies": sum(part["correct"] for part in parts) / answered,
        "syntactic coverage": answered / sum(part["asked"] for part in parts),
        "family analogies": named["family"]["correct"] / named["family"]["answered"],
    }


def measure(bench: _frame.Frame) -> None:
    path = _word2vec_peer.corpus(bench, "corpus.txt")
    tests = _tests(bench)
    gates = {"WordSim-353": -0.02, "SimLex-999": -0.02, "syntactic analogies": -0.02}
    workers = bench.given.threads or 1
    for sg, method in ((1, "skip-gram"), (0, "CBOW")):
        for seed in bench.seeds:
            found = {}
            for library in _word2vec_peer.LIBRARIES:
                options = {"corpus": str(path), "sg": sg, "workers": workers}
                wv = _vectors(bench, library, method, seed, **options)
                found[library] = scores(wv, tests)
                for name, value in found[library].items():
                    bench.record(f"{method}, {library}: {name}", seed, value)
                if library == "fastrnn" and seed == bench.seeds[0]:
                    near = {w: [n for n, _ in wv.most_similar(w, topn=8)] for w in SHOWN}
                    bench.samples[f"neighbours, {method}"] = near
            for name in gates:
                ahead = found["fastrnn"][name] - found["gensim"][name]
                bench.record(f"{method}: {name}, ahead of gensim", seed, ahead)
        for name, least in gates.items():
            bench.gate(f"{method}: {name}, ahead of gensim", at_least=least)


def _vectors(
    bench: _frame.Frame, library: str, method: str, seed: int, **options: Any
) -> WordVectors:
    with tempfile.TemporaryDirectory() as folder, bench.run(f"{library}, {method}", seed) as note:
        out = str(Path(folder) / "vectors.bin")
        note.update(_word2vec_peer.run(bench, library, seed=seed + 1, save=out, **options))
        return WordVectors.load_word2vec_format(out, binary=True)


def main(argv: list[str] | None = None) -> int:
    """Run the bench; 1 when a gate was missed."""
    options = _word2vec_peer.parser("word2vec_quality", __doc__)
    return _frame.main(
        "word2vec_quality", __doc__, measure, argv=argv, budget=120, parser=options
    )


if __name__ == "__main__":
    sys.exit(main())
