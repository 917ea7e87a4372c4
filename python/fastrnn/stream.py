"""Stream: a layer that is fed step by step and remembers its state in between."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import _core
from fastrnn import _stack as stack
from fastrnn._call import INPUT_SIZE, check_bounded, check_x, new_y, run
from fastrnn._checks import Array, allocate, integer
from fastrnn.cells import NO_MASKS, Masks
from fastrnn.runtime import backend, team

if TYPE_CHECKING:
    from fastrnn.recurrent import Layer

_ndarray = np.ndarray


class Stream:
    """One step, or one chunk of steps, at a time; `Layer.stream` makes it.

    What it puts out equals the call on the whole sequence bit for bit. It is frozen: it keeps the
    weights that the layer has when the stream is made, whatever becomes of them, so make another
    after an edit; and one made on the core stays there. One stream is for one thread at a time.

    Parameters
    ----------
    layer : RNN, LSTM or GRU
        In one direction: the other would have to know the last step first.
    batch_size : int
        N, how many sequences run side by side.

    Attributes
    ----------
    state
        The state after the last step, in the form that the layer returns; a copy. Assign to it to
        go on from another one.

    Raises
    ------
    TypeError
        batch_size is no integer.
    ValueError
        batch_size is negative, or the layer is bidirectional.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> gru = fastrnn.GRU(3, 4, num_layers=2, rng=np.random.default_rng(0))
    >>> x = np.ones((5, 2, 3), np.float32)
    >>> s = gru.stream(batch_size=2)
    >>> first, rest = s.step(x[0]), s.run(x[1:])
    >>> y, h_n = gru(x)
    >>> bool((first == y[0]).all() and (rest == y[1:]).all() and (s.state == h_n).all())
    True
    """

    __slots__ = (
        "_backend", "_dtype", "_layer", "_layers", "_n", "_noise", "_out_shape", "_pair", "_run",
        "_scratch", "_step", "_x_shape",
    )  # fmt: skip

    def __init__(self, layer: "Layer", batch_size: int = 1) -> None:
        self._n = integer("batch_size", batch_size, 0)
        if layer.bidirectional:
            raise ValueError(
                "a bidirectional layer has no stream: its backward direction starts at the last "
                "step, so it needs the whole sequence; call the layer instead"
            )
        self._layer = layer
        self._dtype = layer.dtype
        self._backend = backend.get()
        self._layers = layer._weights.frozen(copied=self._backend == "reference")
        self._x_shape = (self._n, layer.input_size)
        self._out_shape = (self._n, layer._stack.width)
        # A step reads one and writes the other; they change places once it has succeeded.
        self._pair = [layer._stack.layout.new(self._n, self._dtype) for _ in range(2)]
        shapes = [(1, self._n, P) for P in layer._stack.layout.widths]
        self._scratch = [allocate("a layer's output", s, self._dtype) for s in shapes]
        self._noise = layer._noise(None)
        self._step = self._prepared()
        self._run = self._step.run
        self.reset()

    def step(self, x_t: ArrayLike, out: Array | None = None) -> Array:
        """Run one step.

        Parameters
        ----------
        x_t : array_like, (N, I)
            Or (I,) if the stream has one row; the result is then (H,).
        out : ndarray or None
            Where to put the result: of its shape, contiguous, writable, apart from x_t. Nothing is
            allocated then. None: a fresh array.

        Returns
        -------
        y_t : ndarray, (N, H)
            Output of the last layer; `out` if it was given.

        Raises
        ------
        TypeError
            x_t is no array of the layer's dtype, or out is no such ndarray.
        ValueError
            x_t or out has the wrong shape or layout, or the stream was made on the core and the
            backend is another. The state has not changed.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> s = fastrnn.LSTM(3, 4).stream()
        >>> out = np.empty(4, np.float32)
        >>> s.step(np.ones(3, np.float32), out=out) is out
        True
        """
        if backend.get() == "core":
            y_t = self._run(x_t, out, team.get())
            if y_t is not None:  # as nearly every call has its arrays
                return y_t
        self._check_backend()
        x_t = self._enter(x_t)
        single = x_t.ndim == 1
        x = x_t[None, None] if single else x_t[None]
        shape = self._out_shape[1:] if single else self._out_shape
        if out is None:
            out = allocate("y", shape, self._dtype)
        else:
            self._check_out(out, x_t, shape)
        y = out[None, None] if single else out[None]
        h, c, h_next, c_next = *self._now[2:], *self._after[2:]
        for k, (part,) in enumerate(self._layers):
            target = y if k == len(self._layers) - 1 else self._scratch[k]
            run(
                part, x, h[k], c[k], None, target, h_next[k], c_next[k], team.get(), False,
                self._masks(k),
            )  # fmt: skip
            x = target
        self._swap()
        return out

    def run(self, chunk: ArrayLike) -> Array:
        """Run several steps at once.

        Parameters
        ----------
        chunk : array_like, (T, N, I)
            (N, T, I) if the layer is `batch_first`; (T, I) if the stream has one row.

        Returns
        -------
        y : ndarray, (T, N, H)
            Outputs of the last layer, in the layout of the chunk.

        Raises
        ------
        TypeError
            chunk is no array of the layer's dtype.
        ValueError
            chunk has the wrong shape, or the stream was made on the core and the backend is
            another. The state has not changed.
        MemoryError
            The result does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> s = fastrnn.GRU(3, 4, batch_first=True).stream(batch_size=2)
        >>> s.run(np.zeros((2, 7, 3), np.float32)).shape
        (2, 7, 4)
        """
        self._check_backend()
        layer = self._layer
        x = check_x("chunk", chunk, 3, self._dtype, layer.input_size, INPUT_SIZE)
        single = x.ndim == 2
        batch_first = layer.batch_first and not single
        x = x[:, None] if single else x.transpose(1, 0, 2) if batch_first else x
        T, N, _ = x.shape
        if self._n != N:
            raise ValueError(f"chunk must have N = {self._n} rows as the stream has, got {N}")
        y = new_y(T, N, layer._stack.width, self._dtype, batch_first)
        states = *self._now[2:], None, y, *self._after[2:]
        stack.forward(self._layers, layer._stack.mode, x, *states, team.get(), noise=self._noise)
        self._swap()
        return y[:, 0] if single else y.transpose(1, 0, 2) if batch_first else y

    @property
    def state(self) -> Any:
        """A copy of the state after the last step, in the form that the layer returns.

        (L, N, H), or a pair of them for an LSTM; lists if the sizes differ. May be assigned to;
        None sets it to zero.
        """
        h, c = ([array.copy() for array in part] for part in self._now[:2])
        return self._layer._stack.layout.leave(self._now._replace(h=h, c=c), single=False)

    @state.setter
    def state(self, state: Any) -> None:
        sources = self._layer._stack.layout.enter("state", state, self._n, False, self._dtype)
        for h, (part, *_) in zip(sources[0], self._layers, strict=True):
            if h is not None and part.precision == "int8" and part.spec.bounded:
                check_bounded("state", h)
        for targets, values in zip(self._now[2:], sources, strict=True):
            for target, value in zip(targets, values, strict=True):
                if target is not None:
                    target[...] = 0 if value is None else value

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Set the state to zero, for all sequences or for some.

        Parameters
        ----------
        rows : int, array_like of int, or boolean mask (N,), or None
            Which of the N sequences begin anew; None: all.

        Raises
        ------
        TypeError
            rows are not integers or bool.
        ValueError
            A row is not in 0..N-1, or the mask has the wrong shape.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> s = fastrnn.GRU(3, 4).stream(batch_size=2)
        >>> y = s.step(np.ones((2, 3), np.float32))
        >>> s.reset(rows=[1])
        >>> bool((s.state[0, 0] == y[0]).all()), bool((s.state[0, 1] == 0).all())
        (True, True)
        """
        index = slice(None) if rows is None else stack.checked_rows(rows, self._n)
        for array in (*self._now.flat_h, *self._now.flat_c):
            if array is not None:
                array[index] = 0

    def _prepared(self) -> _core.Step:
        """Return the core's own step between the two sets of states."""
        between = [*self._scratch[:-1], None]
        one, other = self._pair
        return _core.Step([
            (cell, part.packed, *arrays, choices, *self._masks(k)[1:3])
            for k, (part,), *arrays in zip(
                range(len(between)), self._layers, one.flat_h, one.flat_c, other.flat_h,
                other.flat_c, between, strict=True,
            )
            for cell, choices in [part.core]
        ])  # fmt: skip

    def _masks(self, k: int) -> Masks:
        return self._noise.masks(k, self._layers[k][0], 1, self._n) if self._noise else NO_MASKS

    @property
    def _now(self) -> stack.States:
        """The state after the last step."""
        return self._pair[self._step.odd]

    @property
    def _after(self) -> stack.States:
        """Where the next step writes."""
        return self._pair[not self._step.odd]

    def _swap(self) -> None:
        """Make the states that a run has written the ones that the next one reads."""
        self._step.swap()

    def _check_backend(self) -> None:
        if self._backend == "core" != backend.get():
            raise ValueError(
                "a stream that was made on the core has packed weights alone; make one within "
                "use_backend"
            )

    def _enter(self, x_t: Any) -> Array:
        """Return x_t of another layout, or of one row without its axis, or say what is wrong."""
        x = check_x("x_t", x_t, 2, self._dtype, self._x_shape[1], INPUT_SIZE)
        if x.ndim == 2 and x.shape[0] != self._n:
            raise ValueError(f"x_t must have N = {self._n} rows as the stream has, got {x.shape}")
        if x.ndim == 1 and self._n != 1:
            raise ValueError(f"x_t must have shape (N, I) = {self._x_shape}, got {x.shape}")
        return x

    def _check_out(self, out: Any, x_t: Array, shape: tuple[int, ...]) -> None:
        if type(out) is not _ndarray or out.dtype is not self._dtype:
            what = out.dtype if isinstance(out, _ndarray) else type(out).__name__
            raise TypeError(f"out must be an ndarray of {self._dtype}, got {what}")
        if out.shape != shape:
            raise ValueError(f"out must have shape (N, H) = {shape}, got {out.shape}")
        if not (out.flags.writeable and out.flags.aligned and out.strides[-1] == out.itemsize):
            raise ValueError("out must be writable, aligned, and contiguous in its last axis")
        if out.ndim == 2 and out.shape[0] > 1 and abs(out.strides[0]) < out.shape[1] * out.itemsize:
            raise ValueError("out must not overlap itself")
        if np.may_share_memory(out, x_t):
            raise ValueError("out must not share memory with x_t")
