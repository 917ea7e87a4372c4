"""Why: the kernel that teaches word vectors has no tape to check; its step is held against the twin
and against PyTorch, every instruction set, with repeated rows and sizes that fill no vector.
"""

from typing import Any

import numpy as np
import pytest

from fastrnn import _core, reference
from fastrnn.models.word2vec._run import padded_rows

SIZES = [(1, 1, 1), (3, 5, 2), (16, 8, 6), (17, 9, 7), (100, 10, 6), (33, 1, 16), (20, 7, 25)]


def tables(V: int, *, sg: bool, mean: bool = True, negative: int = 30) -> "_core.Word2VecTables":
    counts = np.arange(V, 0, -1, dtype=np.int64)
    return _core.Word2VecTables(counts, sg, False, mean, True, 8, negative, 0.75, 0.0)


def problem(E: int, rng: np.random.Generator, V: int = 40):  # type: ignore[no-untyped-def]
    matrices = []
    for _ in range(2):
        rows = padded_rows(V, E)
        rows[:, :E] = rng.normal(size=(V, E)) / np.sqrt(E)
        matrices.append(rows)
    return matrices


@pytest.mark.parametrize("combine", ["each", "mean", "sum"])
@pytest.mark.parametrize(("E", "m", "n"), SIZES)
def test_step_equals_the_twin(isa: str, E: int, m: int, n: int, combine: Any) -> None:
    rng = np.random.default_rng([E, m, n])
    vectors, outputs = problem(E, rng)
    inputs, targets = (rng.integers(0, 40, k).astype(np.int32) for k in (m, n))
    inputs[-1] = inputs[0]  # a word twice: both changes must arrive
    targets[-1] = targets[0]
    wanted = bytes([1, *rng.integers(0, 2, n - 1).tolist()])
    twin = reference.word2vec_step(
        vectors[:, :E].astype(np.float64), outputs[:, :E].astype(np.float64), inputs, targets,
        list(wanted), 0.1, combine=combine,
    )  # fmt: skip
    loss = _core.word2vec_block(
        tables(40, sg=combine == "each", mean=combine == "mean"), vectors, outputs, inputs, targets,
        wanted, 0.1,
    )  # fmt: skip
    assert loss == pytest.approx(twin[0], rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(vectors[:, :E], twin[1], atol=1e-6)
    np.testing.assert_allclose(outputs[:, :E], twin[2], atol=1e-6)
    assert not vectors[:, E:].any()
    assert not outputs[:, E:].any()


@pytest.mark.parametrize(("E", "m"), [(3, 5), (100, 2)])
@pytest.mark.parametrize("combine", ["each", "mean"])
def test_softmax_step_equals_the_twin(isa: str, E: int, m: int, combine: Any) -> None:
    rng = np.random.default_rng(E)
    vectors, outputs = problem(E, rng)
    inputs = rng.integers(0, 40, m).astype(np.int32)
    wanted = bytes(int(j == 11) for j in range(40))
    twin = reference.word2vec_step(
        vectors[:, :E].astype(np.float64), outputs[:, :E].astype(np.float64), inputs, range(40),
        list(wanted), 0.1, combine=combine, softmax=True,
    )  # fmt: skip
    loss = _core.word2vec_block(
        tables(40, sg=combine == "each", negative=0), vectors, outputs, inputs,
        np.arange(40, dtype=np.int32), wanted, 0.1,
    )  # fmt: skip
    assert loss == pytest.approx(twin[0], rel=1e-6)
    np.testing.assert_allclose(vectors[:, :E], twin[1], atol=1e-6)
    np.testing.assert_allclose(outputs[:, :E], twin[2], atol=1e-6)


def test_twin_follows_the_gradient_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="torch is missing")
    rng = np.random.default_rng(5)
    vectors, outputs = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    inputs, targets, wanted = [1, 1, 3], [2, 4, 4, 0], [1, 0, 0, 0]
    for combine in ("each", "mean", "sum"):
        x, o = torch.tensor(vectors, requires_grad=True), torch.tensor(outputs, requires_grad=True)
        rows = x[inputs] if combine == "each" else getattr(x[inputs], combine)(0, keepdim=True)
        products = rows @ o[targets].T
        labels = torch.tensor(wanted, dtype=torch.float64).expand_as(products)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            products, labels, reduction="sum"
        )
        loss.backward()
        twin = reference.word2vec_step(
            vectors, outputs, inputs, targets, wanted, 1.0, combine=combine
        )
        factor = {"each": 1.0, "mean": len(inputs), "sum": 1 / len(inputs)}[combine]
        assert twin[0] == pytest.approx(float(loss.detach()), rel=1e-12)
        np.testing.assert_allclose(twin[1] - vectors, -factor * x.grad.numpy(), atol=1e-12)
        np.testing.assert_allclose(twin[2] - outputs, -o.grad.numpy(), atol=1e-12)


def test_huge_products_leave_loss_and_rows_finite(isa: str) -> None:
    """Far beyond where e^x overflows a float, the loss is still the product itself."""
    vectors, outputs = (padded_rows(40, 16) for _ in range(2))
    vectors[:] = outputs[:] = 2.0  # products of 64
    ids = np.arange(16, dtype=np.int32)
    loss = _core.word2vec_block(
        tables(40, sg=True), vectors, outputs, ids, ids, bytes(16), 1e-3
    )  # fmt: skip
    assert loss == pytest.approx(16 * 16 * 64.0, rel=1e-6)
    assert np.isfinite(vectors).all()
