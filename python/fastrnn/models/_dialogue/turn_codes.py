"""Turn codes: a Gaussian over codes before each turn is said, and one that has seen it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from fastrnn import ops
from fastrnn._checks import Array, floats, number
from fastrnn.models._dialogue.dialogues import Dialogues
from fastrnn.models._dialogue.talking import Heard, Talking
from fastrnn.models._latent.bounds import Bounds, Measured
from fastrnn.models._latent.gaussians import gaussian
from fastrnn.models._parts.dense import affine

if TYPE_CHECKING:
    from numpy.random import Generator


class TurnCodes(Talking, Bounds):
    """The part of `VHRED` between contexts and codes."""

    _reads_said = True
    _z_dim: int

    def _prior(self, params: Mapping[str, Any], contexts: Any) -> tuple[Any, Any]:
        return _heads(params["prior"], contexts)

    def _gaussians(
        self, params: Mapping[str, Any], d: Dialogues, state: Any = None, **how: Any
    ) -> tuple[Heard, tuple[Any, Any], tuple[Any, Any]]:
        """Return what was heard, and posterior and prior of the turns to be said."""
        heard = self._hear(params, d, state, **how)
        said = ops.embedding(heard.vectors, d.again)
        seen = anp.concatenate([heard.contexts, said], axis=1)
        return heard, _heads(params["posterior"], seen), self._prior(params, heard.contexts)

    def _unweighed(self, batch: Any) -> Any:
        return weighed(batch)[0]

    def _measured(self, batch: Any) -> Measured:
        d = self._enter(batch)
        heard, posterior, prior = self._gaussians(self.params, d)

        def log_likelihood(z: Any) -> Array:
            condition = np.concatenate([heard.contexts, z], axis=1)
            found: Array = -self._say(self.params, d, condition, heard.memory).by_row(len(z))
            return found

        return Measured(*posterior, prior, log_likelihood)

    def encode(self, batch: Any) -> tuple[Array, Array]:
        """Return the Gaussian over codes of each turn that is to be said, which has seen it.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        mu, logvar : ndarray, (P, Z)
            Mean, and logarithm of the variance.

        Raises
        ------
        TypeError, ValueError
            As `loss`.
        """
        found = self._measured(batch)
        return found.mu, found.logvar

    def _codes(self, contexts: Any, z: Any, rng: "Generator") -> Any:
        if z is None or (isinstance(z, str) and z == "prior"):
            drawn = ops.reparameterise(*self._prior(self.params, contexts), rng=rng)
        elif isinstance(z, str):
            raise ValueError(f"z must be 'prior' or an array of codes, got {z!r}")
        else:
            drawn = floats("z", z, self.dtype)
            if drawn.shape not in ((self._z_dim,), (len(contexts), self._z_dim)):
                raise ValueError(
                    f"z must have shape (Z,) = ({self._z_dim},) or one row for each reply, "
                    f"({len(contexts)}, {self._z_dim}), got {drawn.shape}"
                )
            drawn = np.broadcast_to(drawn, (len(contexts), self._z_dim))
        return np.concatenate([contexts, drawn], axis=1)


def _heads(params: Mapping[str, Any], x: Any) -> tuple[Any, Any]:
    return gaussian(params, anp.tanh(affine(params["hidden"], x)))


def weighed(batch: Any) -> tuple[Any, float]:
    """Return a batch without its last element if that is a number, and that number, or 1."""
    last = batch[-1] if isinstance(batch, tuple) and batch else None
    if isinstance(last, (int, float, np.number)) and not isinstance(last, bool):
        return batch[:-1], number("weight", last, 0)
    return batch, 1.0


def bag_nats(params: Mapping[str, Any], condition: Any, d: Dialogues) -> Any:
    """Return −ln of how likely the words of all turns are, each drawn from one bag a turn."""
    scores = affine(params["out"], anp.tanh(affine(params["hidden"], condition)))
    T, P = d.said.shape
    place = np.flatnonzero(np.arange(T)[:, None] < d.said_lengths)
    return ops.softmax_cross_entropy(
        ops.embedding(scores, place % max(P, 1)), d.said.ravel()[place], ignore_index=None,
        reduction="sum",
    )  # fmt: skip
