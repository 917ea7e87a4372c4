"""Binary addition: three activations, what makes them fail, 32 bits from 8, and the latency.

The experiment of examples/binary_addition.py on ten seeds unless --seeds says otherwise, and the
same training by `ops` and autograd, whose time and weights are compared with the explicit one's.
"""

import sys
from typing import Any

import autograd.numpy as anp
import numpy as np

import binary_addition as example
from bench.acceptance import _frame
from fastrnn import ops

UPDATES = 10_000
LEARNS = ("sigmoid, N(0, 1)", "tanh, Xavier")  # on every seed; relu from He's weights on most
FAILS = ("tanh, N(0, 1)", "relu, N(0, 1)")


def loss(params: Any, x: Any, signs: Any) -> Any:
    """E = ½ Σ (z − target)², of z = ½ + ½ tanh(score / 2) and signs = 2·target − 1, (T, 1)."""
    y, _ = ops.rnn(x, params["w_ih"], params["w_hh"], nonlinearity="sigmoid")
    error = anp.tanh(0.5 * ops.linear(y, params["w_out"])) - signs
    return 0.125 * anp.sum(anp.square(error))


def by_autograd(seed: int) -> list[Any]:
    """Train as the example does, sigmoid from N(0, 1), with gradients by autograd."""
    rng = np.random.default_rng(seed)
    w_ih, w_hh, w_out = example.first_weights(rng, None)
    params = {"w_ih": w_ih, "w_hh": w_hh, "w_out": w_out[None]}
    x, targets = example.pairs(rng, UPDATES, 8)
    signs = 2 * targets[..., None] - 1
    differentiate = ops.value_and_grad(loss)
    for i in range(UPDATES):
        _, grads = differentiate(params, x[i], signs[i])
        for name, weight in params.items():
            np.subtract(weight, example.RATE * grads[name], out=weight)
    return [w_ih, w_hh, w_out]


def measure(frame: _frame.Frame) -> None:
    """Run the five settings; then the first one again, by autograd."""
    explicit = {}
    for name, (activation, gain) in example.SETTINGS.items():
        for seed in frame.seeds:
            rng = np.random.default_rng(seed)
            with frame.run(name, seed, updates=UPDATES) as note:
                weights, _, right = example.train(rng, activation, gain, UPDATES)
                note["learned_after"] = example.first_good(right)
            explicit[name, seed] = weights
            frame.record(f"{name}: right of the last 1,000", seed, right[-1000:].mean())
            wide = example.exact(rng, weights, activation, 32)
            frame.record(f"{name}: 32 bits right", seed, wide)
            if name == LEARNS[0]:
                frame.record("explicit gradients: CPU seconds", seed, note["cpu_seconds"])
    for seed in frame.seeds:
        with frame.run("by autograd", seed, updates=UPDATES) as note:
            weights = by_autograd(seed)
        frame.record("autograd: CPU seconds", seed, note["cpu_seconds"])
        pairs = zip(weights, explicit[LEARNS[0], seed], strict=True)
        frame.record("autograd: weights apart", seed, max(np.abs(a - b).max() for a, b in pairs))
    for name in LEARNS:
        frame.gate(f"{name}: 32 bits right", at_least=0.99)
    for name in FAILS:
        frame.gate(f"{name}: right of the last 1,000", at_most=0.5)
    frame.gate("explicit gradients: CPU seconds", at_most=0.3, calibrated=False)
    frame.gate("autograd: CPU seconds", at_most=1.5, calibrated=False)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = _frame.options("binary_addition", __doc__)
    parser.set_defaults(seeds=list(range(10)))
    return _frame.main("binary_addition", __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    sys.exit(main())
