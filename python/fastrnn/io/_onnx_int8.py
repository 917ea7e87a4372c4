"""The int8 matrices of ONNX Runtime's DynamicQuantizeLSTM, and ours."""

from typing import Any

import numpy as np

from fastrnn._checks import Array
from fastrnn._quantize import LARGEST, Int8Rows
from fastrnn.io._assemble import blocks
from fastrnn.io._onnx_cell import ROWS

OP, DOMAIN = "DynamicQuantizeLSTM", "com.microsoft"


def matrices(name: str, w: Any, scale: Any, zero_point: Any, D: int) -> list[Int8Rows]:
    """Return each direction's W or R (D, K, 4·H) as rows in the order of ours.

    A row of ours is a column of theirs, of value scale·(w − zero point). It is taken as it stands
    where these integers lie in -127..127; else the numbers are rounded anew, each by half of the
    row's new scale at most.

    Raises
    ------
    TypeError
        A tensor has another dtype than the operator's.
    ValueError
        It has another shape, or a scale is no positive number.
    """
    w = np.asarray(w)
    if w.dtype not in (np.int8, np.uint8):
        raise TypeError(f"{name} must be int8 or uint8, got {w.dtype}")
    if w.ndim != 3 or w.shape[0] != D or w.shape[2] % 4 or not w.shape[2]:
        raise ValueError(f"{name} must have shape (D, ·, 4·H) with D = {D}, got {w.shape}")
    columns = w.shape[2]
    if scale is None:
        raise ValueError(f"{name}_scale is missing")
    scales = _each_column(f"{name}_scale", scale, np.float32, D, columns)
    if not (np.isfinite(scales) & (scales >= 0)).all():
        raise ValueError(f"{name}_scale must be finite and not negative")
    zeros = np.zeros((D, columns), w.dtype)
    if zero_point is not None:
        zeros = _each_column(f"{name}_zero_point", zero_point, w.dtype, D, columns)
    values = w.astype(np.int16) - zeros[:, None].astype(np.int16)
    return [_rows(name, values[d].T, scales[d]) for d in range(D)]


def _rows(name: str, values: Array, scale: Array) -> Int8Rows:
    order = ROWS["LSTM"]
    values, scale = blocks(values, order), blocks(scale, order)
    if np.abs(values).max(initial=0) <= LARGEST:
        return Int8Rows(values.astype(np.int8), scale)
    return Int8Rows.of(name, values.astype(np.float32) * scale[:, None])


def _each_column(name: str, given: Any, dtype: Any, D: int, columns: int) -> Array:
    """Return (D, 4·H) of one number a direction, or one a column."""
    array = np.asarray(given)
    if array.dtype != dtype:
        raise TypeError(f"{name} must be {np.dtype(dtype)}, got {array.dtype}")
    if array.shape not in ((D,), (D, columns)):
        raise ValueError(f"{name} must have shape ({D},) or ({D}, {columns}), got {array.shape}")
    whole: Array = np.broadcast_to(array.reshape(D, -1), (D, columns))
    return whole


def written(rows: list[Int8Rows]) -> tuple[Array, Array, Array]:
    """Return W or R (D, K, 4·H), its scales and its zero points (D, 4·H) of rows of ours."""
    inverse = np.argsort(ROWS["LSTM"]).tolist()
    w = np.stack([blocks(each.values, inverse).T for each in rows])
    scale = np.stack([blocks(each.scale, inverse) for each in rows])
    return w, scale, np.zeros(scale.shape, np.int8)
