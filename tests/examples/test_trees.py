"""Why: a tree that is read in another way than it was written scores the wrong brackets, and a
constraint with a hole lets a decoder out where it promised a whole tree.
"""

import ast

import numpy as np
import pytest

from bench.acceptance import _expressions
from fastrnn.data import EOS, Vocabulary
from fastrnn.metrics import bracket_f1
from toys import formulas, grammar, trees

TREE = ("S", ("NP", "DT", "NN"), ("VP", "VB", ("NP", "NN")))


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_trees_and_tokens_are_one_thing() -> None:
    words = trees.tokens(TREE)
    assert " ".join(words) == "(S (NP DT NN )NP (VP VB (NP NN )NP )VP )S"
    assert trees.from_tokens(words) == TREE
    assert trees.is_tree(words)
    assert trees.spans(TREE) == [("NP", 0, 2), ("NP", 3, 4), ("VP", 2, 4), ("S", 0, 4)]
    flat = trees.right_branching(["DT", "NN", "VB", "NN"])
    assert trees.spans(flat, labelled=False) == [("", 2, 4), ("", 1, 4), ("", 0, 4)]
    right = trees.spans(TREE, labelled=False)
    assert bracket_f1([trees.spans(flat, labelled=False)], [right]) == 2 * 2 / (3 + 4)


@pytest.mark.parametrize(
    "text",
    [
        "", "NN", "(S NN", "(S NN )NP", "(S )S", ")S", "(S NN )S (S NN )S", "(S NN )S )S",
        "NN (S NN )S",
    ],
)  # fmt: skip
def test_what_is_no_tree_is_known(text: str) -> None:
    assert not trees.is_tree(text.split())
    if text != "NN":
        with pytest.raises(ValueError, match=r"closes|root"):
            trees.from_tokens(text.split())


TAGS = Vocabulary(["(S", ")S", "(NP", ")NP", "DT", "NN"], level="word")
SUMS = Vocabulary(["+", "*", "1", "2"], level="word")


def drawn(constraint, source: np.random.Generator, longest: int) -> list[int]:
    """Symbols drawn evenly among those allowed, to the end."""
    ids: list[int] = []
    while True:
        allowed = constraint(ids).nonzero()[0]
        assert len(allowed) > 0, "a dead end"
        i = int(source.choice(allowed))
        if i == EOS:
            return ids
        ids.append(i)
        assert len(ids) <= longest


@pytest.mark.parametrize("leaves", [None, 1, 4])
@pytest.mark.parametrize("longest", [6, 7, 20])
def test_a_constraint_leads_to_whole_trees_of_the_length(leaves: int | None, longest: int) -> None:
    constraint, source = trees.bracket_constraint(TAGS, longest, leaves=leaves), rng()
    seen = set()
    for _ in range(150):
        words = TAGS.decode(drawn(constraint, source, longest)).split()
        assert trees.is_tree(words)
        if leaves is not None:
            assert sum(word in ("DT", "NN") for word in words) == leaves
        seen.add(len(words))
    assert len(seen) > 1 or longest - (leaves or 1) < 4
    assert max(seen) >= min(longest - 1, 11)


def test_every_tree_is_allowed() -> None:
    words = trees.tokens(("S", ("NP", "DT", ("NP", "NN")), "NN"))
    constraint = trees.bracket_constraint(TAGS, len(words), leaves=3)
    ids = TAGS.encode(" ".join(words), eos=True)
    for n, i in enumerate(ids):
        assert constraint(ids[:n])[i]
    with pytest.raises(ValueError, match="longest"):
        trees.bracket_constraint(TAGS, 4, leaves=3)
    with pytest.raises(ValueError, match="both halves"):
        trees.bracket_constraint(Vocabulary(["(S", "NN"], level="word"), 9)


def test_formulas_mean_the_same_in_both_spellings() -> None:
    made = formulas.arithmetic(rng(), 400, leaves=[str(n) for n in range(1, 10)])
    for infix, prefix in zip(*made, strict=True):
        words = prefix.split()
        assert formulas.is_prefix(words)
        stack: list[str] = []
        for word in reversed(words):
            joins = word in formulas.OPERATORS
            stack.append(f"({stack.pop()}{word}{stack.pop()})" if joins else word)
        same = ast.dump(ast.parse(stack[0])) == ast.dump(ast.parse(infix))
        assert same, (infix, prefix)
    for depth in (1, 5):
        (deep,) = formulas.arithmetic(rng(), 1, depth=depth).targets
        assert depth <= sum(word in formulas.OPERATORS for word in deep.split()) < 2**depth
    for wrong in ("", "+ 1", "1 1", "+ 1 2 3"):
        assert not formulas.is_prefix(wrong.split())
    assert made == formulas.arithmetic(rng(), 400, leaves=[str(n) for n in range(1, 10)])


