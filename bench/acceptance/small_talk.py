"""Small talk held to its data: prompts are answered as there, and as often.

The recipe of the example `chatbot`, in English. The figure is the total variation between a
model's own probabilities of the replies to a prompt and how often they stand there, the mean over
the prompts with several replies: without the noise of draws. Draws are shown beside it, with what
draws from the frequencies themselves would have.

Batches of like lengths make a short reply weigh more than a long one, since the loss is a mean
over symbols; what they would teach a perfect learner is shown, too.
"""

import sys
from collections import Counter
from typing import Any

import numpy as np

import chatbot
from bench.acceptance import _frame
from bench.acceptance._published import member
from fastrnn import metrics
from fastrnn.data import Vocabulary, batches

DRAWS = 200


def read(frame: _frame.Frame) -> tuple[Any, Vocabulary]:
    """Return conversations and their words."""
    talks: Any = []
    for topic in chatbot.TOPICS:
        path = chatbot.FOLDER.format("english", topic)
        text = member(frame, "chatterbot-corpus", path).decode()
        talks += [talk for talk in chatbot.conversations(text) if len(talk) > 1]
    words = Vocabulary.from_texts([turn for talk in talks for turn in talk], level="word")
    given = frame.given
    frame.configuration = {
        "hidden": given.hidden, "epochs": given.epochs, "rate": chatbot.RATE,
        "conversations": len(talks), "words": len(words),
        "prompts with several replies": len(chatbot.several(chatbot.counted(talks))),
    }  # fmt: skip
    return talks, words


def judge(frame: _frame.Frame, seed: int, name: str, model: Any, talks: Any) -> None:
    """Record how near a model is to its data."""
    distances = chatbot.distances(model, chatbot.counted(talks))
    frame.record(f"{name}: probabilities of replies", seed, float(distances.mean()))
    right, drawn, _ = chatbot.measured(model, talks, np.random.default_rng(seed), DRAWS)
    frame.record(f"{name}: {DRAWS} draws", seed, drawn)
    frame.record(f"{name}: prompts answered as there", seed, right)


def by_draws(replies: Any, rng: np.random.Generator) -> float:
    """How far draws from the frequencies themselves are from them."""
    found = []
    for prompt in chatbot.several(replies):
        p = np.array(list(replies[prompt].values())) / replies[prompt].total()
        drawn = rng.multinomial(DRAWS, p, size=100)
        found.append(np.mean([metrics.total_variation(p, row) for row in drawn]))
    return float(np.mean(found))


def taught(talks: Any, words: Vocabulary, replies: Any, *, bucket: bool) -> float:
    """How far from the frequencies batches teach a perfect learner to be, by their weights."""
    said = [[len(words.encode(turn)) + 1 for turn in talk] for talk in talks]
    symbols = np.array([sum(turns[1:]) for turns in said])
    weights, found = np.zeros(len(talks)), []
    source = batches([sum(turns) for turns in said], 16, bucket=bucket)
    for _ in range(60):
        for rows in source:
            weights[rows] += 1 / symbols[rows].sum()
    for prompt in chatbot.several(replies):
        learned: Counter[str] = Counter()
        for talk, weight in zip(talks, weights, strict=True):
            if talk[0] == prompt:
                learned[talk[1]] += weight
        counts = [[each[text] for text in replies[prompt]] for each in (replies[prompt], learned)]
        found.append(metrics.total_variation(*counts))
    return float(np.mean(found))


def measure(frame: _frame.Frame) -> None:
    """Train for each seed."""
    given, (talks, words) = frame.given, read(frame)
    replies = chatbot.counted(talks)
    for name, bucket in (("like", True), ("any", False)):
        far = taught(talks, words, replies, bucket=bucket)
        frame.record(f"taught by batches of {name} lengths", frame.seeds[0], far)
    for seed in frame.seeds:
        far = by_draws(replies, np.random.default_rng(seed))
        frame.record(f"{DRAWS} draws from the frequencies", seed, far)
        with frame.run("fastrnn", seed):
            model, _ = chatbot.train(
                talks, words, hidden=given.hidden, epochs=given.epochs, seed=seed
            )
        judge(frame, seed, "fastrnn", model, talks)
    frame.gate("fastrnn: prompts answered as there", at_least=0.95)
    frame.gate("fastrnn: probabilities of replies", at_most=0.15)
    frame.gate(f"fastrnn: {DRAWS} draws", at_most=0.15)


def options(task: str, about: str | None, epochs: int) -> Any:
    """Return the parser, with the epochs and H."""
    parser = _frame.options(task, about)
    parser.add_argument("--epochs", type=int, default=epochs, help=f"default: {epochs}")
    parser.add_argument("--hidden", type=int, default=192, help="H; default: 192")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = options("small_talk", __doc__, chatbot.EPOCHS)
    return _frame.main("small_talk", __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    sys.exit(main())
