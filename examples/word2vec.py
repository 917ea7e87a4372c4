"""Words by their company: skip-gram on a text of yours, and on one whose answer is known.

First a Markov chain of 30 words, where the products of the vectors must reach ln of how often two
words are neighbours over how often one is drawn as noise beside the other (Levy and Goldberg 2014;
noise that is the target is left out). Then the first of these texts that is here: --text FILE, the
dictionary of the Debian package dict-gcide, Python's own documentation.
"""

import gzip
import re
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
from typer import Option

from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.models import Word2Vec
from fastrnn.plot import curves, word_map
from toys import tasks

DICTIONARY = Path("/usr/share/dictd/gcide.dict.dz")
WORDS, NOISE = 30, 5
ASKED = (
    "river", "king", "red", "copper", "soldier", "bread", "music", "fever", "triangle", "thursday",
    "string", "integer", "module", "exception", "float", "tuple", "iterator", "thread", "import",
)  # fmt: skip
Text = Annotated[Path | None, Option("--text", metavar="FILE", help="Learn from this text.")]


def optimum(lines):
    """ln(pairs / noise) of every two words, and how often they are neighbours."""
    pairs = np.zeros((WORDS, WORDS))
    for ahead, behind in ((lines[:, 1:], lines[:, :-1]), (lines[:, :-1], lines[:, 1:])):
        np.add.at(pairs, (ahead, behind), 1)
    share = np.bincount(lines.ravel(), minlength=WORDS) ** 0.75
    noise = NOISE * share / share.sum() * (pairs.sum(axis=1, keepdims=True) - pairs)
    with np.errstate(divide="ignore"):
        return np.log(pairs / noise), pairs


def known(seed, words, epochs):
    """Correlation with the optimum, distance from it, and both, over pairs that come 50 times."""
    rng = np.random.default_rng(seed)
    p, _ = tasks.markov_chain(rng, WORDS)
    lines = tasks.markov_source(rng, p, words).reshape(-1, 1000)
    names = [[f"w{i}" for i in line] for line in lines.tolist()]
    model = Word2Vec(
        names, vector_size=32, sg=1, window=1, shrink_windows=False, sample=0, min_count=1,
        negative=NOISE, epochs=epochs, alpha=0.05, seed=seed, deterministic=True,
    )  # fmt: skip
    place = [model.wv.key_to_index[f"w{i}"] for i in range(WORDS)]
    products = model.params["vectors"][place] @ model.params["outputs"][place].T
    truth, pairs = optimum(lines)
    often = pairs >= 50
    error = np.sqrt(np.square(products - truth)[often].mean())
    pairs = products[often], truth[often]
    return np.corrcoef(*pairs)[0, 1], error, pairs


def documentation():
    """The text behind ``help("topics")``; a few Pythons come without it."""
    from pydoc_data.topics import topics  # noqa: PLC0415  for those alone who get here

    return "\n".join(topics[name] for name in sorted(topics))


def text(path):
    """The name of a text and its sentences, one a line, words of lower-case letters."""
    if path is not None:
        name, content = path.name, path.read_text(encoding="utf-8", errors="replace")
    elif DICTIONARY.is_file():
        name = "the dictionary GCIDE"
        content = gzip.decompress(DICTIONARY.read_bytes()).decode(errors="replace")
        content = re.sub(r"\[[^\]\n]*(1913 Webster|PJC|WordNet)[^\]\n]*\]", "\n\n", content)
    else:
        name, content = "Python's documentation (apt install dict-gcide for more)", documentation()
    sentences = re.split(r"[.!?;:]+\s|\n\s*\n", content.lower())
    lines = (" ".join(re.findall(r"[a-z]+(?:'[a-z]+)?", sentence)) for sentence in sentences)
    return name, [line for line in lines if " " in line]


def asked(vectors):
    """Ten words with a meaning of their own, those of ASKED first, then rarer and longer ones."""
    words = vectors.index_to_key
    more = [word for word in (*words[200:], *words) if len(word) > 4]
    return [*dict.fromkeys(word for word in (*ASKED, *more) if word in vectors)][:10]


def learn(lines, epochs):
    """A model of these lines, read from a file as a text of any size would be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text("\n".join(lines), encoding="utf-8")
        began = perf_counter()
        model = Word2Vec(corpus_file=path, sg=1, sample=1e-3, alpha=0.05, epochs=epochs)
    return model, perf_counter() - began


def run(
    quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 3, text_file: Text = None
) -> None:
    """Word vectors: the known optimum, words per second, and neighbours in a real text."""
    seeds, chain, epochs = (1, 30_000, 30) if quick else (seeds, 100_000, 60)
    reached = [known(seed, chain, epochs) for seed in range(seeds)]
    r, error, (products, truth) = *np.transpose([one[:2] for one in reached]), reached[0][2]
    print(
        f"known optimum, {plural(seeds, 'seed')}: correlation {spread(r)}, "
        f"root mean square error {spread(error, 3)}"
    )
    name, lines = text(text_file)
    words = sum(line.count(" ") + 1 for line in lines)
    epochs = max(2 if quick else 5, min(50, (1_000_000 if quick else 10_000_000) // words))
    model, seconds = learn(lines, epochs)
    print(f"{name}: {words:,} words, {len(model.wv):,} different ones that come 5 times")
    print(f"{epochs} epochs in {seconds:.1f} s, {words * epochs / seconds:,.0f} words/s", end="; ")
    print(f"loss of a pair {model.losses[0]:.3f} to {model.losses[-1]:.3f}")
    near = {}
    for word in asked(model.wv):
        near[word] = [other for other, _ in model.wv.most_similar(word, topn=6)]
        print(f"{word:>12}: {', '.join(near[word])}")
    order = np.argsort(truth)
    figure = curves(
        {"products of the vectors": products[order], "the known optimum": truth[order]},
        title=f"Skip-gram reaches the optimum of a Markov chain: correlation {spread(r[:1])}",
        xlabel="pairs of words, by their optimum", ylabel="product of the two vectors",
    )  # fmt: skip
    save(figure, plot, "word2vec_optimum")
    shown = list(dict.fromkeys(word for pair in near.items() for word in (pair[0], *pair[1][:4])))
    figure = word_map(shown, model.wv[shown], title=f"Words and their neighbours in {name}")
    save(figure, plot, "word2vec")


if __name__ == "__main__":
    standalone(run)
