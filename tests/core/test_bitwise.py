"""Why: "more or less equal" hides races and misplaced rows. A row's result may not depend on the
number of threads, on the split, on the chunk, on its neighbours, on its place, on padding, or on
whether a tape is kept: to the bit.
"""

import dataclasses

import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, draw, random_case
from helpers.compare import assert_identical, row_results
from helpers.runners import (
    core_backward,
    core_forward,
    forced_isa,
    forced_plan,
    isas_under_test,
    run_core,
    run_functions,
)
from helpers.tolerances import GRADIENT, assert_close

import fastrnn
from fastrnn import _core

SHAPES = [
    {"T": 7, "N": 5, "I": 9, "H": 17},
    {"T": 3, "N": 19, "I": 33, "H": 8, "lengths": "ragged"},
    {"T": 19, "N": 2, "I": 1, "H": 65, "reverse": True, "batch_first": True},
    {"T": 12, "N": 13, "I": 7, "H": 64, "lengths": "ragged", "reverse": True},
]


@pytest.fixture(params=SHAPES, ids=lambda s: "T{T}N{N}I{I}H{H}".format(**s))
def shape(request: pytest.FixtureRequest) -> dict:
    return request.param


@pytest.mark.check(6)
@pytest.mark.parametrize("cell", CELLS)
def test_number_of_threads(cell: str, shape: dict, isa: str, dtype: np.dtype) -> None:
    problem = draw(Case(cell, **shape)).astype(dtype)
    one = run_core(problem)
    for split in (None, "rows", "units"):
        for threads in (2, 3, 8):
            several = run_core(problem, threads=threads, split=split)
            assert_identical(several, one, f"{isa} {threads} threads, {split}")


@pytest.mark.check(6, quick=3, full=17)
@pytest.mark.parametrize("cell", CELLS)
def test_number_of_threads_on_random_shapes(cell: str, seeds: list[int], long: bool) -> None:
    for seed in seeds:
        problem = draw(random_case(cell, seed)).astype(np.float32)
        one = run_core(problem)
        for threads in (2, 3, 4, 7, 8, 16) if long else (2, 3, 8):
            for split in ("rows", "units"):
                several = run_core(problem, threads=threads, split=split)
                assert_identical(several, one, f"{problem.case} {threads} threads, {split}")


@pytest.mark.parametrize("cell", CELLS)
def test_length_of_chunks(cell: str, shape: dict, isa: str, dtype: np.dtype) -> None:
    """Chunks are for speed alone: sums over rows run through them in one chain."""
    problem = draw(Case(cell, **shape)).astype(dtype)
    automatic = run_core(problem)
    for chunk in (1, 2, 3, 5, 100):
        assert_identical(run_core(problem, chunk=chunk), automatic, f"{isa} {chunk} steps")
        for split in ("rows", "units"):
            forced = run_core(problem, threads=2, split=split, chunk=chunk)
            assert_identical(forced, automatic, f"{isa} {chunk} steps, {split}")


@pytest.mark.check(7)
@pytest.mark.parametrize("split", ["rows", "units"])
@pytest.mark.parametrize("lengths", ["none", "ragged"])
@pytest.mark.parametrize("cell", CELLS)
def test_row_alone_in_a_batch_and_elsewhere(
    cell: str, lengths: str, split: str, isa: str, dtype: np.dtype
) -> None:
    """pytorch#32023. N = 19 has every tile height and every row tail."""
    problem = draw(Case(cell, T=4, N=19, I=9, H=33, lengths=lengths)).astype(dtype)
    batch = row_results(run_core(problem, threads=2, split=split))
    order = np.random.default_rng(3).permutation(19)
    shuffled = row_results(run_core(problem.rows(order)))
    assert_identical(shuffled, {k: v[order] for k, v in batch.items()}, f"{isa} permuted")
    for size in range(1, 19):
        part = row_results(run_core(problem.rows(slice(0, size))))
        assert_identical(part, {k: v[:size] for k, v in batch.items()}, f"{isa} first {size}")
    for row in range(19):
        alone = row_results(run_core(problem.rows(slice(row, row + 1))))
        assert_identical(alone, {k: v[row : row + 1] for k, v in batch.items()}, f"{isa} {row}")


