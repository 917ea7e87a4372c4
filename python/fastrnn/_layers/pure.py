"""A layer as a pure function of weights that are handed to it, which is how models use it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from fastrnn._calls.masks import Masks
from fastrnn._layers.running import Running

if TYPE_CHECKING:
    from numpy.random import Generator


@cache
def _autograd_side() -> Any:
    """Return the module that needs autograd; an import statement in each call would take 1 us."""
    from fastrnn import ops  # noqa: F401  says what to install where autograd is missing
    from fastrnn._layers import apply

    return apply


class Pure(Running):
    """The part of a layer that does not look at its own weights; it needs autograd."""

    def apply(
        self,
        params: Mapping[str, Any],
        x: Any,
        state: Any = None,
        *,
        lengths: ArrayLike | None = None,
        rng: "Generator | None" = None,
        projected: bool = False,
        masks: Sequence[Masks] | None = None,
        truncate: int | None = None,
        clip_step: float | None = None,
    ) -> tuple[Any, Any]:
        """Run all layers with the given weights: a pure function, differentiable under autograd.

        It is one node of autograd, however many steps, layers and directions there are.

        Parameters
        ----------
        params : mapping of str to ndarray
            Weights with the names, shapes and dtype of `params`, which are not looked at.
        x, state, lengths
            As for a plain call; differentiable are x and the arrays of state.
        rng : numpy.random.Generator or None
            Where the masks come from, as in `forward`; None: no dropout acts, and zoneout does what
            is to be expected of it.
        projected : bool
            x is the product of the input and `input_weight`, without bias, (T, N, D·G·H). The
            weights in `input_weight` are not used, and may be absent.
        masks : sequence of Masks or None
            As in `forward`.
        truncate, clip_step : int, float or None
            As in `backward`.

        Returns
        -------
        y, state
            As for a plain call; y is read-only while something is being differentiated.

        Raises
        ------
        TypeError, ValueError, MemoryError
            As for a plain call; the names of params are not the layer's.
        NotImplementedError
            A second derivative is asked for, or forward mode.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> from autograd import grad
        >>> gru = fastrnn.GRU(3, 4, num_layers=2, bidirectional=True)
        >>> x = np.ones((5, 2, 3), np.float32)
        >>> grads = grad(lambda params: gru.apply(params, x, lengths=[5, 2])[0].sum())(gru.params)
        >>> grads["weight_hh_l1_reverse"].shape
        (12, 4)
        """
        return _autograd_side().apply(  # type: ignore[no-any-return]
            self, params, x, state, lengths, rng, projected, masks,
            limits=self._gradient_limits(truncate, clip_step),
        )  # fmt: skip

    def input_weight(self, params: Mapping[str, Any]) -> Any:
        """Return W_ih of the bottom layer, what `apply` with a projected input goes without.

        Parameters
        ----------
        params : mapping of str to ndarray
            Weights with the names of `params`.

        Returns
        -------
        ndarray, (D·G·H, I)
            Both directions' weights, the forward one first; differentiable under autograd.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> gru = fastrnn.GRU(3, 4, bidirectional=True, dtype=np.float64)
        >>> x = np.ones((5, 2, 3))
        >>> projected = x @ gru.input_weight(gru.params).T
        >>> y, h_n = gru.apply(gru.params, projected, projected=True)
        >>> bool(np.allclose(y, gru(x)[0]))
        True
        """
        return _autograd_side().input_weight(self, params)
