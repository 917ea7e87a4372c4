"""Small talk: Seq2Seq, HRED and VHRED on the same conversations, their replies side by side.

Conversations of the package chatterbot-corpus, English by words and Japanese by characters.
Prompts are what conversations begin with; a reply is right if it stands after the prompt somewhere.
Shown are replies to prompts and to three turns of longer conversations, of which Seq2Seq sees the
last alone; what the conversation itself goes on with stands beside them.
distinct-1, -2 and the length are of 5 replies to each prompt, HRED's drawn, VHRED's greedy over
codes, and of Seq2Seq's only one.
"""

from collections import defaultdict
from typing import Any

import numpy as np

from bench.acceptance import _frame
from bench.acceptance._dialogue import trained
from bench.acceptance._published import member
from chatbot import LEVELS, conversations
from fastrnn import metrics
from fastrnn.data import Vocabulary
from fastrnn.models import HRED, VHRED, Seq2Seq
from fastrnn.train import Adam
from fastrnn.train.schedule import cosine

TOPICS = ("ai", "botprofile", "conversations", "emotion", "food", "gossip", "greetings", "science")
HOW = {"hidden": 192, "embedding": 64, "epochs": 80, "batch": 16, "lr": 4e-3, "turns": 6}
ASKED = 5  # of either kind
LONGEST = {"max_length": 150}  # the longest turn in Japanese has 127 characters


def read(frame: _frame.Frame, language: str) -> list[list[str]]:
    """Return conversations of at least two turns, each cut to its first few."""
    talks = []
    for topic in TOPICS:
        path = f"chatterbot_corpus/data/{language}/{topic}.yml"
        text = member(frame, "chatterbot-corpus", path).decode()
        talks += conversations(text, LEVELS[language])
    return [talk[: HOW["turns"]] for talk in talks if len(talk) > 1]


def models(words: Vocabulary, talks: list[list[str]], seed: int) -> dict[str, Any]:
    """Return functions that make and train each model."""

    def hierarchical(cls: Any, *more: Any, **options: Any) -> Any:
        rng = np.random.default_rng(seed)
        model = cls(
            "gru", words, HOW["hidden"], *more, embedding_size=HOW["embedding"], rng=rng, **options
        )
        return trained(
            model, talks, words, epochs=HOW["epochs"], batch_size=HOW["batch"], lr=HOW["lr"],
            seed=seed, said=None,
        )  # fmt: skip

    def pairs() -> Any:
        model = Seq2Seq(
            "gru", words, words, HOW["hidden"], embedding_size=HOW["embedding"],
            attention="additive", rng=np.random.default_rng(seed),
        )  # fmt: skip
        turns = [talk[k : k + 2] for talk in talks for k in range(len(talk) - 1)]
        data = model.pairs([a for a, _ in turns], [b for _, b in turns], 2 * HOW["batch"])
        rate = cosine(HOW["lr"], HOW["epochs"] * len(data), HOW["lr"] / 50)
        model.fit(data, Adam(rate), max_norm=1.0, epochs=HOW["epochs"], progress=False)
        return model

    return {
        "Seq2Seq": pairs,
        "HRED": lambda: hierarchical(HRED),
        "VHRED": lambda: hierarchical(VHRED, 16, word_drop=0.25, kl_schedule=500),
    }


def measure(frame: _frame.Frame) -> None:
    """Both languages, all models."""
    frame.configuration |= {"how": HOW, "topics": TOPICS}
    for language, level in LEVELS.items():
        talks = read(frame, language)
        words = Vocabulary.from_texts((t for talk in talks for t in talk), level=level)
        frame.configuration[language] = {"conversations": len(talks), "symbols": len(words)}
        answers = defaultdict(set)
        for talk in talks:
            answers[talk[0]].add(talk[1])
        shown = histories(talks)
        frame.samples[language] = {key: {"(data)": talk[-1]} for key, talk in shown.items()}
        for seed in frame.seeds:
            for name, make in models(words, talks, seed).items():
                with frame.run(f"{language}, {name}", seed):
                    model = make()
                say(frame, seed, f"{language}, {name}", model, answers, shown)
        print(table(frame.samples[language]), flush=True)


def histories(talks: list[list[str]]) -> dict[str, list[str]]:
    """Return beginnings of conversations of two turns and of four, by all but the last turn."""
    found = {}
    for turns in (2, 4):
        long = sorted(talk[:turns] for talk in talks if len(talk) >= turns)
        for talk in long[:: max(1, len(long) // ASKED)][:ASKED]:
            found[" / ".join(talk[:-1])] = talk
    return found


def say(
    frame: _frame.Frame, seed: int, name: str, model: Any, answers: Any, shown: dict[str, list[str]]
) -> None:
    """Note what a model answers, and how different its replies are."""
    rng, prompts = np.random.default_rng(seed), sorted(answers)
    if isinstance(model, Seq2Seq):
        said = [found.text for found in model.translate(prompts, **LONGEST)]
        many = None
    else:
        said = model.replies([[prompt] for prompt in prompts], rng=rng, **LONGEST)
        drawn = {"temperature": 1.0} if isinstance(model, HRED) else {}
        many = model.replies([[prompt] for prompt in prompts], n=5, rng=rng, **LONGEST, **drawn)
    right = np.mean([reply in answers[p] for reply, p in zip(said, prompts, strict=True)])
    frame.record(f"{name}: right", seed, float(right))
    pieces = [text.split() if "english" in name else list(text) for text in said]
    if many is not None:
        flat = [text for texts in many for text in texts]
        pieces = [text.split() if "english" in name else list(text) for text in flat]
    for n in (1, 2):
        frame.record(f"{name}: distinct-{n}", seed, metrics.distinct(pieces, n))
    frame.record(f"{name}: mean length", seed, float(np.mean([len(p) for p in pieces])))
    if seed == frame.seeds[0]:
        language, kind = name.split(", ")
        for key, talk in shown.items():
            if isinstance(model, Seq2Seq):
                reply = model.translate(talk[-2], **LONGEST).text
            else:
                reply = model.reply(talk[:-1], rng=rng, **LONGEST)
            frame.samples[language][key][kind] = reply


def table(samples: dict[str, dict[str, str]]) -> str:
    """Return what each model answers to the same prompts, one block a prompt."""
    blocks = []
    for prompt, replies in samples.items():
        lines = [f"    {kind:<8} {reply}" for kind, reply in replies.items()]
        blocks.append("\n".join([f"  > {prompt}", *lines]))
    return "\n".join(blocks)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    return _frame.main("chat", __doc__, measure, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