@pytest.mark.check(7)
@pytest.mark.parametrize("H", [1, 8, 15, 17, 33, 64, 100, 131, 530])
@pytest.mark.parametrize(
    ("family", "peephole"),
    [("rnn", None), ("gru", None), ("lstm", None), ("lstm", "diagonal"), ("lstm", "full")],
)
def test_one_row_of_one_step(
    family: str, peephole: str | None, H: int, isa: str, dtype: np.dtype
) -> None:
    """It multiplies weights as they lie, panels side by side; a batch packs them."""
    rng, G, N = np.random.default_rng(H), {"rnn": 1, "gru": 3, "lstm": 4}[family], 6

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    step = getattr(fastrnn, f"{family}_cell")
    for I, reset_after in ((1, True), (H, False), (47, True)):
        x, h, c = normal(N, I), normal(N, H), normal(N, H)
        options: dict = {"reset_after": reset_after} if family == "gru" else {}
        if peephole is not None:
            options["w_peephole"] = normal(3, H) if peephole == "diagonal" else normal(3 * H, H)
        wide, biases = (normal(2 * G * H, I), normal(G * H, 2 * H)), (normal(G * H), normal(G * H))
        state = (h, c) if family == "lstm" else h
        for w_ih, w_hh in (
            (wide[0][: G * H], np.ascontiguousarray(wide[1][:, :H])),
            (wide[0][::2], wide[1][:, :H]),  # rows apart
            (np.asfortranarray(wide[0][1::2]), wide[1][:, ::2]),  # columns apart
        ):
            batch = np.asarray(step(x, state, w_ih, w_hh, *biases, **options))
            for row in range(N):
                one = slice(row, row + 1)
                before = (h[one], c[one]) if family == "lstm" else h[one]
                for split, threads in ((None, 1), ("units", 1 + row % 3)):
                    with forced_plan(split, 0):
                        alone = step(
                            x[one], before, w_ih, w_hh, *biases, num_threads=threads, **options
                        )
                    what = f"{isa} I={I} row {row} {split} {threads}"
                    np.testing.assert_array_equal(np.asarray(alone), batch[..., one, :], what)


@pytest.mark.every_isa
@pytest.mark.check(7, quick=9, full=42)
@pytest.mark.parametrize("cell", CELLS)
def test_any_rows_in_any_order(cell: str, seeds: list[int]) -> None:
    """Some rows of a batch in another order, by another plan, have the bits of the whole batch."""
    isas = isas_under_test()
    for seed in seeds:
        problem, rng = draw(random_case(cell, seed)), np.random.default_rng([7, seed])
        problem = problem.astype(np.float32 if seed % 2 else np.float64)
        rows = rng.permutation(problem.case.N)[: rng.integers(problem.case.N + 1)]
        with forced_isa(isas[seed % len(isas)]):
            batch = row_results(run_core(problem))
            plan = {"threads": 1 + seed % 3, "split": (None, "rows", "units")[seed % 3]}
            some = row_results(run_core(problem.rows(rows), **plan, chunk=seed % 4))
        assert_identical(some, {k: v[rows] for k, v in batch.items()}, f"{problem.case} {rows}")


@pytest.mark.check(7)
@pytest.mark.parametrize(("cell", "H"), [("lstm", 520), ("gru_after", 690), ("rnn_tanh", 2056)])
def test_long_sums_that_many_rows_take_in_parts(cell: str, H: int, isa: str) -> None:
    """Sums over more than 2048 are cut for 7 rows or more, so that weights are used while near."""
    problem = draw(Case(cell, T=1, N=9, I=5, H=H)).astype(np.float32)
    batch = row_results(run_core(problem))
    for rows in (slice(0, 4), slice(6, 9)):
        few = row_results(run_core(problem.rows(rows)))
        assert_identical(few, {k: v[rows] for k, v in batch.items()}, f"{isa} {rows}")


@pytest.mark.check(7)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("cell", CELLS)
def test_ragged_row_equals_the_row_cut_to_its_length(cell: str, reverse: bool, isa: str) -> None:
    case = Case(cell, T=9, N=6, I=5, H=17, lengths="ragged", reverse=reverse)
    problem = draw(case).astype(np.float32)
    batch = row_results(run_core(problem))
    for row, length in enumerate(problem.row_lengths()):
        one = problem.rows(slice(row, row + 1))
        cut = dataclasses.replace(one.case, T=int(length))
        whole = one.replace(x=one.x[:length], dy=one.dy[:length], lengths=None, case=cut)
        alone = row_results(run_core(whole))
        for name, array in alone.items():
            of_batch = batch[name][row : row + 1]
            if name in ("y", "dx"):
                assert not of_batch[:, length:].any(), f"{isa} {name} in the padding"
                of_batch = of_batch[:, :length]
            assert_identical({name: of_batch}, {name: array}, f"{isa} row {row}")


