"""Formulas as people write them and with operators first: trees in two spellings.

Every formula has exactly one reading, so the ceiling is 1.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.data import EOS, Vocabulary
from toys.pairs import Pairs
from toys.trees import SPECIALS, Constraint, Mask, Tree

OPERATORS: Mapping[str, int] = {"+": 1, "-": 1, "*": 2, "/": 2}


def arithmetic(
    rng: np.random.Generator,
    N: int,
    *,
    depth: int | tuple[int, int] = (1, 4),
    operators: Mapping[str, int] = OPERATORS,
    leaves: Sequence[str] = tuple("0123456789"),
    branching: float = 0.6,
) -> Pairs:
    """N formulas as people write them, with as few parentheses as can be, and with operators first.

    Parameters
    ----------
    rng : Generator
    N : int
    depth : int or (int, int)
        Operators on the longest way to a leaf, each number of them equally likely.
    operators : mapping of str to int
        How tightly each binds. Equals are read from the left.
    leaves : sequence of str
    branching : float
        The probability of an operator off the longest way, where the depth allows one.

    Examples
    --------
    >>> import numpy as np
    >>> from toys import formulas
    >>> formulas.arithmetic(np.random.default_rng(1), 1, depth=2)
    Pairs(sources=['2 + 3 + ( 8 - 2 )'], targets=['+ + 2 3 - 8 2'])
    """
    low, high = (depth, depth) if isinstance(depth, int) else depth
    names = list(operators)

    def draw(levels: int) -> Tree:
        if levels == 0:
            return leaves[int(rng.integers(len(leaves)))]
        sides = [levels - 1, 0]
        if levels > 1 and rng.random() < branching:
            sides[1] = int(rng.integers(1, levels))
        if rng.random() < 0.5:
            sides.reverse()
        return (names[int(rng.integers(len(names)))], *(draw(side) for side in sides))

    made = Pairs([], [])
    for levels in rng.integers(low, high + 1, N):
        tree = draw(int(levels))
        made.sources.append(" ".join(_infix(tree, operators, 0)))
        made.targets.append(" ".join(_prefix(tree)))
    return made


def _infix(tree: Tree, binding: Mapping[str, int], least: int) -> Iterator[str]:
    """Yield the tokens of a formula, in parentheses if it binds less tightly than `least`."""
    if isinstance(tree, str):
        yield tree
        return
    operator, left, right = tree
    inside = binding[operator] < least
    yield from "(" if inside else ""
    yield from _infix(left, binding, binding[operator])
    yield operator
    yield from _infix(right, binding, binding[operator] + 1)
    yield from ")" if inside else ""


def _prefix(tree: Tree) -> Iterator[str]:
    """Yield operators before what they join."""
    if isinstance(tree, str):
        yield tree
        return
    for part in tree:
        yield from _prefix(part)


def is_prefix(words: Sequence[str], operators: Sequence[str] = tuple(OPERATORS)) -> bool:
    """Whether tokens are one whole formula with operators of two arguments first."""
    lacking = 1
    for word in words:
        if lacking == 0:
            return False
        lacking += 1 if word in operators else -1
    return lacking == 0


def prefix_constraint(
    vocabulary: Vocabulary, longest: int, operators: Sequence[str] = tuple(OPERATORS)
) -> Constraint:
    """Return the function that lets a decoder write whole formulas only, as `is_prefix` says.

    Parameters
    ----------
    vocabulary : Vocabulary
    longest : int
        The most tokens; as in `bracket_constraint`.
    operators : sequence of str
        All other tokens are leaves.
    """
    V = len(vocabulary)
    joins = np.isin([""] * SPECIALS + list(vocabulary.tokens), list(operators))
    leaf = ~joins & (np.arange(V) >= SPECIALS)

    def constraint(prefix: ArrayLike) -> Mask:
        symbols = np.asarray(prefix, np.int64)
        operator_count = int(joins[symbols].sum())
        lacking = 1 + 2 * operator_count - len(symbols)
        allowed = np.zeros(V, np.bool_)
        if lacking == 0:
            allowed[EOS] = True
            return allowed
        return leaf | (joins & (len(symbols) + lacking + 2 <= longest))

    return constraint
