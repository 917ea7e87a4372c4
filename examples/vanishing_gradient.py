"""Vanishing and exploding gradients of the kernels, held to the exact Jacobian products.

L depends on the last state alone. The gradient by the state k steps before is the product of k
Jacobians; it is computed for all lags in ONE backward call: row k of a ragged batch is the last k
steps of the sequence, started from the state that the whole sequence had there.
"""

import numpy as np

import fastrnn
from _script import PICTURES, Plot, Quick, Seeds, save, standalone
from fastrnn.plot import gradient_norms

T, H = 200, 32
PANELS = "theory knows the slope", "loud input, with gates and without"


def tails(x):
    """All tails of a sequence, (T, I), side by side: (T, T + 1, I), row k the last k steps."""
    T = len(x)
    places = np.arange(T)[:, None] + T - np.arange(T + 1)
    return x[np.minimum(places, T - 1)], np.arange(T + 1)


def rnn_gradients(x, w, nonlinearity, dh):
    """dL/dh_(T-k) for k = 0..T, (T + 1, H), of an RNN whose projected input is x, dL/dh_T = dh."""
    y, _ = fastrnn.rnn(x, None, w, nonlinearity=nonlinearity)
    starts = np.concatenate([np.zeros((1, H)), y])[::-1].copy()
    rows, lengths = tails(x)
    _, _, tape = fastrnn.rnn_forward(
        rows, None, w, h0=starts, lengths=lengths, nonlinearity=nonlinearity
    )
    return fastrnn.rnn_backward(tape, dh_n=np.tile(dh, (len(starts), 1))).h0


def rnn_jacobians(x, w, nonlinearity, dh):
    """The same in plain NumPy: dL/dh_(t-1) = W' (act'(pre_t) * dL/dh_t)."""
    act, slope = {
        "linear": (lambda v: v, np.ones_like),
        "tanh": (np.tanh, lambda y: 1 - y**2),
        "relu": (lambda v: np.maximum(v, 0), lambda y: (y > 0) * 1.0),
        "sigmoid": (lambda v: 1 / (1 + np.exp(-v)), lambda y: y * (1 - y)),
    }[nonlinearity]
    h, states, back = np.zeros(H), [], [dh]
    for x_t in x:
        h = act(x_t + w @ h)
        states.append(h)
    for h in reversed(states):
        back.append(w.T @ (slope(h) * back[-1]))
    return np.array(back)


def lstm_gradients(x, w, b, dh, gates="ifo"):
    """dL/dh and dL/dc at T-k for k = 0..T, (T + 1, 2H), of an LSTM whose projected input is x."""
    y, _, tape = fastrnn.lstm_forward(x, None, w, b, gates=gates)
    h = np.concatenate([np.zeros((1, H)), y])[::-1].copy()
    c = np.concatenate([np.zeros((1, H)), tape.c])[::-1].copy()
    rows, lengths = tails(x)
    options = {"h0": h, "c0": c, "lengths": lengths, "gates": gates}
    _, _, tape = fastrnn.lstm_forward(rows, None, w, b, **options)
    grads = fastrnn.lstm_backward(tape, dh_n=np.tile(dh, (len(h), 1)))
    return np.hstack([grads.h0, grads.c0])


def recurrent(rng, radius):
    """A random matrix (H, H) with this spectral radius."""
    w = rng.standard_normal((H, H))
    return w * (radius / np.abs(np.linalg.eigvals(w)).max())


def slope(gradients, first=T // 2):
    """The slope of log ||gradient|| against the lag, from lag `first` on."""
    norms = np.linalg.norm(gradients, axis=1)[first:]
    return float(np.polyfit(np.arange(len(norms)), np.log(norms), 1)[0])


def networks(rng):
    """Name, gradients by the kernels, the exact ones or None, the slope of theory or None."""
    dh, still = rng.standard_normal(H), 1e-30 * rng.standard_normal((T, H))
    for kind, radius in (("linear", 0.9), ("linear", 1.2), ("tanh", 0.9), ("tanh", 1.2)):
        w = recurrent(rng, radius)
        exact = rnn_jacobians(still, w, kind, dh)
        yield f"{kind}, radius {radius}", rnn_gradients(still, w, kind, dh), exact, np.log(radius)
    loud, w = rng.standard_normal((T, H)), recurrent(rng, 1.2)
    for kind in ("tanh", "sigmoid"):
        exact = rnn_jacobians(loud, w, kind, dh)
        yield f"{kind}, radius 1.2, driven", rnn_gradients(loud, w, kind, dh), exact, None
    kept = np.tile(dh, (T + 1, 1))  # what must come back where nothing is lost
    yield "linear, w_hh = I", rnn_gradients(loud, np.eye(H), "linear", dh), kept, 0.0
    none, quiet = np.zeros((4 * H, H)), 0.01 * rng.standard_normal((T, 4 * H))
    yield "carousel: LSTM, no gates", lstm_gradients(quiet, none, None, dh, ""), None, 0.0
    w = rng.uniform(-1, 1, (4 * H, H)) / H**0.5
    for forget in (0.0, 1.0, 5.0):
        b = np.repeat([0.0, forget, 0.0, 0.0], H)
        yield f"LSTM, forget bias {forget:g}", lstm_gradients(loud @ w.T, w, b, dh), None, None


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1) -> None:
    """Gradients that vanish, explode or stay: slopes of log ||dL/dh(T-k)|| against the lag k."""
    for seed in range(1 if quick else seeds):
        print(f"seed {seed}; H = {H}, float64: slope of log ||dL/dh(T-k)||, k = {T // 2}..{T}")
        print(f"{'network':<28}{'kernels':>10}{'Jacobians':>11}{'theory':>9}{'rel. error':>12}")
        norms, products = {panel: {} for panel in PANELS}, {panel: [] for panel in PANELS}
        for name, ours, exact, theory in networks(np.random.default_rng(seed)):
            panel = PANELS[theory is None]
            norms[panel][name] = np.linalg.norm(ours, axis=1)
            words = [f"{name:<28}{slope(ours):>10.4f}"]
            words.append(f"{slope(exact):>11.4f}" if exact is not None else f"{'-':>11}")
            words.append(f"{theory:>9.4f}" if theory is not None else f"{'-':>9}")
            if exact is not None:
                products[panel].append(np.linalg.norm(exact, axis=1))
                error = np.abs(ours - exact).max(1) / np.abs(exact).max(1)
                words.append(f"{error.max():>12.1e}")
            print("".join(words))
    title = f"Gradients on their way back (H = {H}); dots: exact products of Jacobians"
    figure = gradient_norms(norms, title=title)
    lags = np.arange(0, T + 1, 20)
    for axes, exact in zip(figure.axes, products.values()):
        axes.plot(lags, np.transpose(exact)[lags], ".", color="black", markersize=4)
    save(figure, plot, "vanishing_gradient")


if __name__ == "__main__":
    standalone(run)
