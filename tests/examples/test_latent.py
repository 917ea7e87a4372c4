"""Why: what the examples of codes and dialogues print rests on these parts."""

from pathlib import Path

import numpy as np
import pytest

import chatbot
import hred_memory
import vae_digits
import vhred_modes
from fastrnn import plot
from fastrnn.data import Vocabulary
from fastrnn.models import HRED
from toys.dialogues import ModeDialogues, slot_dialogues


def test_conversations_are_read_from_the_files_of_the_corpus() -> None:
    text = """categories:
- greetings
conversations:
- - Hello
  - Hi, you!
- - 'It''s me'
  - Good. But
    who is it?
  - "Me."
"""
    assert chatbot.conversations(text) == [
        ["hello", "hi , you !"],
        ["it's me", "good . but who is it ?", "me ."],
    ]


def test_japanese_conversations_go_by_characters(tmp_path: Path, capsys) -> None:
    text = "conversations:\n- - こんにちは\n  - はい, AI です！\n- - 飲みますか\n  - いいえ\n"
    text += "- - 飲みますか\n  - はい\n"
    talks = [["こんにちは", "はい,aiです！"], ["飲みますか", "いいえ"], ["飲みますか", "はい"]]
    assert chatbot.conversations(text, "character") == talks
    for topic in ("greetings", "conversations", "food"):
        path = tmp_path / chatbot.FOLDER.format("japanese", topic)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    chatbot.run(quick=True, data=tmp_path, language="japanese", plot=tmp_path)
    out = capsys.readouterr().out
    assert "9 conversations of 3 topics, 21 characters" in out
    assert "seed 0: 1.000 of the prompts are answered as in the data; draws are " in out
    assert "over 1 prompts with several replies" in out
    assert "  > こんにちは\n  はい,aiです！\n" in out


def test_the_chatbot_is_held_to_its_replies() -> None:
    talks = [
        ["hi", "hello"],
        ["hi", "hello"],
        ["hi", "good day"],
        ["hi", "good day"],
        ["bye", "so long"],
    ]
    words = Vocabulary.from_texts([turn for talk in talks for turn in talk], level="word")
    model, losses = chatbot.train(talks, words, hidden=16, epochs=400, seed=0)
    right, distance, several = chatbot.measured(model, talks, np.random.default_rng(0))
    assert (right, several) == (1.0, 1)
    assert distance < 0.2
    assert losses[-1] < losses[0]
    replies = chatbot.counted(talks)
    assert chatbot.several(replies) == ["hi"]
    assert chatbot.distances(model, replies) == pytest.approx([0], abs=0.1)
    assert chatbot.distances(chatbot.made(words, 16, 1), replies)[0] > 0.9


def test_neighbours_with_the_same_label() -> None:
    codes = np.array([[0.0, 0], [0, 1], [9, 9], [9, 8], [0, 2]])
    assert vae_digits.same_label(codes, np.array([0, 0, 1, 1, 1])) == 0.8


def test_answers_alone_are_to_be_said() -> None:
    (one,) = slot_dialogues(np.random.default_rng(0), 1, lag=2)
    words = Vocabulary.from_texts(one.turns, level="word")
    batch = hred_memory.answers_of([one.turns], words)
    np.testing.assert_array_equal(batch[3], np.arange(len(one.turns)) % 2 == 1)
    model = HRED("gru", words, 4, rng=np.random.default_rng(0))
    assert len(model.nats(batch)) == len(one.turns) // 2
    assert hred_memory.right(model, [one]) == hred_memory.right(model, [one], turns=1) == 0


def test_kinds_are_counted() -> None:
    source = ModeDialogues(np.random.default_rng(0), contexts=1, modes=3)

    class Says:
        def reply(self, history: list[str], **how: object) -> list[str]:
            assert history == [source.context(0)]
            return [one.reply for one in source.draw(np.random.default_rng(1), 200)] + ["open0"]

    modes, distance, replies = vhred_modes.measured(Says(), source, 0)
    assert modes == 3
    assert distance < 0.12
    assert len(replies) == 201


def test_pictures_show_what_they_are_given() -> None:
    figure = plot.image_grid(np.arange(12).reshape(3, 2, 2) / 12, columns=2)
    sheet = figure.axes[0].images[0].get_array()
    assert sheet.shape == (5, 5)
    np.testing.assert_allclose(sheet[3:, :2], np.array([[8, 9], [10, 11]]) / 12)
    assert (sheet[3:, 3:] == 0.5).all()
    z = np.random.default_rng(0).standard_normal((30, 5))
    figure = plot.latent_map(z, np.arange(30) % 3)
    points = [c.get_offsets() for c in figure.axes[0].collections]
    assert [len(p) for p in points] == [10, 10, 10]
    components = np.linalg.svd(z - z.mean(0))[1]
    spread = np.sqrt((np.concatenate(points) ** 2).sum(0))
    np.testing.assert_allclose(spread, components[:2])
    assert len(plot.latent_map(z[:, :1], np.zeros(30)).axes[0].collections) == 1
    for z, labels, message in (
        (np.zeros(3), [0] * 3, r"z must have shape \(N, Z\)"),
        (np.zeros((3, 2)), [0], r"labels must have shape \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            plot.latent_map(z, labels)
    for images, columns, message in (
        (np.zeros((3, 2)), 1, "images must have shape"),
        (np.zeros((3, 2, 2)), 0, "columns must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            plot.image_grid(images, columns=columns)
    with pytest.raises(TypeError, match="columns must be an integer"):
        plot.image_grid(np.zeros((3, 2, 2)), columns=1.5)  # type: ignore[arg-type]
