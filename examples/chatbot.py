"""Small talk: a dialogue model learns conversations of the package chatterbot-corpus.

English is read word by word, Japanese, which has no spaces, character by character.
What it can be held to: asked one of the prompts, it gives one of the replies that stand there; and
where a prompt has several, draws at temperature 1 give them as often as they do. 200 draws from the
right frequencies are 0.06 from them, too; the model's own probabilities have no such noise.
"""

from collections import Counter, defaultdict
from time import perf_counter
from typing import Annotated, Literal

import numpy as np
from typer import Option

from _packages import Data, read
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn import metrics
from fastrnn.data import Vocabulary, batches, pack_dialogues, plain_words
from fastrnn.models import HRED
from fastrnn.plot import curves
from fastrnn.train import Adam
from fastrnn.train.schedule import cosine

FOLDER = "chatterbot_corpus/data/{}/{}.yml"
TOPICS = (
    "ai", "botprofile", "computers", "conversations", "emotion", "food", "gossip", "greetings",
    "health", "history", "humor", "literature", "money", "movies", "politics", "psychology",
    "science", "sports",
)  # fmt: skip
LEVELS = {"english": "word", "japanese": "character"}
ASKED = {
    "english": (
        "Hello", "What is your favorite book?", "Tell me a joke", "Who are you?", "What is AI?",
    ),
    "japanese": (
        "こんにちは", "調子はどうですか？", "飲みますか", "あなたは誰ですか？", "AIとは何ですか？",
    ),
}  # fmt: skip
EPOCHS, RATE, MAX_NORM = 120, 4e-3, 1.0
Language = Annotated[
    Literal["english", "japanese"], Option("--language", help="Which conversations to learn.")
]


def conversations(text, level="word"):
    """The turns of each conversation of one file: "- - " begins one, "  - " a turn of it."""
    found = []
    for line in text.splitlines():
        if line.startswith("- - "):
            found.append([line[4:]])
        elif line.startswith("  - ") and found:
            found[-1].append(line[4:])
        elif line.startswith("    ") and found:
            found[-1][-1] += " " + line.strip()
    return [[spelled(turn, level) for turn in talk] for talk in found]


def spelled(turn, level="word"):
    """A turn in lower case, with single spaces between words and signs, or by characters none."""
    turn = turn.strip()
    if len(turn) > 1 and turn[0] == turn[-1] and turn[0] in "\"'":
        turn = turn[1:-1].replace("''", "'")
    words = plain_words(turn)
    return words if level == "word" else words.replace(" ", "")


def made(words, hidden, seed):
    """An untrained model."""
    return HRED("gru", words, hidden, embedding_size=128, rng=np.random.default_rng(seed))


def lessons(talks, words, seed):
    """Batches of 16 conversations.

    Of any lengths: the loss is the mean over a batch's symbols, so that batches of like lengths
    would make short replies weigh more than long ones, and be said too often.
    """
    coded = [[words.encode(turn) for turn in talk] for talk in talks]
    return batches(
        [len(talk) for talk in talks], 16, seed=seed, bucket=False,
        make=lambda rows: pack_dialogues([coded[i] for i in rows]),
    )  # fmt: skip


def train(talks, words, *, hidden, epochs, seed, rate=RATE):
    """Return the model and its losses."""
    model, source = made(words, hidden, seed), lessons(talks, words, seed)
    adam = Adam(lr=cosine(rate, epochs * len(source), rate / 50))
    history = model.fit(source, adam, max_norm=MAX_NORM, epochs=epochs, progress=False)
    return model, [record["loss"] for record in history.records]


def counted(talks):
    """How often each reply stands after each prompt."""
    replies = defaultdict(Counter)
    for talk in talks:
        replies[talk[0]][talk[1]] += 1
    return replies


def several(replies):
    """The prompts with several replies that stand there often enough."""
    return [p for p, answers in replies.items() if len(answers) > 1 and answers.total() > 3]