def test_the_constraint_of_formulas() -> None:
    constraint, source = formulas.prefix_constraint(SUMS, 7), rng()
    lengths = set()
    for _ in range(200):
        words = SUMS.decode(drawn(constraint, source, 7)).split()
        assert formulas.is_prefix(words)
        lengths.add(len(words))
    assert lengths == {1, 3, 5, 7}


class Reader:
    """Another reader of the grammar: the last open word that likes a preposition has it."""

    def __init__(self, words: list[str]) -> None:
        self.words, self.tags = [*words, ""], []

    def take(self, tag: str) -> str:
        self.tags.append(tag)
        return self.words.pop(0)

    def noun_phrase(self) -> tuple:
        self.take("DT")
        likes = grammar.NOUNS[self.take("NN")]
        node: list = ["NP", "DT", "NN"]
        if self.words[0] in grammar.RELATIVES:
            self.take("WP")
            node.append(("SBAR", "WP", self.verb_phrase()))
        return self.prepositions(node, likes)

    def verb_phrase(self) -> tuple:
        verb = self.take("VB")
        node: list = ["VP", "VB"]
        if verb in grammar.VERBS:
            node.append(self.noun_phrase())
        return self.prepositions(node, {**grammar.VERBS, **grammar.ALONE}[verb])

    def prepositions(self, node: list, likes: list[str]) -> tuple:
        while self.words[0] in likes:
            self.take("IN")
            node.append(("PP", "IN", self.noun_phrase()))
        return tuple(node)


def test_every_sentence_has_the_one_tree_that_its_words_say() -> None:
    made = grammar.Grammar().sentences(rng(), 1500)
    attached = {"NP": 0, "VP": 0}
    for words, tree in made:
        reader = Reader(words)
        assert ("S", reader.noun_phrase(), reader.verb_phrase()) == tree, words
        assert reader.words == [""]
        assert len(trees.tokens(tree)) - 2 * len(trees.spans(tree)) == len(words) <= 25
        text = " ".join(trees.tokens(tree))
        attached["NP"] += ")PP )NP" in text
        attached["VP"] += ")PP )VP" in text
    assert min(attached.values()) > 300  # neither way is rare
    assert len({tuple(words) for words, _ in made}) == 1500
    with pytest.raises(ValueError, match="N must be smaller"):
        grammar.Grammar(nouns={"x": []}, verbs={"v": []}, relative=0).sentences(rng(), 100)
    with pytest.raises(ValueError, match="nouns"):
        grammar.Grammar(nouns={})


def test_expressions_are_read_as_python_reads_them() -> None:
    text = "a = f(b, *c, d=1)[2:] if not x.y else {**e, 'k': (1, 2)}\nlambda: g(h < i in j)\n"
    made = _expressions.shapes([text])
    answers = dict(zip(made.sources, made.targets, strict=True))
    call = "(Call n n (Starred n )Starred (keyword n c )keyword )Call"
    assert answers["n ( n , * n , n = c )"] == call
    assert answers["n < n in n"] == "(Compare n Lt In n n )Compare"
    assert answers["not n . n"] == "(Not (Attribute n n )Attribute )Not"
    assert answers["{ ** n , c : ( c , c ) }"] == "(Dict - c n (Tuple c c )Tuple )Dict"
    assert all(trees.is_tree(target.split()) for target in made.targets)
    assert _expressions.shapes(["a = f'{x}' + y", "this is no Python"]) == ([], [], 0)
    assert _expressions.shapes(["a + b", "c + 1"], longest=3).sources == ["n + c", "n + n"]


def test_the_standard_library_has_thousands_of_shapes() -> None:
    made = _expressions.shapes(_expressions.standard_library()[:60])
    assert len(made.sources) > 1000
    assert len(set(made.sources)) == len(made.sources)
    assert made.ambiguous < 0.01 * len(made.sources)
    assert all(3 <= len(source.split()) <= 25 for source in made.sources)
