"""The demo's text and the figures it is compared with: cut, coding, bits of bz2 and xz."""

import bz2
import lzma
import shutil
import subprocess
import sys

import pytest

from fastrnn.cli.commands import demo


def test_topics_are_sorted_and_joined_by_newlines() -> None:
    from pydoc_data.topics import topics

    text = demo.python_topics()
    assert len(text) == sum(map(len, topics.values())) + len(topics) - 1
    position = 0
    for name in sorted(topics):
        assert text.startswith(topics[name], position)
        position += len(topics[name]) + 1


def test_missing_topics_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ImportError, match=r"lacks pydoc_data\.topics"):
        demo.python_topics()


def test_the_last_tenth_is_held_out_and_nothing_is_lost() -> None:
    text = "".join(chr(ord("a") + i * i % 23) for i in range(105))
    first, rest = demo.cut(text)
    assert (len(first), len(rest)) == (94, 11)
    assert first + rest == text


def test_compressed_bits_count_characters_not_bytes() -> None:
    text = "é" * 999 + "abc"  # two bytes a character but for three
    bits = demo.compressed_bits(text)
    data = text.encode("utf-8")
    assert bits["bz2 -9"] == 8 * len(bz2.compress(data, compresslevel=9)) / 1002
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    assert bits["xz -9e"] == 8 * len(lzma.compress(data, filters=filters)) / 1002


@pytest.mark.parametrize("name", ["bz2 -9", "xz -9e"])
def test_compressed_bits_are_what_the_commands_need(name: str) -> None:
    program, option = ("bzip2", "-9") if name.startswith("bz2") else ("xz", "-9e")
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    text = demo.cut(demo.python_topics())[1]
    done = subprocess.run(
        [program, option, "--stdout"], input=text.encode(), capture_output=True, check=True
    )
    # The xz command adds a checksum of another size than Python does: a few bytes of 11,000.
    assert demo.compressed_bits(text)[name] == pytest.approx(
        8 * len(done.stdout) / len(text), rel=1e-3
    )


def test_the_figures_of_python_311() -> None:
    text = demo.python_topics()
    if len(text) != 465_048:
        pytest.skip("another Python, another text")
    held_out = demo.cut(text)[1]
    assert (len(set(text)), len(held_out)) == (103, 46_505)
    bits = demo.compressed_bits(held_out)
    assert bits == pytest.approx({"bz2 -9": 2.0046, "xz -9e": 2.0079}, abs=1e-3)