def probabilities(model, replies, prompt):
    """Of the replies that a prompt has: their shares in the data, and the model's probabilities."""
    coded, known = model.vocabulary.encode, replies[prompt]
    batch = pack_dialogues([[coded(prompt), coded(reply)] for reply in known])
    return np.array(list(known.values())) / known.total(), np.exp(-model.nats(batch))


def distances(model, replies):
    """How far the model's own probabilities are from the frequencies, one a prompt.

    Total variation: half of all differences, with what it keeps for other replies.
    """
    found = [probabilities(model, replies, prompt) for prompt in several(replies)]
    return np.array([(np.abs(p - q).sum() + max(0.0, 1 - q.sum())) / 2 for p, q in found])


def frequencies(model, replies):
    """A picture of both, over all replies of the prompts with several, rare ones first."""
    found = [probabilities(model, replies, prompt) for prompt in several(replies)]
    shares, given = (np.concatenate(part) for part in zip(*found))
    order = np.lexsort((given, shares))
    return curves(
        {"the model's probability": given[order], "share in the data": shares[order]},
        title=f"Are replies as likely as they are frequent? {len(found)} prompts with several",
        xlabel="replies, the rare ones first", ylabel="probability",
    )  # fmt: skip


def measured(model, talks, rng, draws=200):
    """The share of prompts answered as in the data, and how far draws are from its frequencies."""
    replies = counted(talks)
    prompts = list(replies)
    answers = model.replies([[prompt] for prompt in prompts])
    right = np.mean([reply in replies[prompt] for prompt, reply in zip(prompts, answers)])
    found = []
    for prompt in several(replies):
        drawn = Counter(model.reply([prompt], n=draws, temperature=1.0, rng=rng))
        texts = sorted(replies[prompt] | drawn)
        p, q = ([count[text] for text in texts] for count in (replies[prompt], drawn))
        found.append(metrics.total_variation(p, q))
    return right, np.mean(found), len(found)


def run(
    quick: Quick = False,
    plot: Plot = PICTURES,
    seeds: Seeds = 1,
    data: Data = None,
    language: Language = "english",
) -> None:
    """Small talk: a chatbot of 18 topics, held to the replies that it learned from."""
    level = LEVELS[language]
    topics = ("greetings", "conversations", "food") if quick else TOPICS
    texts = [read("chatterbot-corpus", FOLDER.format(language, topic), data) for topic in topics]
    found = [talk for text in texts for talk in conversations(text.decode(), level)]
    talks = [talk for talk in found if len(talk) > 1]
    words = Vocabulary.from_texts([turn for talk in talks for turn in talk], level=level)
    print(f"{len(talks)} conversations of {len(topics)} topics, {len(words)} {level}s")
    hidden, epochs = (96, 150) if quick else (192, EPOCHS)
    figures = []
    for seed in range(seeds):
        began = perf_counter()
        model, _ = train(talks, words, hidden=hidden, epochs=epochs, seed=seed)
        seconds = perf_counter() - began
        right, drawn, count = measured(model, talks, np.random.default_rng(seed))
        far = distances(model, counted(talks)).mean()
        figures.append((right, drawn, far))
        print(
            f"seed {seed}: {right:.3f} of the prompts are answered as in the data; draws are "
            f"{drawn:.3f} from its frequencies, the model's probabilities {far:.3f}, over {count} "
            f"prompts with several replies; {seconds:.1f} s"
        )
    right, drawn, far = (spread(column, 3) for column in zip(*figures))
    print(
        f"{plural(seeds, 'seed')}: {right} answered as in the data; from its frequencies, "
        f"draws {drawn}, probabilities {far}"
    )
    for turn in ASKED[language]:  # each begins a conversation: most of the data's have two turns
        print(f"  > {turn}\n  {model.reply([spelled(turn, level)], max_length=40)}")
    save(frequencies(model, counted(talks)), plot, "chatbot")
    model.save(plot / "chatbot.safetensors")
    how = "--plain " if level == "word" else ""
    print(f"talk with it: fastrnn reply {how}{plot / 'chatbot.safetensors'}")


if __name__ == "__main__":
    standalone(run)