@pytest.mark.parametrize("cell", CELLS)
def test_weight_gradients_of_halves_add_up(cell: str, isa: str) -> None:
    """The weights' gradients sum over rows, so across batches they agree to rounding only."""
    problem = draw(Case(cell, T=6, N=11, I=9, H=17, lengths="ragged"))
    whole = run_core(problem)
    halves = [run_core(problem.rows(part)) for part in (slice(0, 4), slice(4, None))]
    for name in ("dw_ih", "dw_hh", "db_ih", "db_hh", "dw_peephole"):
        if name in whole:
            total = halves[0][name] + halves[1][name]
            assert_close(f"{isa} {name}", total, whole[name], GRADIENT[np.dtype(np.float64)])


@pytest.mark.check(13)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_is_never_read(cell: str, reverse: bool, isa: str, dtype: np.dtype) -> None:
    case = Case(cell, T=6, N=7, I=9, H=17, lengths="ragged", reverse=reverse)
    results = []
    for padding in (0.0, np.nan, np.inf):
        problem = draw(case).astype(dtype)
        outside = ~problem.exists()
        changes = {name: getattr(problem, name).copy() for name in ("x", "dy")}
        for array in changes.values():
            array[outside] = padding
        problem = problem.replace(**changes)
        for threads, split in ((1, "rows"), (2, "rows"), (2, "units")):
            results.append(run_core(problem, threads=threads, split=split, chunk=2))
    for other in results[1:]:
        assert_identical(other, results[0], isa)
    assert np.isfinite(results[0]["y"]).all()
    assert not results[0]["y"][outside].any()
    assert not results[0]["dx"][outside].any()


@pytest.mark.parametrize("cell", CELLS)
def test_tape_changes_no_result(cell: str, shape: dict, isa: str, dtype: np.dtype) -> None:
    problem = draw(Case(cell, **shape)).astype(dtype)
    kept = run_core(problem)
    for plan in (("rows", 0), ("units", 1), ("rows", 2)):
        with forced_plan(*plan):
            bare = core_forward(problem, threads=2)
        assert_identical(bare, kept, f"{isa} {plan}", names=bare)


@pytest.mark.parametrize("cell", CELLS)
def test_packed_weights_change_no_result(cell: str, shape: dict, isa: str, dtype: np.dtype) -> None:
    problem = draw(Case(cell, **shape)).astype(dtype)
    weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh, problem.w_peephole)
    packed = _core.PackedWeights(getattr(_core.Cell, cell), *weights)
    assert packed.isa == isa
    assert packed.nbytes >= problem.w_hh.nbytes
    plain = core_forward(problem)
    for threads in (1, 2):
        assert_identical(core_forward(problem, packed=packed, threads=threads), plain, isa)


@pytest.mark.parametrize("cell", CELLS)
def test_every_subset_of_gradients_is_the_same(cell: str, isa: str) -> None:
    """A gradient that is not asked for may not change the others."""
    problem = draw(Case(cell, T=5, N=4, I=9, H=17, lengths="ragged")).astype(np.float32)
    everything = run_core(problem)
    gradients = [name for name in everything if name.startswith("d")]
    for wanted in [*({name} for name in gradients), {"dx", "dw_hh"}, {"dw_ih", "db_hh"}, set()]:
        tape = _core.Tape()
        core_forward(problem, tape=tape)
        found = core_backward(problem, tape, wanted=wanted)
        assert set(found) == wanted
        assert_identical(found, everything, f"{isa} {wanted}", names=wanted)


@pytest.mark.check(3, 6)
@pytest.mark.parametrize("cell", CELLS)
def test_repeated_calls_and_the_public_functions(cell: str, shape: dict, isa: str) -> None:
    problem: Problem = draw(Case(cell, **shape)).astype(np.float32)
    first = run_core(problem)
    assert_identical(run_core(problem), first, isa)
    for threads in (None, 1, 2):
        assert_identical(run_functions(problem, fastrnn, num_threads=threads), first, isa)
