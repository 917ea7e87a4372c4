"""Why: with 2^32 inputs there is no reason to sample. Every float32, every instruction set."""

import numpy as np
import pytest
from helpers.activations import NAMES, Judge, apply, truth
from helpers.runners import forced_isa, isas_under_test
from helpers.tolerances import ACTIVATION_ULP

CHUNK = 2**22


@pytest.mark.check(4)
@pytest.mark.parametrize("name", NAMES)
def test_every_float32(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    worst = dict.fromkeys(isas_under_test(), (0.0, 0.0))
    for start in range(0, 2**32, CHUNK):
        x = np.arange(start, start + CHUNK, dtype=np.int64).astype(np.uint32).view(np.float32)
        judge = Judge(truth(name, x), x.dtype)
        for isa in worst:
            with forced_isa(isa):
                y = apply(name, x)
            error = judge.errors(y)
            index = int(error.argmax())
            worst[isa] = max(worst[isa], (float(error[index]), float(x[index])))
            known = y[~np.isnan(x)]
            assert (known >= (-1 if name == "tanh" else 0)).all(), f"{isa} below its range"
            assert name == "exp" or (known <= 1).all(), f"{isa} above its range"
    with capsys.disabled():
        for isa, (error, where) in worst.items():
            print(f"\n{name} on {isa}: worst error {error:.3f} ULP at {where!r}", end="")
    assert all(error <= ACTIVATION_ULP for error, _ in worst.values()), worst


@pytest.mark.check(4)
def test_tanh_is_odd_everywhere() -> None:
    for isa in isas_under_test():
        with forced_isa(isa):
            for start in range(0, 0x7F800001, CHUNK):
                x = np.arange(start, start + CHUNK, dtype=np.int64).astype(np.uint32)
                x = x.view(np.float32)
                x = x[~np.isnan(x)]
                positive, negative = apply("tanh", x), apply("tanh", -x)
                same = (-positive).view(np.uint32) == negative.view(np.uint32)
                assert same.all(), f"{isa} at {x[~same][0]!r}"
