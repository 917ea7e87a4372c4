"""How near a reply is to a reference in meaning, as far as word vectors know."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import Array

if TYPE_CHECKING:
    from fastrnn.data import WordVectors

_KINDS = ("average", "greedy", "extrema")


def embedding_similarity(
    predictions: Sequence[str | Sequence[str]],
    references: Sequence[str | Sequence[str]],
    vectors: "Mapping[str, Array] | WordVectors",
    *,
    kind: str = "average",
) -> float:
    """Return the mean cosine between replies and references, made of vectors of their words.

    Parameters
    ----------
    predictions, references : sequence of str, or of sequences of str
        Texts are cut at white space.
    vectors : mapping of str to ndarray, (E,), or WordVectors
        Of words. Words without one are left out; a
        pair with a side of none counts 0.
    kind : {"average", "greedy", "extrema"}
        Between the means of the vectors; between each word and the nearest one of the other side,
        averaged over the words of both sides; between vectors of the furthest values in each
        dimension.

    Returns
    -------
    float
        −1..1.

    Raises
    ------
    ValueError
        There are no predictions, not as many references, or kind is unknown.

    References
    ----------
    Liu et al., "How NOT To Evaluate Your Dialogue System", 2016, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import metrics
    >>> vectors = {"good": np.array([1.0, 0.0]), "fine": np.array([0.6, 0.8])}
    >>> round(metrics.embedding_similarity(["good indeed"], ["fine"], vectors), 3)
    0.6
    """
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {list(_KINDS)}, got {kind!r}")
    if not len(predictions) or len(predictions) != len(references):
        raise ValueError(
            f"there must be as many references as predictions, at least one; got "
            f"{len(references)} and {len(predictions)}"
        )
    pairs = zip(predictions, references, strict=True)
    return float(np.mean([_similarity(_of(p, vectors), _of(r, vectors), kind) for p, r in pairs]))


def _of(text: str | Sequence[str], vectors: Any) -> NDArray[np.float64]:
    """Return the vectors of the words that have one, (n, E)."""
    words = text.split() if isinstance(text, str) else text
    result = [np.asarray(vectors[word], np.float64) for word in words if word in vectors]
    return np.stack(result) if result else np.zeros((0, 0))


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64], kind: str) -> float:
    if not len(a) or not len(b):
        return 0.0
    if kind == "greedy":
        table = _unit(a) @ _unit(b).T
        return float((table.max(axis=0).mean() + table.max(axis=1).mean()) / 2)
    if kind == "average":
        one, other = a.mean(axis=0), b.mean(axis=0)
    else:
        one, other = _extrema(a), _extrema(b)
    return float(_unit(one) @ _unit(other))


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors of length 1; zeros stay zeros."""
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    result: NDArray[np.float64] = np.divide(x, length, out=np.zeros_like(x), where=length > 0)
    return result


def _extrema(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the value furthest from 0 in each dimension."""
    result: NDArray[np.float64] = x[np.abs(x).argmax(axis=0), np.arange(x.shape[1])]
    return result
