"""One update of a model: differentiate, clip, change; the whole of it, or nothing at all."""

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

import numpy as np

from fastrnn._checks import positive
from fastrnn._row_gradient import plus, times, values_of
from fastrnn.train._interrupt import Interrupts
from fastrnn.train._ranks import Ranks
from fastrnn.train._run import Position, Run, Stepper
from fastrnn.train._trees import detached, flatten, nested
from fastrnn.train.clip import clip_grad_norm
from fastrnn.train.optim import Optimiser


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
    several : bool
        Whether an update may be of several batches.
    """

    def __init__(
        self,
        model: Any,
        optimiser: Stepper,
        rng: np.random.Generator,
        max_norm: float | None,
        ranks: Ranks,
        several: bool = False,
    ) -> None:
        from fastrnn.ops import value_and_grad

        self._carries = hasattr(model, "loss_with_state")
        if not hasattr(model, "params") or not (self._carries or hasattr(model, "loss")):
            raise TypeError(
                f"model must have params, and loss or loss_with_state, got {model!r:.40}"
            )
        if not hasattr(model, "terms") and (several or not ranks.alone):
            how = f"by {ranks.comm.size} ranks" if not several else "by several batches an update"
            raise TypeError(
                "model must have terms(batch), of how many terms its loss is the mean, to be "
                f"trained {how}; {type(model).__name__} has none"
            )
        self._ranks = ranks
        self._model, self._optimiser, self._rng = model, optimiser, rng
        self._max_norm = inf if max_norm is None else positive("max_norm", max_norm)
        self._carry: Any = None
        rows = getattr(model, "_table_rows", "exact") if isinstance(optimiser, Optimiser) else None
        ranks.rows = rows
        self._differentiate = value_and_grad(self._loss, rows=rows)

    def _loss(self, params: Any, batch: Any, carry: Any) -> Any:
        if not self._carries:
            return self._model.loss(params, batch, self._rng)
        loss, after = self._model.loss_with_state(params, batch, carry, self._rng)
        self._carry = detached(after)
        return loss

    def __call__(
        self, batches: list[Any], run: Run, position: Position, interrupts: Interrupts
    ) -> tuple[float, float]:
        """Do one update by all these batches, and return its loss and the norm of its gradient.

        Raises
        ------
        FloatingPointError
            One of them is not finite. Nothing has been changed then.
        """
        before = self._rng.bit_generator.state
        update, params = run.update, self._model.params
        try:
            carry = run.carry if position.carries else None
            loss, tokens, grads = self._gradient(params, batches, carry, position.carries)
            if not isfinite(loss):
                raise FloatingPointError(
                    f"the loss is {loss} at update {update + 1}; {_what_may_help(batches)}"
                )
            norm = self._clip(grads, update, batches)
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

    def _gradient(
        self, params: Any, batches: list[Any], carry: Any, carries: bool
    ) -> tuple[float, int, Any]:
        """Return loss, tokens and gradient of the batches, of which this rank may have a part.

        They are those of one batch with all their rows: each batch counts as often as its loss has
        terms.
        """
        ranks, tokens, mean = self._ranks, 0, _Mean(params)
        for batch in batches:
            if batch is None and not ranks.alone:
                continue
            if hasattr(self._model, "tokens"):
                tokens += int(self._model.tokens(batch))
            value, grads = self._differentiate(params, batch, carry)
            carry = self._carry if carries else None
            counted = not ranks.alone or len(batches) > 1
            mean.add(int(self._model.terms(batch)) if counted else 1, float(value), grads)
        terms, loss, grads = mean.result()
        if ranks.alone:
            return loss, tokens, grads
        grads, loss, tokens = ranks.mean(params, grads, loss, terms, tokens)
        return loss, tokens, grads

    def _clip(self, grads: Any, update: int, batches: list[Any]) -> float:
        try:
            return clip_grad_norm(grads, self._max_norm)
        except ValueError as error:
            raise FloatingPointError(
                f"{error}, at update {update + 1}; {_what_may_help(batches)}"
            ) from error


class _Mean:
    """Loss and gradient of several batches, of which each is a mean of so many terms."""

    def __init__(self, params: Any) -> None:
        self._params, self._count, self._terms, self._loss = params, 0, 0, 0.0
        self._first: Any = None
        self._sums: dict[str, Any] = {}

    def add(self, terms: int, loss: float, grads: Any) -> None:
        if self._count == 1:
            self._sums = _times(self._first, self._terms)
        if self._count:
            for name, product in _times(grads, terms).items():
                self._sums[name] = plus(self._sums[name], product, True)
        else:
            self._first = grads
        self._count += 1
        self._terms += terms
        self._loss += terms * loss if terms else 0.0

    def result(self) -> tuple[int, float, Any]:
        """Return terms, loss and gradient; of one batch alone the gradient is its own."""
        total = max(self._terms, 1)
        if self._count < 2:
            return self._terms, self._loss / total, self._first
        for array in map(values_of, self._sums.values()):
            np.multiply(array, 1 / total, out=array)
        return self._terms, self._loss / total, nested(self._params, self._sums)


def _times(grads: Any, terms: int) -> dict[str, Any]:
    arrays = flatten("grads", grads, scalars=True, rows=True)
    return {name: times(array, array.dtype.type(terms)) for name, array in arrays.items()}


def _what_may_help(batches: list[Any]) -> str:
    """Return what to do about a loss or gradient that is not finite."""
    if not _finite(batches):
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
