"""Trees as texts and back, and which symbol may come next while one is written.

A tree is a tuple of a label and its children; a leaf is a string. As tokens every node has a
bracket with its label at either end, as in ``(S (NP DT NN )NP (VP VB )VP )S``.

References
----------
Vinyals et al., "Grammar as a foreign language", 2015, section 2.2.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.data import EOS, Vocabulary

SPECIALS = EOS + 1  # ids below are PAD, UNK, BOS and EOS
Tree = tuple[Any, ...] | str
Mask = NDArray[np.bool_]
Constraint = Callable[[ArrayLike], Mask]
Span = tuple[str, int, int]


def tokens(tree: Tree) -> list[str]:
    """Return a tree as tokens.

    Examples
    --------
    >>> from toys import trees
    >>> " ".join(trees.tokens(("S", ("NP", "DT", "NN"), "VB")))
    '(S (NP DT NN )NP VB )S'
    """
    if isinstance(tree, str):
        return [tree]
    label, *children = tree
    inner = [token for child in children for token in tokens(child)]
    return [f"({label}", *inner, f"){label}"]


def from_tokens(words: Sequence[str]) -> Tree:
    """Return the tree of tokens.

    Raises
    ------
    ValueError
        They are no tree: a bracket without its other half or without content, two roots, or none.

    Examples
    --------
    >>> from toys import trees
    >>> trees.from_tokens("(S (NP DT NN )NP VB )S".split())
    ('S', ('NP', 'DT', 'NN'), 'VB')
    """
    open_nodes: list[list[Any]] = [[]]
    for word in words:
        if word.startswith("(") and len(word) > 1:
            open_nodes.append([word[1:]])
        elif word.startswith(")") and len(word) > 1:
            node = open_nodes.pop()
            if not open_nodes or node[:1] != [word[1:]] or len(node) < 2:
                raise ValueError(f"{word!r} closes nothing, or nothing of content")
            open_nodes[-1].append(tuple(node))
        else:
            open_nodes[-1].append(word)
    if len(open_nodes) > 1 or len(open_nodes[0]) != 1:
        raise ValueError("there must be one root, and all brackets closed")
    root: Tree = open_nodes[0][0]
    return root


def is_tree(words: Sequence[str]) -> bool:
    """Whether tokens are a tree with a bracket around it."""
    try:
        return not isinstance(from_tokens(words), str)
    except ValueError:
        return False


def spans(tree: Tree, *, labelled: bool = True) -> list[Span]:
    """Return (label, first leaf, end) of every node, for `fastrnn.metrics.bracket_f1`.

    Parameters
    ----------
    tree : tuple or str
    labelled : bool
        False: all labels are "".

    Examples
    --------
    >>> from toys import trees
    >>> trees.spans(("S", ("NP", "DT", "NN"), "VB"))
    [('NP', 0, 2), ('S', 0, 3)]
    """
    found: list[Span] = []

    def walk(node: Tree, start: int) -> int:
        if isinstance(node, str):
            return start + 1
        end = start
        for child in node[1:]:
            end = walk(child, end)
        found.append((node[0] if labelled else "", start, end))
        return end

    walk(tree, 0)
    return found


def right_branching(leaves: Sequence[str], label: str = "S") -> Tree:
    """Return the tree whose every node is a leaf and the rest: the baseline of English.

    Examples
    --------
    >>> from toys import trees
    >>> trees.right_branching(["a", "b", "c"])
    ('S', 'a', ('S', 'b', 'c'))
    """
    tree: Tree = leaves[-1]
    for leaf in reversed(leaves[:-1]):
        tree = (label, leaf, tree)
    return tree


def bracket_constraint(
    vocabulary: Vocabulary, longest: int, *, leaves: int | None = None
) -> Constraint:
    """Return the function that lets a decoder write trees only.

    Parameters
    ----------
    vocabulary : Vocabulary
        Of level "word": its tokens that begin with a bracket are brackets, the others are leaves.
    longest : int
        The most tokens of a tree, at least 3, and 2 more than `leaves`. A bracket is opened only
        while all can be closed in time, so that decoding with a greater ``max_length`` always ends
        with a whole tree.
    leaves : int or None
        Exactly so many leaves; None: any number.

    Returns
    -------
    callable
        ``constraint(prefix) -> mask``, (V,) bool, for `fastrnn.decode` and ``translate``.

    Raises
    ------
    ValueError
        `longest` is too small, or a bracket lacks its other half.

    Examples
    --------
    >>> from fastrnn.data import Vocabulary
    >>> from toys import trees
    >>> words = Vocabulary(["(S", ")S", "NN"], level="word")
    >>> allowed = trees.bracket_constraint(words, 6, leaves=1)
    >>> [words.decode([i]) or "end" for i in allowed(words.encode("(S NN")).nonzero()[0]]
    [')S']
    """
    if longest < (3 if leaves is None else leaves + 2):
        raise ValueError(f"longest must be 3 and leaves + 2 at least, got {longest}")
    V, spelled = len(vocabulary), ("", "", "", "", *vocabulary.tokens)
    opening = np.array([len(word) > 1 and word[0] == "(" for word in spelled])
    closing = np.array([len(word) > 1 and word[0] == ")" for word in spelled])
    leaf = ~(opening | closing) & (np.arange(V) >= SPECIALS)
    ids = {word: i for i, word in enumerate(spelled)}
    lost = [spelled[i] for i in opening.nonzero()[0] if f"){spelled[i][1:]}" not in ids]
    if lost:
        raise ValueError(f"vocabulary must hold both halves of a bracket, got {lost[0]!r} alone")
    ends = {int(i): ids[f"){spelled[i][1:]}"] for i in opening.nonzero()[0]}

    def constraint(prefix: ArrayLike) -> Mask:
        stack: list[int] = []  # open brackets
        filled, count, symbols = False, 0, np.asarray(prefix, np.int64).tolist()
        for i in symbols:
            if opening[i]:
                stack.append(i)
                filled = False
                continue
            if closing[i]:
                stack.pop()
            count, filled = count + bool(leaf[i]), True
        allowed = np.zeros(V, np.bool_)
        if symbols and not stack:
            allowed[EOS] = True
            return allowed
        lacking = 1 if leaves is None else max(leaves - count, 1)
        room = longest - len(symbols) - len(stack)  # what may stand beside the brackets to close
        more = leaves is None or count < leaves
        allowed |= opening & (more and room >= lacking + 2)
        if stack:
            allowed |= leaf & (more and room >= lacking)
            if filled and (len(stack) > 1 or leaves is None or count == leaves):
                allowed[ends[stack[-1]]] = True
        return allowed

    return constraint
