"""What PyTorch reaches on Python's expressions with the same model, weights, batches and updates.

What `parsing` is held to were estimates. Here a program of modules learns beside the library:
first weights copied, batches in one order, the same Adam, rates and clipping. Its weights then go
back into a `Seq2Seq`, once both are seen to give the test trees equal probabilities, so that one
decoder judges both. PyTorch's mean less three standard deviations is what a gate may ask.
"""

import importlib.util
import sys
from typing import Any

import _translator
import parse_tree
from bench.acceptance import _expressions, _frame, parsing
from bench.torch_seq2seq import give_back, loss_of, translator_of, update

N, NORM = 64, 5.0
CLOSE = 1e-4  # of the mean of −ln p, in nats a symbol: float32, sums of another order


def peer(model: Any, learned: Any, epochs: int, rate: float, seed: int) -> tuple[Any, Any]:
    """Train a module that begins as the model is; return PyTorch and the module."""
    torch, module = translator_of(model)
    data = model.pairs(*learned, N, seed=seed)
    rates = _translator.falling(rate, epochs * len(data))
    optimiser = torch.optim.Adam(module.parameters(), rate)
    done = 0
    for _ in range(epochs):
        for batch in data:
            optimiser.param_groups[0]["lr"] = rates(done)
            update(torch, module, optimiser, batch, NORM)
            done += 1
    return torch, module


def measure(bench: _frame.Frame) -> None:
    """Train both for each seed, and judge both by the decoder of the library."""
    if importlib.util.find_spec("torch") is None:
        raise _frame.Skipped("PyTorch is not here (pip install torch)")
    given = bench.given
    language = _expressions.language(given.size)
    cut = len(language.sources) * 9 // 10
    learned = language.sources[:cut], language.targets[:cut]
    judged = language.sources[cut:], language.targets[cut:]
    bench.configuration = {
        "hidden_size": 128, "embedding_size": 64, "N": N, "rate": given.rate, "max_norm": NORM,
        "epochs": given.epochs, "learned": cut, "judged": len(judged[0]),
    }  # fmt: skip
    for seed in bench.seeds:
        ours, theirs = (parse_tree.made(language, "additive", seed) for _ in range(2))
        with bench.run("fastrnn", seed):
            _translator.fit(
                ours, *learned, epochs=given.epochs, seed=seed, N=N, rate=given.rate, max_norm=NORM
            )
        with bench.run("PyTorch", seed):
            torch, module = peer(theirs, learned, given.epochs, given.rate, seed)
        give_back(module, theirs)
        test = list(theirs.pairs(*judged, 256))
        apart = abs(loss_of(torch, module, test) - theirs.evaluate(test)["loss"])
        bench.record("PyTorch's loss by its own program and by ours, apart", seed, apart)
        for name, model in (("fastrnn", ours), ("PyTorch", theirs)):
            bench.record(f"{name}, loss", seed, model.evaluate(test)["loss"])
            for way, figures in parse_tree.judge(model, language, *judged).items():
                for figure, value in figures.items():
                    bench.record(f"{name}, {way}, {figure}", seed, 100 * value)
    bench.gate("PyTorch's loss by its own program and by ours, apart", at_most=CLOSE)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = _frame.options("calibrate_parsing", __doc__)
    _frame.trained(parser, epochs=parsing.EPOCHS["python"], rate=parsing.RATE)
    parser.add_argument("--size", type=int, default=None, help="expressions; default: all")
    return _frame.main("calibrate_parsing", __doc__, measure, argv=argv, parser=parser, budget=600)


if __name__ == "__main__":
    sys.exit(main())
