"""Latent vectors of turns: the prior given the context, the posterior given the turn as well."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from fastrnn import ops
from fastrnn._checks import Array, floats
from fastrnn.models._dialogue.dialogues import Dialogues
from fastrnn.models._dialogue.model import DialogueModel, EncodedDialogues
from fastrnn.models._latent.bounds import Bounds, Measured
from fastrnn.models._latent.gaussians import gaussian
from fastrnn.models._parts.dense import affine

if TYPE_CHECKING:
    from numpy.random import Generator


class TurnLatents(DialogueModel, Bounds):
    """The part of `VHRED` between contexts and latent vectors."""

    _reads_targets = True
    _z_dim: int

    def _prior(self, params: Mapping[str, Any], contexts: Any) -> tuple[Any, Any]:
        return _heads(params["prior"], contexts)

    def _gaussians(
        self, params: Mapping[str, Any], d: Dialogues, state: Any = None, **how: Any
    ) -> tuple[EncodedDialogues, tuple[Any, Any], tuple[Any, Any]]:
        """Return the encoded dialogues, and posterior and prior of each target."""
        encoded = self._encode_dialogues(params, d, state, **how)
        targets = ops.embedding(encoded.vectors, d.target_turns)
        seen = anp.concatenate([encoded.contexts, targets], axis=1)
        return encoded, _heads(params["posterior"], seen), self._prior(params, encoded.contexts)

    def _measured(self, batch: Any) -> Measured:
        d = self._enter(batch)
        encoded, posterior, prior = self._gaussians(self.params, d)

        def log_likelihood(z: Any) -> Array:
            condition = np.concatenate([encoded.contexts, z], axis=1)
            nats = self._target_nats(self.params, d, condition, encoded.memory)
            by_turn: Array = -nats.by_row(len(z))
            return by_turn

        return Measured(*posterior, prior, log_likelihood)

    def encode(self, batch: Any) -> tuple[Array, Array]:
        """Return the posterior over z of each turn that is to be predicted.

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
        measured = self._measured(batch)
        return measured.mu, measured.logvar

    def _condition(self, contexts: Any, z: Any, rng: "Generator") -> Any:
        if z is None or (isinstance(z, str) and z == "prior"):
            drawn = ops.reparameterise(*self._prior(self.params, contexts), rng=rng)
        elif isinstance(z, str):
            raise ValueError(f"z must be 'prior' or an array of latent vectors, got {z!r}")
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


def bag_nats(params: Mapping[str, Any], condition: Any, d: Dialogues) -> Any:
    """Return −ln p of the words of all targets in any order: one softmax a turn."""
    scores = affine(params["out"], anp.tanh(affine(params["hidden"], condition)))
    T, P = d.targets.shape
    place = np.flatnonzero(np.arange(T)[:, None] < d.target_lengths)
    return ops.softmax_cross_entropy(
        ops.embedding(scores, place % max(P, 1)), d.targets.ravel()[place], ignore_index=None,
        reduction="sum",
    )  # fmt: skip
