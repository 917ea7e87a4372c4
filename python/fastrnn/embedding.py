"""Embedding: a table that gives each symbol a vector."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastrnn import init
from fastrnn._checks import Array, floats, generator, integer
from fastrnn.cells import float_type

if TYPE_CHECKING:
    from numpy.random import Generator


class Embedding:
    """A vector for each of V symbols; it needs autograd, as `fastrnn.ops` does.

    Parameters
    ----------
    V : int
        How many symbols there are.
    E : int
        How long a vector is.
    padding_idx : int or None
        A symbol whose vector is zero and stays so: it has no gradient. Negative numbers count from
        V downwards.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first vectors come from, standard normal; None: fresh entropy.

    Attributes
    ----------
    params : dict of str to ndarray
        ``"weight"`` (V, E), as in PyTorch.
    padding_idx : int or None
        In 0..V−1.

    Raises
    ------
    TypeError
        An option has the wrong type.
    ValueError
        An option is out of range.
    MemoryError
        The table does not fit.

    Notes
    -----
    It is the product of a one-hot vector and `weight`, without a bias: a row of `weight`.

    References
    ----------
    Y. Bengio et al., "A Neural Probabilistic Language Model", 2003, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> embedding = fastrnn.Embedding(10, 4, padding_idx=0, rng=np.random.default_rng(0))
    >>> x = embedding([[1, 5], [2, 0]])
    >>> x.shape, bool(x[1, 1].any()), bool((x[0, 0] == embedding.params["weight"][1]).all())
    ((2, 2, 4), False, True)
    """

    def __init__(
        self,
        V: int,
        E: int,
        padding_idx: int | None = None,
        *,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
    ) -> None:
        self.V, self.E = integer("V", V, 1), integer("E", E, 1)
        self.padding_idx: int | None = None
        if padding_idx is not None:
            self.padding_idx = integer("padding_idx", padding_idx, -self.V, self.V - 1) % self.V
        self.dtype = float_type(dtype)
        weight = init.normal((self.V, self.E), generator(rng), self.dtype)
        if self.padding_idx is not None:
            weight[self.padding_idx] = 0
        self.params: dict[str, Array] = {"weight": weight}

    def __call__(self, ids: ArrayLike) -> Array:
        """Return the vectors of symbols.

        Parameters
        ----------
        ids : array_like of int, (…)
            Each in 0..V−1, in any shape.

        Returns
        -------
        ndarray, (…, E)

        Raises
        ------
        TypeError
            ids are no integers.
        ValueError
            One is not in 0..V−1.
        """
        vectors: Array = self.apply(self.params, ids)
        return vectors

    def apply(self, params: Mapping[str, Any], ids: ArrayLike) -> Any:
        """Return the vectors of symbols by the given table, differentiable under autograd.

        Parameters
        ----------
        params : mapping of str to ndarray
            ``"weight"`` (V, E) of the layer's dtype.
        ids
            As for a plain call.

        Returns
        -------
        ndarray, (…, E)

        Raises
        ------
        TypeError, ValueError
            As for a plain call; params holds something else than weight.

        Examples
        --------
        >>> import fastrnn
        >>> from fastrnn import ops
        >>> embedding = fastrnn.Embedding(3, 2, padding_idx=0)
        >>> def loss(params):
        ...     return embedding.apply(params, [1, 1, 0]).sum()
        >>> ops.value_and_grad(loss)(embedding.params)[1]["weight"]
        array([[0., 0.],
               [2., 2.],
               [0., 0.]], dtype=float32)
        """
        from fastrnn import ops

        if set(params) != {"weight"}:
            raise ValueError(f"params must have the key 'weight' alone, got {sorted(params)}")
        return ops.embedding(params["weight"], ids, padding_idx=self.padding_idx)

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the table by its name.

        Returns
        -------
        dict of str to ndarray

        Examples
        --------
        >>> import fastrnn
        >>> fastrnn.Embedding(3, 2).state_dict()["weight"].shape
        (3, 2)
        """
        return {"weight": self.params["weight"].copy()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Replace the table by a copy of the one in a dict; the row of padding becomes zero.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            ``"weight"`` (V, E) of the layer's dtype; also PyTorch's, tensors included.

        Raises
        ------
        TypeError
            The table is no array of the layer's dtype.
        ValueError
            It has another shape, or the dict holds something else.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> embedding = fastrnn.Embedding(3, 2, padding_idx=-1)
        >>> embedding.load_state_dict({"weight": np.ones((3, 2), np.float32)})
        >>> embedding(2)
        array([0., 0.], dtype=float32)
        """
        if set(state_dict) != {"weight"}:
            raise ValueError(f"state_dict must have 'weight' alone, got {sorted(state_dict)}")
        weight, shape = floats("weight", state_dict["weight"], self.dtype), (self.V, self.E)
        if weight.shape != shape:
            raise ValueError(f"weight must have shape (V, E) = {shape}, got {weight.shape}")
        self.params["weight"] = np.array(weight, order="C")
        if self.padding_idx is not None:
            self.params["weight"][self.padding_idx] = 0

    def __repr__(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"Embedding({self.V}, {self.E}{padding}, dtype={self.dtype})"
