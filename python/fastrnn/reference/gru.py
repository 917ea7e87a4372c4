"""The GRU, reset after and reset before, and its backward as docs/maths/gru.md derives it."""

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.cells import GRUGrads, GRUOptions, GRUSpec, Masks, takes
from fastrnn.reference._call import Call, Tape, back_seen, enter_call, from_seen, open_tape, rz_n
from fastrnn.reference._checks import threads
from fastrnn.reference._math import Array, limited, split_gates, squash, sum_outer
from fastrnn.reference._norm import contiguous_gates


@takes(GRUOptions)
def gru(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    num_threads: int | None = None,
    masks: Masks | None = None,
    **options: Unpack[GRUOptions],
) -> tuple[Array, Array]:
    """Run one GRU layer in one direction, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    x : array_like, (T, N, I)
        Input; (N, T, I) with `batch_first`; (T, I) is one sequence, and every result loses N.
    w_ih : array_like or None, (3·H, I)
        Rows r z n. None: x is W_ih x already, without bias, (T, N, 3·H).
    w_hh : array_like, (3·H, H)
    b_ih, b_hh : array_like or None, (3·H,)
    h0 : array_like or None, (N, H) or (H,)
        Initial state, zeros if None; (H,) serves every row.
    **options
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step; y stays in input order.
    batch_first : bool
    masks : Masks or None
        Recurrent dropout and zoneout: h∘h_mask enters the recurrent product, and the parts h_keep
        of h, and c_keep of c, stay as they were.
    num_threads : int or None
        Checked, without effect here.

    Returns
    -------
    y : ndarray, (T, N, H)
        h at every step, 0 where a row has none; (N, T, H) with `batch_first`.
    h_n : ndarray, (N, H)
        State after each row's last step; the initial one for length 0.

    Raises
    ------
    TypeError
        lengths or num_threads are not integers, or a flag is not a bool.
    ValueError
        A shape does not fit, lengths are not in 0..T, or an option is wrong.

    Notes
    -----
    With h the previous state, ∘ element by element::

        r = σ(W_ir x + b_ir + W_hr h + b_hr)
        z = σ(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r ∘ (W_hn h + b_hn))      reset after
        n = tanh(W_in x + b_in + W_hn (r ∘ h) + b_hn)      reset before
        h' = (1 - z) ∘ n + z ∘ h

    with `activations` f for σ and g for tanh.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
    Translation", 2014, equations 5 to 8, which are reset before without biases.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n = reference.gru(np.ones((3, 1)), np.ones((3, 1)), np.ones((3, 1)))
    >>> y.shape, bool(y[-1] == h_n)
    ((3, 1), True)
    """
    threads(num_threads)
    layout = (lengths, reverse, batch_first)
    call = enter_call(GRUSpec.of(options), layout, x, w_ih, w_hh, b_ih, b_hh, h0, masks=masks)
    h, _, _ = gru_sweep(call)
    return call.y(h), call.seq.state_out(h[-1])


@takes(GRUOptions)
def gru_forward(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    num_threads: int | None = None,
    masks: Masks | None = None,
    **options: Unpack[GRUOptions],
) -> tuple[Array, Array, Tape]:
    """Run `gru`, with its arguments and errors, and keep what `gru_backward` needs.

    Parameters
    ----------
    x, w_ih, w_hh, b_ih, b_hh, h0, lengths, reverse, batch_first, num_threads, …
        As `gru`.

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only.
    h_n : ndarray, (N, H)
    tape : Tape
        For one `gru_backward`; shows ``gates`` (T, N, 3, H) and ``nbytes``.

    Raises
    ------
    TypeError, ValueError
        As `gru`; TypeError also if autograd traces an argument, which `gru` is for.

    References
    ----------
    As `gru`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n, tape = reference.gru_forward(np.ones((3, 1)), np.ones((3, 1)), np.ones((3, 1)))
    >>> tape.gates.shape, y.flags.writeable
    ((3, 3, 1), False)
    """
    threads(num_threads)
    layout = (lengths, reverse, batch_first)
    call = enter_call(GRUSpec.of(options), layout, x, w_ih, w_hh, b_ih, b_hh, h0, masks=masks)
    h, _, gates = gru_sweep(call)
    tape = Tape("gru", call, gates, h)
    y = call.y(h)
    y.setflags(write=False)
    return y, call.seq.state_out(h[-1]), tape


def gru_backward(
    tape: Tape,
    dy: ArrayLike | None = None,
    dh_n: ArrayLike | None = None,
    *,
    truncate: int | None = None,
    clip_step: float | None = None,
) -> GRUGrads:
    """Backpropagate through time over the call that `gru_forward` recorded.

    Parameters
    ----------
    tape : Tape
        Spent by this call.
    dy : array_like or None, in the shape of y
        Gradient of the loss by y; what it holds where a row has no step is never read.
    dh_n : array_like or None, in the shape of h_n
    truncate : int or None
        Cut the recurrent gradient every k steps of a row, counted from 0 where it starts (its
        last step with `reverse`): nothing flows from its steps k, 2k, … into the h before
        them. That is truncated BPTT over chunks of k steps that hand on their states.
    clip_step : float or None
        Limit each step's gradients by the pre-activations to ±clip_step, element by element,
        before anything is derived from them.

    Returns
    -------
    GRUGrads
        Each in the shape of its argument, None for what was not given.

    Raises
    ------
    TypeError
        tape is no tape, or an option is no number.
    ValueError
        tape is spent or another cell's, a shape does not fit, or an option is out of range.

    References
    ----------
    Werbos, "Backpropagation Through Time: What It Does and How to Do It", 1990; docs/maths/gru.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n, tape = reference.gru_forward(np.ones((3, 1)), np.ones((3, 1)), np.ones((3, 1)))
    >>> grads = reference.gru_backward(tape, dh_n=np.ones(1))
    >>> grads.x.shape, grads.w_hh.shape, grads.h0 is None
    ((3, 1), (3, 1), True)
    """
    call, kept = open_tape("gru", tape)
    every, limit = call.backward_options(truncate, clip_step)
    dy = call.dy(dy)
    dh = call.seq.dstate_in("dh_n", dh_n, call.w_hh.dtype)
    tape.spend()
    grads = gru_sweep_backward(call, kept, dy, dh, every, limit)
    del grads["w_norm"]  # a layer's; this call has none
    return GRUGrads(**grads)


