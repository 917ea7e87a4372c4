"""Why: what a fuzzer has found once must not come back, on machines without the fuzzer too."""

from pathlib import Path

import numpy as np
import pytest

for package in ("safetensors", "autograd", "onnx", "tokenizers", "threadpoolctl", "typer"):
    pytest.importorskip(package)

from fuzz import targets  # noqa: E402  it reads with all of them
from fuzz.draw import Draw  # noqa: E402
from fuzz.inside import spoil_one  # noqa: E402

KEPT = Path(__file__).parent / "corpus"


@pytest.mark.check(29)
@pytest.mark.parametrize("name", targets.MAKERS)
def test_kept_inputs_and_mutants_of_the_seeds(name: str, long: bool, tmp_path: Path) -> None:
    """Every kept input, and good ones with a few bytes changed, from a fixed seed."""
    target = targets.MAKERS[name](tmp_path)
    rng = np.random.default_rng(0)
    seeds = target.seeds()
    for data in [*seeds, *(path.read_bytes() for path in sorted((KEPT / name).glob("*")))]:
        targets.checked(target, data)
    for i in range(20_000 if long else 200):
        data = bytearray(seeds[i % len(seeds)])
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(256)
        targets.checked(target, bytes(data))


def test_objects_that_are_hard_to_make_are_reached() -> None:
    """Calls with them, right but for one argument, that the core refuses or takes."""
    rng, refused, taken = np.random.default_rng(0), set(), set()
    for _ in range(3000):
        found = spoil_one(Draw(rng.bytes(60)))
        if found is not None:
            (taken if found[1] is None else refused).add(found[0])
    hard = {"Step", "run", "PackedWeights", "rnn_backward", "optim_update", "word2vec_train"}
    hard |= {"DecoderWeights", "attention_decoder_forward", "attention_decoder_backward"}
    assert hard - refused == set()
    assert hard - taken == set()


def test_an_undocumented_error_and_a_slow_input_are_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = targets.MAKERS["vectors"](tmp_path)
    with monkeypatch.context() as patch:
        patch.setitem(
            targets.LOADERS, "word2vec text", targets.LOADERS["word2vec text"].__class__(
                "v.txt", print, lambda path: {}[path]
            ),
        )  # fmt: skip
        with pytest.raises(KeyError):
            targets.checked(target, b"\0")
    monkeypatch.setattr(targets, "SECONDS", -1.0)
    with pytest.raises(AssertionError, match="took"):
        targets.checked(target, b"\0")
