"""Binary addition: a recurrent network learns to carry, from single examples of 8 bits.

At step t the network sees bit t of two numbers, the lowest first, and has to name bit t of their
sum. One hidden layer of 16 units, a sigmoid output, E = 1/2 sum_t (z_t - target_t)^2, one update of
plain gradient descent a pair, learning rate 0.1, 10,000 pairs. Each activation comes with its own
derivative and with two first weights: N(0, 1), and N(0, gain / inputs).
"""

from time import perf_counter

import numpy as np

import fastrnn
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.plot import bars, curves

HIDDEN, RATE = 16, np.float32(0.1)
SETTINGS = {  # activation, gain of the first weights (None: standard deviation 1)
    "sigmoid, N(0, 1)": ("sigmoid", None),
    "tanh, N(0, 1)": ("tanh", None),
    "relu, N(0, 1)": ("relu", None),
    "tanh, Xavier": ("tanh", 1.0),
    "relu, He": ("relu", 2.0),
}


def bits(numbers, width):
    """Numbers (n,) as bits (width, n), the lowest first."""
    return (np.asarray(numbers) >> np.arange(width)[:, None] & 1).astype(np.float32)


def first_weights(rng, gain):
    """Draw w_ih (H, 2), w_hh (H, H) and w_out (H,)."""
    shapes = (HIDDEN, 2), (HIDDEN, HIDDEN), (HIDDEN,)
    scales = (1.0 if gain is None else (gain / shape[-1]) ** 0.5 for shape in shapes)
    return [(s * rng.standard_normal(shape)).astype(np.float32) for s, shape in zip(scales, shapes)]


def pairs(rng, n, width):
    """Draw n pairs of numbers as bits (n, width, 2), and their sums (n, width)."""
    a, b = rng.integers(0, 2 ** (width - 1), (2, n))
    x = np.stack([bits(a, width), bits(b, width)], axis=-1).transpose(1, 0, 2).copy()
    return x, bits(a + b, width).T.copy()


def update(weights, activation, x, target):
    """Change the weights by one pair (T, 2) and its sum (T,); return the outputs before that."""
    w_ih, w_hh, w_out = weights
    y, _, tape = fastrnn.rnn_forward(x, w_ih, w_hh, nonlinearity=activation)
    z = 1 / (1 + np.exp(-(y @ w_out)))
    error = (z - target) * z * (1 - z)  # z (1 - z): of the sigmoid output
    grads = fastrnn.rnn_backward(tape, error[:, None] * w_out)
    w_ih -= RATE * grads.w_ih
    w_hh -= RATE * grads.w_hh
    w_out -= RATE * (error @ y)
    return z


def train(rng, activation, gain, iterations, width=8):
    """Return the weights after all updates, and whether the sum was right before each of them."""
    weights = first_weights(rng, gain)
    x, targets = pairs(rng, iterations, width)
    right = np.zeros(iterations, bool)
    with np.errstate(over="ignore", invalid="ignore"):  # relu from N(0, 1) explodes
        for i in range(iterations):
            z = update(weights, activation, x[i], targets[i])
            right[i] = ((z > 0.5) == targets[i]).all()  # no bias: z is 1/2, read as 0, after zeros
    return weights, activation, right


def exact(rng, weights, activation, width, n=2000):
    """The share of n random sums of this width that are right in every bit."""
    w_ih, w_hh, w_out = weights
    x, targets = pairs(rng, n, width)
    with np.errstate(over="ignore", invalid="ignore"):
        y, _ = fastrnn.rnn(x.transpose(1, 0, 2), w_ih, w_hh, nonlinearity=activation)
        return float(((y @ w_out > 0) == targets.T).all(axis=0).mean())


def first_good(right, window=200):
    """The iteration that ends the first window with 99.5 % right sums, or None."""
    share = np.convolve(right, np.ones(window) / window, "valid")
    return int(np.argmax(share >= 0.995)) + window if (share >= 0.995).any() else None


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 10) -> None:
    """Binary addition: three activations, what makes them fail, and 32 bits from 8."""
    seeds, iterations = (min(seeds, 2), 10_000) if quick else (seeds, 10_000)
    count = plural(seeds, "seed")
    print(f"8 bits, {HIDDEN} hidden units, {iterations:,} updates, {count}: mean ± sd")
    print(f"{'':<18}{'last 1,000 right':>18}{'32 bits right':>18}{'learned after':>16}{'s/run':>7}")
    rights = {}
    shares = {"the last 1,000 sums of 8 bits": {}, "sums of 32 bits": {}}
    for name, (activation, gain) in SETTINGS.items():
        last, wide, learned, began = [], [], [], perf_counter()
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            weights, _, right = train(rng, activation, gain, iterations)
            last.append(right[-1000:].mean())
            wide.append(exact(rng, weights, activation, 32))
            learned.append(first_good(right))
            rights.setdefault(name, []).append(right)
        for panel, runs in zip(shares.values(), (last, wide)):
            panel[name] = runs
        seconds = (perf_counter() - began) / seeds
        when = [i for i in learned if i is not None]
        span = f"{min(when):,}-{max(when):,}" if when else "never"
        print(f"{name:<18}{spread(last, 3):>18}{spread(wide, 3):>18}{span:>16}{seconds:>7.2f}")
    title = f"Who learns to carry, and from which first weights? {count}"
    save(bars(shares, title=title, xlabel="share of right sums"), plot, "binary_addition")
    figure = curves(
        rights, title=f"How they learn to carry: means of {count}", band=False, smooth=200,
        xlabel="updates", ylabel="share of right sums of 8 bits, last 200",
    )  # fmt: skip
    save(figure, plot, "binary_addition_learning")


if __name__ == "__main__":
    standalone(run)
