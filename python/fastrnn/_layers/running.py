"""A layer's call on arrays, and its way back: check, allocate, run, in the caller's layout."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _options
from fastrnn._calls.arguments import INPUT_SIZE, check_x
from fastrnn._calls.kinds import Kind
from fastrnn._checks import Array, DType, allocate, exact
from fastrnn._checks import lengths as checked_lengths
from fastrnn._layers import stack
from fastrnn._layers.noise import Chance, Noise
from fastrnn._layers.params import Params
from fastrnn._layers.part import Part
from fastrnn._layers.record import LayerTape, Record
from fastrnn._layers.state import StateLayout
from fastrnn._options import GradientLimits
from fastrnn.runtime import team

if TYPE_CHECKING:
    from numpy.random import Generator


class Running(Params):
    """The part of a layer that runs it, whoever owns the weights."""

    dtype: DType
    input_size: int
    batch_first: bool
    merge_mode: str
    dropout: float
    truncate: int | None
    clip_step: float | None
    _chance: Chance
    _kind: Kind
    _layout: StateLayout
    _width: int

    def _run(
        self,
        x: Any,
        state: Any,
        lengths: Any,
        parts: list[list[Part]],
        record: Record | None = None,
        dropout: stack.Dropout | None = None,
        noise: Noise | None = None,
        ids: NDArray[np.int64] | None = None,
    ) -> tuple[Array, Any, LayerTape | None]:
        """Return (y, state, tape) in the caller's layout; there is a tape if there is a record.

        With ids (T, N), x is the projected input of each symbol, (1, V, D·G·H).
        """
        dtype = self.dtype
        columns, why = self.input_size, INPUT_SIZE
        if parts[0][0].projected:
            columns = sum(part.kind.gates * part.hidden_size for part in parts[0])
            why = "is D·G·H of a projected input"
        x = check_x("x", x, 3, dtype, columns, why)
        single = x.ndim == 2
        batch_first = self.batch_first and not single
        x = x[:, None] if single else x.transpose(1, 0, 2) if batch_first else x
        T, N = x.shape[:2] if ids is None else ids.shape
        if lengths is not None:
            lengths = checked_lengths(lengths, T, N, single)
        h0, c0 = self._layout.enter("state", state, N, single, dtype)
        y, result = self._outputs(T, N, single)
        final = self._layout.new(N, dtype)
        stack.forward(
            parts, self.merge_mode, x, h0, c0, lengths, y, final.flat_h, final.flat_c, team.get(),
            record, dropout, noise, ids,
        )  # fmt: skip
        state = self._layout.leave(final, single)
        if record is None:
            return result, state, None
        result.setflags(write=False)
        layout = single, T, N, h0[0] is not None, c0[0] is not None
        return result, state, LayerTape(self, record, layout)

    def _noise(self, rng: "Generator | None", masks: Any = None) -> Noise | None:
        """Return what acts in one call: masks as given, drawn from rng, or what to expect."""
        if masks is not None:
            count = len(self._each())
            if not isinstance(masks, (list, tuple)) or len(masks) != count:
                raise ValueError(
                    f"masks must be a list of {count} Masks, one per layer and direction, "
                    f"got {masks!r:.80}"
                )
            return Noise(self._chance, None, masks)
        active = any(self._chance) if rng is not None else any(self._chance[1:3])
        return Noise(self._chance, rng) if active else None

    def _gradient_limits(self, truncate: Any, clip_step: Any) -> GradientLimits:
        """Return what acts on the gradients of one way back: as given, else as the layer says."""
        if truncate is None and clip_step is None:
            return GradientLimits(self.truncate, self.clip_step)
        given = _options.gradient_limits(truncate, clip_step)
        return GradientLimits(
            self.truncate if truncate is None else given.truncate,
            self.clip_step if clip_step is None else given.clip_step,
        )

    def _back(
        self,
        tape: LayerTape,
        dy: Any,
        dstate: Any,
        limits: GradientLimits,
        want_x: bool = True,
    ) -> tuple[Array | None, Any, dict[str, Array]]:
        """Use the tape up; return the gradients by x, state and weights in the caller's layout."""
        tape.check(self)
        single, T, N, has_h0, has_c0 = tape.layout
        if dy is not None:
            dy = self._enter_dy(dy, single, T, N)
        dh_n, dc_n = self._layout.enter("dstate", dstate, N, single, self.dtype)
        initial = self._layout.new(N, self.dtype, has_h0, has_c0)
        dx, weights = stack.backward(
            tape.take(), self.merge_mode, self.dropout, dy, dh_n, dc_n,
            initial.flat_h, initial.flat_c, limits, want_x,
        )  # fmt: skip
        if dx is None:
            pass
        elif single:
            dx = dx[:, 0]
        elif self.batch_first:
            dx = dx.transpose(1, 0, 2)
        params = {
            direction.names[argument]: gradient
            for direction, gradients in zip(self._each(), weights, strict=True)
            for argument, gradient in gradients.items()
        }
        return dx, self._layout.leave(initial, single), params

    def _outputs(self, T: int, N: int, single: bool) -> tuple[Array, Array]:
        """Return a fresh y as (T, N, ·), and the same memory in the caller's layout."""
        if self.batch_first and not single:
            result = allocate("y", (N, T, self._width), self.dtype)
            return result.transpose(1, 0, 2), result
        y = allocate("y", (T, N, self._width), self.dtype)
        return y, y[:, 0] if single else y

    def _enter_dy(self, dy: Any, single: bool, T: int, N: int) -> Array:
        """Return dy, which has the shape of y, as (T, N, ·)."""
        W, title, H = self._width, self._kind.title, self._layout.sizes[-1]
        last = "H)" if self._layout.widths[-1] == H else "P)"
        if self.merge_mode == "concat":
            last = "D·" + last
        if single:
            return exact("dy", dy, (T, W), self.dtype, "(T, " + last, title, H)[:, None]
        if self.batch_first:
            array = exact("dy", dy, (N, T, W), self.dtype, "(N, T, " + last, title, H)
            return array.transpose(1, 0, 2)
        return exact("dy", dy, (T, N, W), self.dtype, "(T, N, " + last, title, H)
