"""An LSTM whose gradient explodes, cured by clipping: g <- g theta / ||g|| where ||g|| > theta.

The network reads 30 normal numbers and has to give their sum. With recurrent weights of this size
its state is chaotic: the gradient grows along the way back as differences do along the way forth.
Without clipping, single updates throw plain gradient descent out of the region it works in: it
learns later, or not at all; with it, the same network from the same first weights on the same data
learns at once.
"""

import numpy as np

import fastrnn
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.plot import curves

T, N, H = 30, 32, 32
RATE, THRESHOLD, SCALE = 0.5, 1.0, 7.0


def clip(grads, threshold):
    """Scale all gradients in place to a common norm of at most `threshold`; return the old norm."""
    norm = float(np.sqrt(sum(np.sum(g**2) for g in grads)))
    if norm > threshold:
        for g in grads:
            g *= threshold / norm
    return norm


def train(rng, threshold, updates):
    """Mean squared error and norm (before clipping) of each update; the sum has variance 1."""
    w_ih = rng.standard_normal((4 * H, 1))
    w_hh = SCALE * rng.standard_normal((4 * H, H)) / H**0.5
    params = [w_ih, w_hh, np.zeros(4 * H), rng.standard_normal(H) / H**0.5]
    errors, norms = [], []
    for _ in range(updates):
        x = rng.standard_normal((T, N, 1))
        y, _, tape = fastrnn.lstm_forward(x, *params[:3])
        error = y[-1] @ params[3] - x.sum((0, 2)) / T**0.5
        lstm = fastrnn.lstm_backward(tape, dh_n=error[:, None] * params[3] / N)
        grads = [lstm.w_ih, lstm.w_hh, lstm.b_ih, error @ y[-1] / N]
        norms.append(clip(grads, threshold))
        errors.append(float(np.mean(error**2)))
        for p, g in zip(params, grads):
            p -= RATE * g
    return np.array(errors), np.array(norms)


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 5) -> None:
    """Gradient clipping: the LSTM that it saves, and the same one without it."""
    seeds, updates = (1, 1000) if quick else (seeds, 4000)
    print(f"sum of {T} normal numbers, LSTM-{H}, SGD {RATE}, {updates:,} updates of {N} sequences")
    print(f"{'seed':>4} {'clipping':>9} {'largest norm':>13} {'largest error':>14} {'last 200':>9}")
    pictures, ends = {}, {}
    for seed in range(seeds):
        for name, threshold in (("none", np.inf), ("at 1", THRESHOLD)):
            errors, norms = train(np.random.default_rng(seed), threshold, updates)
            ends.setdefault(name, []).append(errors[-200:].mean())
            for panel, values in (("norm of the gradient", norms), ("mean squared error", errors)):
                runs = pictures.setdefault(panel, {})
                runs.setdefault(f"clipping: {name}", []).append(values)
            row = f"{seed:>4} {name:>9} {norms.max():>13.3g} {errors.max():>14.3g}"
            print(f"{row} {ends[name][-1]:>9.3f}")
    for name, values in ends.items():
        print(f"mean squared error, clipping {name}: {spread(values, 3)}")
    figure = curves(
        pictures, title=f"Clipping saves a training that explodes, {plural(seeds, 'seed')}",
        levels=dict(zip(pictures, ({"threshold": THRESHOLD}, {"the mean alone": 1.0}))), log=True,
        smooth=20, xlabel="updates", ylabel={panel: panel for panel in pictures},
    )  # fmt: skip
    save(figure, plot, "gradient_clipping")


if __name__ == "__main__":
    standalone(run)
