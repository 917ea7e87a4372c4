"""S1, binary addition: what three activations learn from pairs of 8 bits, and 32 bits after it.

10,000 updates from one pair each, plain gradient descent, as examples/binary_addition.py says; the
time of a run through explicit gradients, and through autograd. Ten seeds unless --seeds says more.
"""

import sys
import time

import autograd.numpy as anp
import numpy as np

from bench.acceptance import _frame
from fastrnn import ops
from fastrnn.examples import binary_addition as example

ITERATIONS = 10_000
LEAST = {"sigmoid, N(0, 1)": 0.99, "tanh, Xavier": 0.99}  # what is right of the last 1,000
MOST = {"tanh, N(0, 1)": 0.5, "relu, N(0, 1)": 0.1}  # these fail, and are to be seen failing


def by_autograd(seed: int) -> float:
    """Return the seconds of a training with sigmoid units whose gradients autograd finds.

    With z = (1 + tanh(u/2)) / 2 the error ½ Σ (z − t)² is ⅛ Σ (tanh(u/2) − (2t − 1))².
    """
    rng = np.random.default_rng(seed)
    w_ih, w_hh, w_out = example.first_weights(rng, None)
    params = {"w_ih": w_ih, "w_hh": w_hh, "w_out": w_out[None]}
    x, targets = example.pairs(rng, ITERATIONS, 8)
    signs = 2 * targets[..., None] - 1

    def loss(params, x, signs):  # type: ignore[no-untyped-def]
        y, _ = ops.rnn(x, params["w_ih"], params["w_hh"], nonlinearity="sigmoid")
        error = anp.tanh(0.5 * ops.linear(y, params["w_out"])) - signs
        return 0.125 * anp.sum(error * error)

    differentiate = ops.value_and_grad(loss)
    began = time.perf_counter()
    for i in range(ITERATIONS):
        _, grads = differentiate(params, x[i], signs[i])
        for name, gradient in grads.items():
            params[name] -= example.RATE * gradient
    seconds = time.perf_counter() - began
    if example.exact(rng, [w_ih, w_hh, params["w_out"][0]], "sigmoid", 8) < 0.99:
        raise RuntimeError(f"seed {seed}: autograd's gradients taught it nothing")
    return seconds


def measure(frame: _frame.Frame) -> None:
    """Train each setting from each seed."""
    frame.configuration = {"H": example.HIDDEN, "rate": 0.1, "iterations": ITERATIONS}
    for name, (activation, gain) in example.SETTINGS.items():
        for seed in frame.seeds:
            rng = np.random.default_rng(seed)
            with frame.run(name, seed) as note:
                weights, _, right = example.train(rng, activation, gain, ITERATIONS)
            note["learned_after"] = example.first_good(right)
            frame.record(f"{name}: last 1,000 right", seed, right[-1000:].mean())
            wide = example.exact(rng, weights, activation, 32)
            frame.record(f"{name}: 32 bits right", seed, wide)
            frame.record(f"{name}: seconds", seed, note["seconds"])
        if name in LEAST:
            frame.gate(f"{name}: last 1,000 right", at_least=LEAST[name])
            frame.gate(f"{name}: 32 bits right", at_least=0.99)
        if name in MOST:
            frame.gate(f"{name}: last 1,000 right", at_most=MOST[name])
    frame.gate("sigmoid, N(0, 1): seconds", at_most=0.3)
    for seed in frame.seeds:
        frame.record("through autograd: seconds", seed, by_autograd(seed))
    frame.gate("through autograd: seconds", at_most=1.5)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = _frame.options("learn_to_add", __doc__)
    parser.set_defaults(seeds=list(range(10)))
    return _frame.main("learn_to_add", __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    sys.exit(main())
