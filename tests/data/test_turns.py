"""Why: what people type must become the words that a model learned, in whatever script."""

import pytest

from fastrnn.data import plain_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello!  It's me, Ann-Marie.", "hello ! it's me , ann-marie ."),
        ("हिन्दी भाषा।", "हिन्दी भाषा ।"),  # its vowels are marks beside their letters
        ("Cafe\u0301?", "cafe\u0301 ?"),  # an accent that is a character of its own
        (" \t", ""),
    ],
)
def test_signs_stand_apart_and_words_stay_whole(text: str, words: str) -> None:
    assert plain_words(text) == words
    assert plain_words(words) == words


@pytest.mark.parametrize("text", [b"hello", None, ["hello"]])
def test_what_is_no_text_is_named(text: object) -> None:
    with pytest.raises(TypeError, match="text must be a str, got "):
        plain_words(text)  # type: ignore[arg-type]
