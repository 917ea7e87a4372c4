"""One update of a model: differentiate, clip, change; the whole of it, or nothing at all."""

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

import numpy as np

from fastrnn.train._interrupt import Interrupts
from fastrnn.train._nest import detached
from fastrnn.train._position import Position
from fastrnn.train._ranks import Ranks
from fastrnn.train._run import Run, Stepper
from fastrnn.train.clip import clip_grad_norm, positive


class Step:
    """The update of one model by one optimiser.

    Parameters
    ----------
    model : object
        With `loss` or `loss_with_state`, as `Trainer` says.
    optimiser : optimiser
        Of `fastrnn.train`, or one with the same three methods.
    rng : numpy.random.Generator
        Handed to the model.
    max_norm : float or None
        For `clip_grad_norm`; None only measures.
    ranks : Ranks
        Who trains together.
    """

    def __init__(
        self,
        model: Any,
        optimiser: Stepper,
        rng: np.random.Generator,
        max_norm: float | None,
        ranks: Ranks,
    ) -> None:
        from fastrnn.ops import value_and_grad

        self._carries = hasattr(model, "loss_with_state")
        if not hasattr(model, "params") or not (self._carries or hasattr(model, "loss")):
            raise TypeError(
                f"model must have params, and loss or loss_with_state, got {model!r:.40}"
            )
        if not (ranks.alone or hasattr(model, "terms")):
            raise TypeError(
                "model must have terms(batch), of how many terms its loss is the mean, to be "
                f"trained by {ranks.comm.size} ranks; {type(model).__name__} has none"
            )
        self._ranks = ranks
        self._model, self._optimiser, self._rng = model, optimiser, rng
        self._max_norm = inf if max_norm is None else positive("max_norm", max_norm)
        self._carry: Any = None
        self._differentiate = value_and_grad(self._loss)

    def _loss(self, params: Any, batch: Any, carry: Any) -> Any:
        if not self._carries:
            return self._model.loss(params, batch, self._rng)
        loss, after = self._model.loss_with_state(params, batch, carry, self._rng)
        self._carry = detached(after)
        return loss

    def __call__(
        self, batch: Any, run: Run, position: Position, interrupts: Interrupts
    ) -> tuple[float, float]:
        """Do one update, and return its loss and the norm of its gradient.

        Raises
        ------
        FloatingPointError
            One of them is not finite. Nothing has been changed then.
        """
        before = self._rng.bit_generator.state
        update, params = run.update, self._model.params
        try:
            loss, tokens, grads = self._gradient(params, batch, run.carry)
            if not isfinite(loss):
                raise FloatingPointError(
                    f"the loss is {loss} at update {update + 1}; {_what_may_help(batch)}"
                )
            norm = self._clip(grads, update, batch)
            with interrupts.held():
                self._optimiser.update(params, grads)
                run.update += 1
                run.tokens += tokens
                run.carry = self._carry if position.carries else None
                self._carry = None
                run.window.add(loss, norm)
                position.done()
        except BaseException:
            if run.update == update:
                self._rng.bit_generator.state = before
            raise
        return loss, norm

    def _gradient(self, params: Any, batch: Any, carry: Any) -> tuple[float, int, Any]:
        """Return loss, tokens and gradient of a batch, of which this rank may have a part."""
        ranks, loss, terms, tokens, grads = self._ranks, 0.0, 0, 0, None
        if batch is not None or ranks.alone:
            if hasattr(self._model, "tokens"):
                tokens = int(self._model.tokens(batch))
            value, grads = self._differentiate(params, batch, carry)
            loss = float(value)
            terms = 1 if ranks.alone else int(self._model.terms(batch))
        if ranks.alone:
            return loss, tokens, grads
        grads, loss, tokens = ranks.mean(params, grads, loss, terms, tokens)
        return loss, tokens, grads

    def _clip(self, grads: Any, update: int, batch: Any) -> float:
        try:
            return clip_grad_norm(grads, self._max_norm)
        except ValueError as error:
            raise FloatingPointError(
                f"{error}, at update {update + 1}; {_what_may_help(batch)}"
            ) from error


def _what_may_help(batch: Any) -> str:
    """Return what to do about a loss or gradient that is not finite."""
    if not _finite(batch):
        return "its batch holds NaN or infinite numbers, so look at the data first"
    return (
        "a lower learning rate may help, or clipping: max_norm limits the whole gradient, "
        "clip_step of the model or layer one that overflows on its way back through many steps"
    )


def _finite(batch: Any) -> bool:
    """Whether all floating numbers of a batch, a nest of arrays, are finite."""
    if isinstance(batch, Mapping):
        return all(map(_finite, batch.values()))
    if isinstance(batch, (list, tuple)):
        return all(map(_finite, batch))
    if not isinstance(batch, (np.ndarray, np.floating, float)):
        return True
    array = np.asarray(batch)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
