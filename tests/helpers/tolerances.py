"""Every tolerance of the tests, each with the reason for its size; nothing else may state one.

Relative errors are element-wise, |actual - expected| / max(|expected|, rms(expected)) over one
tensor, so that an element that happens to be near zero is judged by the size of its tensor.
`eps` is 2^-23 for float32 and 2^-52 for float64; K is the length of the longest sum (I, H, T*N).
"""

import numpy as np

# Core against the float64 twin. A gate sums K <= 70 + 70 terms of size <= 1, a rounding each, and a
# chain of T <= 40 steps whose cells contract adds few more: about 100 eps in the worst element,
# 2e-14 in float64 and 1e-5 in float32. Float64 is given 50x that, since both sides round.
FORWARD = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}

# Gradients sum T*N <= 800 products of numbers that carry the forward error already, and cancel:
# five times the forward bound in float32, ten times in float64.
GRADIENT = {np.dtype(np.float32): 5e-5, np.dtype(np.float64): 1e-11}

# Operations of fastrnn.ops and their gradients: sums of K <= 600 products of size 1 err by
# sqrt(K) eps at random, K eps at worst (7e-5, 1e-13); float64 has the twin's own rounding beside.
OPERATION = {np.dtype(np.float32): 7e-5, np.dtype(np.float64): 1e-12}

# PyTorch in float64 orders its sums differently and has its own exp and tanh (1 ULP each):
# the float64 bound with one more decimal digit for the second independent rounding.
TORCH = 1e-10

# Keras in float32, on a backend with its own exp and tanh, and its own order of sums.
KERAS = {"rtol": 1e-5, "atol": 1e-5}

# ONNX's own figure for its node cases, in float32; runtimes differ in exp, tanh and order of sums.
ONNX = {"rtol": 1e-5, "atol": 1e-5}

# Whole modules beside PyTorch's; in float32 both round, some 20 steps and 3 layers deep, and a
# difference relative to the largest entry of 100 eps is left for it.
TORCH_MODULES = {"float64": 1e-10, "float32": 2e-5}

# Five updates of an element: each rounds a dozen times, roots and quotients within half an ULP, and
# a mean forgets only slowly: 40 eps in the worst element of a tensor.
UPDATE = {np.dtype(t): 40 * float(np.finfo(t).eps) for t in (np.float32, np.float64)}

# Central differences of step h = 1e-6 have a truncation error of h^2 f''' / 6 (1e-12) and a
# cancellation error of eps |f| / h (2e-10 |f|, |f| <= 100): 1e-7 absolute covers both.
DIFFERENCE_STEP = 1e-6
DIFFERENCE_ABSOLUTE = 1e-7
DIFFERENCE_RELATIVE = 1e-5

# A linear chain of 2,000 steps at spectral radius 0.99 multiplies one rounding by at most
# 1 / (1 - 0.99) = 100: 100 * K * eps with K = 8 is 1e-4 in float32; float64 is asked for more.
CHAIN = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-11}

# exp, sigmoid and tanh: 3 roundings beside the polynomial; kernels are designed for 2.5 to 3.2.
ACTIVATION_ULP = 4.0

# Two instruction sets differ by the order of no sum, only by fused against separate roundings and
# by lane-wise exp: twice the distance of each to the twin.
ISA = {dtype: 2 * bound for dtype, bound in FORWARD.items()}
ISA_GRADIENT = {dtype: 2 * bound for dtype, bound in GRADIENT.items()}

# Many layers multiply their errors through each other's weights: one factor per layer, L = 3.
LAYERS_FACTOR = 3.0

# Share of exact zeros from which an output counts as not tested.
MISTRUSTED_ZEROS = 0.30

# A relu pre-activation this close to zero may fall on the other side of the kink in float32
# (K eps max|a| max|b| is 1e-5 for K = 140); such a case is drawn again.
KINK = 1e-5

# Ctrl-C: polled every 50 ms, plus one time step.
INTERRUPT_SECONDS = 0.3

# `import fastrnn` beyond numpy's own import, in processor time, which others hardly change.
IMPORT_SECONDS = 0.1

# Resident memory after 2,000 calls: one leaked 64-byte object a call would be 128 kB, one leaked
# workspace 20 MB; 2 MB leaves room for the allocator's own growth.
LEAK_BYTES = 2 * 1024 * 1024


def relative_error(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Element-wise |actual - expected| / max(|expected|, rms(expected)); NaN counts as infinite.

    A zero is exact where the expected number is subnormal in the precision of `actual`: kernels
    flush those, and a gradient that vanishes over many steps gets there in float32.
    """
    tiny = np.finfo(actual.dtype).tiny
    expected = np.asarray(expected, dtype=np.float64)
    difference = np.abs(np.asarray(actual, dtype=np.float64) - expected)
    rms = np.sqrt(np.mean(expected**2)) if expected.size else 0.0
    scale = np.maximum(np.abs(expected), rms)
    error = np.divide(difference, scale, out=np.zeros_like(difference), where=scale > 0)
    error[(scale == 0) & (difference != 0)] = np.inf
    error[np.isnan(error)] = np.inf
    return np.where((actual == 0) & (np.abs(expected) < tiny), 0.0, error)


def worst(actual: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative error; 0 for an empty tensor."""
    error = relative_error(actual, expected)
    return float(error.max()) if error.size else 0.0


def assert_close(name: str, actual: np.ndarray, expected: np.ndarray, bound: float) -> None:
    """Fail with worst index, both values, the bound and the norms."""
    assert actual.shape == expected.shape, f"{name}: shape {actual.shape}, not {expected.shape}"
    error = relative_error(actual, expected)
    if not error.size or error.max() <= bound:
        return
    index = np.unravel_index(int(error.argmax()), error.shape)
    place = tuple(int(i) for i in index)
    raise AssertionError(
        f"{name}{list(place)}: got {actual[index]!r}, expected {expected[index]!r}, relative error "
        f"{error[index]:.3g} > {bound:.3g}; norms {np.linalg.norm(actual):.6g} and "
        f"{np.linalg.norm(expected):.6g}; {int((error > bound).sum())} of {error.size} elements off"
    )


def assert_same_bits(name: str, actual: np.ndarray, expected: np.ndarray) -> None:
    """Fail unless shape, dtype and every bit agree (so +0 differs from -0, and NaN equals NaN)."""
    assert actual.dtype == expected.dtype, f"{name}: {actual.dtype}, not {expected.dtype}"
    assert actual.shape == expected.shape, f"{name}: shape {actual.shape}, not {expected.shape}"
    unsigned = np.dtype(f"u{actual.dtype.itemsize}")
    left, right = (np.ascontiguousarray(a).view(unsigned) for a in (actual, expected))
    differ = left != right
    if not differ.any():
        return
    index = tuple(int(i) for i in np.argwhere(differ)[0])
    raise AssertionError(
        f"{name}{list(index)}: got {actual[index]!r}, expected the bits of {expected[index]!r}; "
        f"{int(differ.sum())} of {differ.size} elements differ"
    )


# Twenty updates of many ranks beside those of one: gradients are sums in another order, which the
# first steps of Adam make larger where a gradient is near zero. Relative to the rms of a tensor.
RANKS = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-10}

# Answers of a golden file by another build, on any instruction set, some after updates by Adam,
# which makes rounding larger where a gradient is near zero. A weight in a wrong place changes the
# first digit.
GOLDEN = {"float32": 1e-4, "float64": 1e-7}
