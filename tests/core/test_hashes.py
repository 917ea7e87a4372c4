"""Why: a core that is rewritten for speed or order must not change what it computes. Every cell and
option is held to hashes of earlier results (tests/hashes.py tells how they are made).
"""

import platform

import hashes
import pytest
from helpers.runners import forced_isa, isas_under_test

from fastrnn import _core

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason="the baseline of another processor rounds elsewhere",
)


@pytest.mark.every_isa
@pytest.mark.parametrize("name", isas_under_test())
def test_results_have_the_bits_of_earlier_ones(name: str, long: bool) -> None:
    expected = {line: found for line, found in hashes.read().items() if line.startswith(f"{name} ")}
    with forced_isa(name):
        found = dict(hashes.lines(_core, len(hashes.PLANS) if long else 1))
    assert found.keys() == expected.keys()
    assert len(found) == 2 * len(hashes.configs())
    wrong = [
        f"{line}, {shape}: {mine}, expected {wanted}"
        for line in found
        for shape, mine, wanted in zip(hashes.SHAPES, found[line], expected[line], strict=True)
        if mine != wanted
    ]
    assert not wrong, "\n".join([f"{len(wrong)} results have changed:", *wrong[:20]])
