"""Reading as translation: a sentence goes in, its tree comes out as brackets, word by word.

Two languages whose truth is exact: formulas (infix becomes prefix), and English of a small grammar
in which words decide where a phrase belongs. A constraint lets the decoder write whole trees only.
Figures: trees that are right in every bracket, bracket F1, and the share that is well-formed
without a constraint (Vinyals et al. 2015).
"""

from time import perf_counter

import numpy as np

from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from _translator import as_many, fit, texts
from fastrnn import metrics
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq
from fastrnn.plot import bars
from toys import formulas, grammar, trees

KINDS = ("additive", "none")  # of attention


class Language:
    """Sentences and their trees, and how to tell and to enforce that an answer is a tree."""

    def __init__(self, sources, targets, *, seed, brackets=True):
        order = np.random.default_rng(seed).permutation(len(sources))
        self.sources, self.targets = [sources[i] for i in order], [targets[i] for i in order]
        self.longest = max(len(text.split()) for text in targets)
        self.brackets = brackets
        self.vocabularies = [
            Vocabulary.from_texts(texts, level="word") for texts in (self.sources, self.targets)
        ]

    def constraint(self):
        """What lets a decoder write trees only."""
        if self.brackets:
            return trees.bracket_constraint(self.vocabularies[1], self.longest + 10)
        return formulas.prefix_constraint(self.vocabularies[1], self.longest + 10)

    def is_tree(self, text):
        """Whether an answer is well-formed."""
        return (trees.is_tree if self.brackets else formulas.is_prefix)(text.split())

    def is_paired(self, text):
        """Whether every bracket of an answer has another half, be it of another label."""
        words = [w[0] + "X" if w[0] in "()" and len(w) > 1 else w for w in text.split()]
        return trees.is_tree(words)

    def spans(self, text):
        """The brackets of an answer; none if it is no tree."""
        return trees.spans(trees.from_tokens(text.split())) if self.is_tree(text) else []


def arithmetic(N, seed=0, depth=(1, 4)):
    """Formulas, no two the same."""
    made = formulas.arithmetic(np.random.default_rng(seed), 2 * N, depth=depth)
    different = list(dict(zip(*made)).items())[:N]
    return Language(*zip(*different), seed=seed, brackets=False)


def english(N, seed=0):
    """Sentences, no two the same."""
    made = grammar.Grammar().sentences(np.random.default_rng(seed), N)
    return Language(
        [" ".join(words) for words, _ in made],
        [" ".join(trees.tokens(tree)) for _, tree in made],
        seed=seed,
    )


def made(language, kind, seed, hidden=128):
    """An untrained model of a language's words; without attention as many parameters."""

    def make(hidden, score=None):
        return Seq2Seq(
            "lstm", *language.vocabularies, hidden, embedding_size=64, attention=score,
            rng=np.random.default_rng(seed),
        )  # fmt: skip

    attentive = make(hidden, "additive")
    return attentive if kind != "none" else as_many(make, attentive.parameter_count)


def judge(model, language, sources, targets):
    """Exact trees, F1 of brackets and well-formed ones, decoded freely; the same constrained."""
    found = {}
    for name, options in (("free", {}), ("constrained", {"constraint": language.constraint()})):
        predictions = texts(model, sources, max_length=language.longest + 12, **options)
        found[name] = {
            "exact": metrics.exact_match(predictions, targets),
            "well-formed": float(np.mean([language.is_tree(text) for text in predictions])),
        }
        if language.brackets:
            spans = [[language.spans(text) for text in each] for each in (predictions, targets)]
            found[name]["F1"] = metrics.bracket_f1(*spans)
            paired = [language.is_paired(text) for text in predictions]
            found[name]["in pairs"] = float(np.mean(paired))
    return found


def branching(sources, targets):
    """F1 without labels of the tree that always goes on to the right."""
    right = [trees.spans(trees.right_branching(text.split()), labelled=False) for text in sources]
    wanted = [trees.spans(trees.from_tokens(text.split()), labelled=False) for text in targets]
    return metrics.bracket_f1(right, wanted)


def sketch(tree, sentence):
    """A tree as lines, children further in than their parents, its leaves beside their words."""
    words, text, depth = iter(sentence.split()), "", 2
    for part in tree.split():
        depth -= part[0] == ")"
        if part[0] != ")":
            label = part[1:] if part[0] == "(" else f"{part} {next(words, '')}"
            text += "\n" + "  " * depth + label
        depth += part[0] == "("
    return text


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1) -> None:
    """Reading as translation: formulas and English sentences become trees."""
    N, epochs = (1_500, 2) if quick else (8_000, 8)
    wrong = {}
    for name, language in (("formulas", arithmetic(N)), ("English", english(N))):
        cut = N * 9 // 10
        test = language.sources[cut:], language.targets[cut:]
        if language.brackets:
            print(f"{name}: always to the right, F1 without labels {branching(*test):.3f}")
        for kind in KINDS:
            began, found = perf_counter(), []
            for seed in range(seeds):
                model = made(language, kind, seed)
                learned = language.sources[:cut], language.targets[:cut]
                fit(model, *learned, epochs=epochs, seed=seed, N=64)
                found.append(judge(model, language, *test))
            shares = [1 - one["free"]["exact"] for one in found]
            wrong.setdefault(name, {})["without" if kind == "none" else "with attention"] = shares
            for way, keys in found[0].items():
                figures = (f"{key} {spread([one[way][key] for one in found])}" for key in keys)
                print(f"{name}, attention {kind}, {way}: {'   '.join(figures)}")
            seconds = (perf_counter() - began) / seeds
            print(f"  {model.parameter_count:,} parameters, {seconds:.0f} s a run")
            if kind != "none":
                (shown,), (found,) = test[0][:1], texts(model, test[0][:1])
                print(f"  {shown}:", sketch(found, shown) if language.brackets else found)
    title = f"Trees wrong in some bracket, at equal parameters, {plural(seeds, 'seed')}"
    save(bars(wrong, title=title, xlabel="share of sentences"), plot, "parse_tree")


if __name__ == "__main__":
    standalone(run)