def gru_step(call: Call, pre_x: Any, h: Any) -> tuple[Any, Any]:
    """One step: the next h and the gates (N, 3·H) from W_ih x + b_ih (N, 3·H) and h."""
    xp, spec = call.xp, call.spec
    (squash_f, _), (squash_g, _) = (squash(chosen, spec.limit) for chosen in spec.activations)
    split = split_gates if call.norm is None else contiguous_gates
    rows_rz, rows_n = rz_n(call.seq.H)
    x_r, x_z, x_n = split(pre_x, 3)
    masked = call.recurrent_h(h)
    h_r, h_z = split(from_seen(call, masked, rows_rz), 2)
    r, z = squash_f(xp, x_r + h_r), squash_f(xp, x_z + h_z)
    if spec.reset_after:
        h_n = r * from_seen(call, masked, rows_n)
    else:
        h_n = from_seen(call, r * masked, rows_n)
    n = squash_g(xp, x_n + h_n)
    return (1.0 - z) * n + z * h, xp.concatenate([r, z, n], axis=1)


def gru_step_backward(
    call: Call, gates: Array, h: Array, hn: Array | None, dh: Array, limit: float | None
) -> tuple[Array, Array, Array]:
    """One step back, from the gradient by the next h.

    h is the state the step saw; hn is W_hn h + b_hn with reset after, None with reset before.
    Returns the gradients by W_ih x + b_ih (N, 3·H), by the products of W_hh (N, 3·H), and by h.
    """
    rows_rz, rows_n = rz_n(call.seq.H)
    spec = call.spec
    (_, through_f), (_, through_g) = (squash(chosen, spec.limit) for chosen in spec.activations)
    r, z, n = split_gates(gates, 3)
    seen = call.recurrent_h(h)
    dn = limited(through_g(n, dh * (1.0 - z)), limit)
    dz = limited(through_f(z, dh * (h - n)), limit)
    if hn is not None:
        dr = limited(through_f(r, dn * hn), limit)
        d_product_n, through_n = back_seen(call, seen, dn * r, rows_n)
    else:
        d_product_n, drh = back_seen(call, r * seen, dn, rows_n)
        dr = limited(through_f(r, drh * seen), limit)
        through_n = drh * r
    d_rz = np.concatenate([dr, dz], axis=1)
    d_product_rz, through_rz = back_seen(call, seen, d_rz, rows_rz)
    dh = dh * z + call.recurrent_h(through_rz + through_n)
    d_products = np.concatenate([d_product_rz, d_product_n], axis=1)
    return np.concatenate([d_rz, dn], axis=1), d_products, dh


def gru_sweep(call: Call) -> tuple[list[Any], None, list[Any]]:
    """All steps: T+1 states h (slot 0 is the initial one), no c, and T gates."""
    seq = call.seq
    pre_x = call.pre_x()
    h = [seq.state_in("h0", call.h0, call.w_hh.dtype)]
    gates = []
    for t in range(seq.T):
        # A row without this step computes on zeros and keeps its state, so that nothing in it,
        # NaN included, reaches a gradient through the result that is thrown away.
        h_prev = seq.select(t, h[t], 0.0)
        h_t, gates_t = gru_step(call, pre_x[t], h_prev)
        h_t, _ = call.zoned(t, h_t, h_prev)
        h.append(seq.select(t, h_t, h[t]))
        gates.append(gates_t)
    return h, None, gates


def gru_sweep_backward(
    call: Call, kept: dict[str, Array], dy: Array, dh: Array, every: int | None, limit: float | None
) -> dict[str, Any]:
    """All steps back; return the gradients by name."""
    seq, gates, after = call.seq, kept["gates"], call.spec.reset_after
    h_prev = seq.existing(kept["h"][:-1])
    seen, r = call.recurrent_h(h_prev), gates[:, :, : seq.H]
    rows_rz, rows_n = rz_n(call.seq.H)
    hn = call.as_kept(from_seen(call, seen, rows_n)) if after else [None] * seq.T
    d_ih, d_products = np.empty_like(gates), np.empty_like(gates)
    for t in reversed(range(seq.T)):
        stays = call.stays(t, dh + dy[t])
        *both, dh_t = gru_step_backward(call, gates[t], h_prev[t], hn[t], dh + dy[t] - stays, limit)
        d_ih[t], d_products[t] = (seq.select(t, d_t, 0.0) for d_t in both)
        (dh,) = seq.forget(t, every, seq.select(t, dh_t + stays, dh))
    seen_n, d_hh = seen, d_ih
    if after:
        d_hh = np.concatenate([d_ih[:, :, rows_rz], d_ih[:, :, rows_n] * r], axis=2)
    else:
        seen_n = r * seen
    parts = ((d_products[:, :, rows_rz], seen), (d_products[:, :, rows_n], seen_n))
    dw_hh = np.concatenate([sum_outer(d, call.as_operand(operand)) for d, operand in parts])
    return call.gradients(d_ih, d_hh, dw_hh) | {
        "w_norm": call.gain_gradient(d_ih, d_hh, seen, seen_n),
        "h0": seq.dstate_out(dh, call.h0),
    }
