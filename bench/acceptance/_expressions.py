"""Expressions of Python's own standard library with their syntax trees: real text, exact truth.

Names become n and literals c, so that what is left is shape. A shape of which two trees are known
is left out; `shapes` says how many there were.
"""

import ast
import io
import sysconfig
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from parse_tree import Language
from toys.trees import Tree, tokens

_LAYOUT = {
    tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip
_WORDS = {"and", "or", "not", "in", "is", "if", "else", "for", "lambda", "await", "async", "yield"}
_LITERALS = {"None", "True", "False", "..."}


class Shapes(NamedTuple):
    """Different shapes of expressions.

    Attributes
    ----------
    sources, targets : list of str
        Words of an expression and tokens of its tree, `toys.trees.tokens`.
    ambiguous : int
        Shapes with several trees, left out.
    """

    sources: list[str]
    targets: list[str]
    ambiguous: int


def standard_library() -> list[str]:
    """Return the text of every top-level module of this Python's standard library, by name."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    return [path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.py"))]


def shapes(texts: Iterable[str], *, shortest: int = 3, longest: int = 25) -> Shapes:
    """Return the different shapes of the expressions in Python texts, sorted.

    Parameters
    ----------
    texts : iterable of str
        Modules; one that does not parse is passed over.
    shortest, longest : int
        Words of an expression.
    """
    known: defaultdict[str, set[str]] = defaultdict(set)
    for text in texts:
        for words, tree in _expressions(text, shortest, longest):
            known[" ".join(words)].add(" ".join(tokens(tree)))
    single = sorted((words, *trees) for words, trees in known.items() if len(trees) == 1)
    sources, targets = [pair[0] for pair in single], [pair[1] for pair in single]
    return Shapes(sources, targets, len(known) - len(single))


def language(N: int | None = None, seed: int = 0) -> Language:
    """Return the first N of the shapes in the standard library, in an order drawn by seed."""
    made = shapes(standard_library())
    found = Language(made.sources, made.targets, seed=seed)
    found.sources, found.targets = found.sources[:N], found.targets[:N]
    return found


def _expressions(text: str, shortest: int, longest: int) -> Iterator[tuple[list[str], Tree]]:
    """Yield words and tree of each expression of a length that is wanted."""
    try:
        module = ast.parse(text)
        found = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (SyntaxError, ValueError, tokenize.TokenError):
        return
    kept = [token for token in found if token.type not in _LAYOUT]
    begins = {token.start: i for i, token in enumerate(kept)}
    ends = {token.end: i for i, token in enumerate(kept, 1)}
    for node in ast.walk(module):
        if not isinstance(node, ast.expr) or node.end_lineno is None:
            continue
        start = begins.get((node.lineno, node.col_offset))
        end = ends.get((node.end_lineno, node.end_col_offset or 0))
        # Columns of ast are bytes: where a line holds other letters than ASCII, none may fit.
        if start is None or end is None or not shortest <= end - start <= longest:
            continue
        words = [_word(token) for token in kept[start:end]]
        tree = None if "" in words else _tree(node)
        if tree is not None and not isinstance(tree, str):
            yield words, tree


def _word(token: tokenize.TokenInfo) -> str:
    """Return n, c or the token itself; "" for a part of an f-string."""
    if token.type in (tokenize.NUMBER, tokenize.STRING):
        is_format = "f" in token.string.split(token.string[-1])[0].lower()
        return "" if is_format and token.type == tokenize.STRING else "c"
    if token.type == tokenize.NAME:
        named = token.string in _WORDS
        return token.string if named else "c" if token.string in _LITERALS else "n"
    if token.type != tokenize.OP:
        return ""
    return "c" if token.string in _LITERALS else token.string


def _tree(node: ast.AST) -> Tree | None:
    """Return the tree of a node, None if there is an f-string in it."""
    if isinstance(node, ast.JoinedStr):
        return None
    if isinstance(node, ast.Name):
        return "n"
    if isinstance(node, ast.Constant):
        return "c"
    operator = getattr(node, "op", None)
    children: list[Tree | None] = []
    for name, value in ast.iter_fields(node):
        if name in ("ctx", "op", "type_comment", "is_async", "kind", "simple"):
            continue
        if isinstance(node, ast.Slice) and value is None:
            children.append("-")
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                children.append("n")
            elif isinstance(item, ast.cmpop):
                children.append(type(item).__name__)
            elif isinstance(item, ast.AST):
                children.append(_tree(item))
            elif isinstance(node, ast.Dict):  # ** has no key
                children.append("-")
    if None in children:
        return None
    label = type(node).__name__ if operator is None else type(operator).__name__
    return (label, *children) if children else label
