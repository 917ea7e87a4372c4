"""How near PyTorch comes to the frequencies of replies, with the same model, weights and updates.

The bench `small_talk` holds the library to its data; here a program of modules takes the same
batches beside it. Its weights go back into an `HRED`, once both are seen to find a batch equally
surprising, so that one decoder judges both. Fewer epochs than `small_talk` do: what is asked is
whether both come equally far.
"""

import importlib.util
import sys
from typing import Any

import numpy as np

import chatbot
from bench.acceptance import _frame, small_talk
from bench.acceptance._torch_dialogue import TorchDialogue
from fastrnn.train.schedule import cosine

CLOSE = 1e-4  # of the mean of −ln p, in nats a symbol: float32, sums of another order


def peer(model: Any, source: Any, epochs: int) -> TorchDialogue:
    """Train modules that begin as the model is."""
    talk = TorchDialogue(model, pack=True)
    torch, updates = talk.torch, epochs * len(source)
    rates = cosine(chatbot.RATE, updates, chatbot.RATE / 50)
    optimiser = torch.optim.Adam(talk.weights, chatbot.RATE)
    done, rng = 0, np.random.default_rng(0)  # nothing is drawn
    for _ in range(epochs):
        for batch in source:
            optimiser.param_groups[0]["lr"] = rates(done)
            optimiser.zero_grad()
            nats, _, d = talk.parts(batch, rng, 0.0)
            (nats / d.symbols).backward()
            torch.nn.utils.clip_grad_norm_(talk.weights, chatbot.MAX_NORM)
            optimiser.step()
            done += 1
    return talk


def measure(frame: _frame.Frame) -> None:
    """Train and judge both for each seed."""
    if importlib.util.find_spec("torch") is None:
        raise _frame.Skipped("PyTorch is not here (pip install torch)")
    given, (talks, words) = frame.given, small_talk.read(frame)
    for seed in frame.seeds:
        with frame.run("fastrnn", seed):
            ours, _ = chatbot.train(
                talks, words, hidden=given.hidden, epochs=given.epochs, seed=seed
            )
        small_talk.judge(frame, seed, "fastrnn", ours, talks)
        theirs = chatbot.made(words, given.hidden, seed)
        source = chatbot.lessons(talks, words, seed)
        with frame.run("PyTorch", seed):
            talk = peer(theirs, source, given.epochs)
        talk.give_back(theirs)
        batch = next(iter(source))
        with talk.torch.no_grad():
            nats, _, d = talk.parts(batch, np.random.default_rng(0), 0.0)
        apart = abs(float(nats) - theirs.nats(batch).sum()) / d.symbols
        frame.record("PyTorch's nats by its own program and by ours, apart", seed, apart)
        small_talk.judge(frame, seed, "PyTorch", theirs, talks)
    frame.gate("PyTorch's nats by its own program and by ours, apart", at_most=CLOSE)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = small_talk.options("calibrate_chat", __doc__, 60)
    return _frame.main("calibrate_chat", __doc__, measure, argv=argv, parser=parser, budget=600)


if __name__ == "__main__":
    sys.exit(main())
