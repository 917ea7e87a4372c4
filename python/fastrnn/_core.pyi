"""The strict layer: exact dtypes, no conversions, no copies. Roles of arrays stand in their names.

Sizes: T steps, N batch, I input, H hidden, G gates (RNN 1, GRU 3, LSTM 4). All floating arrays of
one call have one dtype, float32 or float64, native byte order, aligned; the last axis of everything
but weights and biases is contiguous (stride of one element). Outputs are written in place.
"""

import enum
from typing import Any, Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[Any]

def fits(
    value: object, shape: tuple[int | None, ...], dtype: np.dtype[Any], /
) -> TypeGuard[_Array]:
    """Whether value is a plain, aligned array of this shape and dtype with unit stride along its
    last axis. Where the shape has None any length is right."""

def same_items(a: object, b: dict[str, Any], /) -> bool:
    """Whether a is a dict, too, and both have the same objects under the same names in the same
    order."""

class Cell(enum.Enum):
    __pybind11_native_enum__: object  # pybind11's own record
    rnn_tanh = ...
    rnn_relu = ...
    rnn_sigmoid = ...
    rnn_linear = ...
    lstm = ...
    lstm_peephole = ...
    gru_after = ...
    gru_before = ...
    rnn_general = ...
    lstm_general = ...
    gru_after_general = ...
    gru_before_general = ...

class Tape:
    """What forward leaves for one backward; holds references to x, y, the weights, h0 and c0."""

    def __init__(self) -> None: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def spent(self) -> bool: ...
    def gates(self, out: _Array) -> None:
        """Copy the activated gates, in the caller's gate order, to out (T, N, G, H); 0 in padding."""
    def c(self, out: _Array) -> None:
        """Copy the cell states to out (T, N, H), LSTM only; 0 in padding."""

class PackedWeights:
    """Weights of one layer and direction in the order the kernels read, for the active ISA."""

    def __init__(
        self,
        cell: Cell,
        w_ih: _Array | None,  # (G*H, I)
        w_hh: _Array,  # (G*H, H)
        b_ih: _Array | None,  # (G*H,)
        b_hh: _Array | None,  # (G*H,)
        # (3, H), lstm_peephole; lstm_general with or without, or (3*H, H)
        w_peephole: _Array | None,
        w_hr: _Array | None = None,  # (P, H), lstm_general
        w_norm: _Array | None = None,  # (2*G, H), lstm_general (2*G + 2, H); general cells
        # One for each row: matrices are int8 then, everything else float32; they stand for the
        # scale times the whole number. No w_norm and no h_mask; of plain cells those whose h stays
        # within -1 .. 1
        scale_ih: _Array | None = None,
        scale_hh: _Array | None = None,
        scale_peephole: _Array | None = None,  # (3*H,)
        scale_hr: _Array | None = None,
        bfloat16: bool = False,  # float32 w_ih and w_hh are rounded to it, and what they multiply
    ) -> None: ...
    @property
    def precision(self) -> str: ...  # float32, float64, int8 or bfloat16
    @property
    def nbytes(self) -> int: ...
    @property
    def isa(self) -> str: ...

class PackedMatrix:
    """A matrix of fewer bits than float32 in the order the kernels read, for the active ISA."""

    def __init__(
        self,
        w: _Array,  # (O, I): int8, or float32, which is rounded to bfloat16
        scale: _Array | None = None,  # (O,), with int8 alone: a row is its scale times the numbers
    ) -> None: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def isa(self) -> str: ...

class Choices:
    """What a general cell is told: f of an RNN, f and g of a GRU, f, g, h and gates of an LSTM."""

    def __init__(
        self,
        activations: tuple[str | tuple[str, float, float], ...],  # names, with alpha and beta
        gates: str = "ifo",
        input_forget: bool = False,
        **numbers: float,  # those of types.h, which are off where they are left out
    ) -> None: ...

class Step:
    """One time step of a stack of layers, prepared: run reads h0 and c0, writes h_n and c_n.

    The next run goes back: it reads h_n and c_n, writes h0 and c0.
    """

    @property
    def odd(self) -> bool: ...  # whether the next run goes back
    def swap(self) -> None: ...  # let it go the other way

    def __init__(
        self,
        # cell, packed, h0 (N, P), c0, h_n, c_n, y (1, N, P), None for the last layer; after them may
        # follow what a general cell takes: choices, h_keep, c_keep
        layers: list[tuple[Any, ...]],
    ) -> None: ...
    def run(
        self,
        x_t: object,  # (N, I), or (I,) of one row
        y_t: object,  # out (N, H), or (H,); None: a fresh one
        num_threads: int,  # 0: the process-wide setting
        /,
    ) -> _Array | None: ...  # y_t; None: they are no plain arrays like that, nothing has happened

def rnn_forward(
    cell: Cell,
    x: _Array,  # (T, N, I), or (T, N, G*H) when w_ih is None; with ids (1, V, G*H)
    w_ih: _Array | None,  # (G*H, I)
    w_hh: _Array | None,  # (G*H, H); None exactly when packed is given
    b_ih: _Array | None,  # (G*H,)
    b_hh: _Array | None,  # (G*H,)
    w_peephole: _Array | None,  # (3, H); lstm_general also (3*H, H)
    h0: _Array | None,  # (N, H)
    c0: _Array | None,  # (N, H)
    lengths: NDArray[np.int64] | None,  # (N,), values 0..T
    y: _Array | Literal[True],  # out (T, N, H); True: a fresh one
    h_n: _Array | Literal[True],  # out (N, H)
    c_n: _Array | Literal[True] | None,  # out (N, H), LSTM only
    reverse: bool = False,
    num_threads: int = 0,
    tape: Tape | None = None,
    packed: PackedWeights | None = None,
    choices: Choices | None = None,  # exactly for the general cells, which alone take what follows
    w_hr: _Array | None = None,  # (P, H), lstm_general; h, y and columns of w_hh are then P
    h_mask: _Array | None = None,  # (N, P), multiplies h on its way into the recurrent product
    # (T, N, P), the part of the old h that stays; or (p, key): the core is to draw it
    h_keep: _Array | tuple[float, int] | None = None,
    c_keep: _Array | tuple[float, int] | None = None,  # (T, N, H), the same of c, LSTM only
    w_norm: _Array | None = None,  # gains of layer normalisation, as PackedWeights takes them
    ids: NDArray[np.int64] | None = None,  # (T, N), the row of x at each step, values 0..V-1
    # float32 w_ih and w_hh, what they multiply, and gradients on their way back through these
    # products are rounded to it
    bfloat16: bool = False,
    stacked: bool = False,  # fresh h_n and c_n are (1, N, H)
) -> tuple[_Array, _Array, _Array | None]:  # y, h_n, c_n
    ...
def rnn_backward(
    tape: Tape,
    dy: _Array | None,  # (T, N, H)
    dh_n: _Array | None,  # (N, H)
    dc_n: _Array | None,  # (N, H)
    dx: _Array | Literal[True] | None,  # out, shape of x; C-contiguous, as all gradients; True: fresh
    dw_ih: _Array | Literal[True] | None,  # out (G*H, I)
    dw_hh: _Array | Literal[True] | None,  # out (G*H, H)
    db_ih: _Array | Literal[True] | None,  # out (G*H,)
    db_hh: _Array | Literal[True] | None,  # out (G*H,)
    dh0: _Array | None,  # out (N, H)
    dc0: _Array | None,  # out (N, H)
    dw_peephole: _Array | Literal[True] | None,  # out (3, H)
    num_threads: int = 0,
    truncate: int | None = None,  # cut every so many of a row's steps
    clip_step: float | None = None,  # limit of each step's gradients by the pre-activations
    dw_hr: _Array | Literal[True] | None = None,  # out (P, H)
    dw_norm: _Array | Literal[True] | None = None,  # out, shape of w_norm
    add_dx: bool = False,  # to what dx holds
) -> tuple[
    # dx, dw_ih, dw_hh, db_ih, db_hh, dw_peephole, dw_hr, dw_norm; None also where there is no such
    # weight
    _Array | None, _Array | None, _Array | None, _Array | None, _Array | None, _Array | None,
    _Array | None, _Array | None,
]: ...  # fmt: skip
def rnn_forward_both(
    # Each the arguments of rnn_forward, of one dtype; x of the second may be the whole y of the
    # first. Nobody looks whether other outputs of one call are apart from what the other has
    first: tuple[Any, ...],
    second: tuple[Any, ...],
    /,
) -> tuple[tuple[_Array, _Array, _Array | None], tuple[_Array, _Array, _Array | None]]:
    """Two calls of rnn_forward, side by side where that is quicker."""

def rnn_backward_both(
    first: tuple[Any, ...],
    second: tuple[Any, ...],  # dx True and add_dx: to the first's dx; or dy is the first's dx
    /,
) -> tuple[tuple[_Array | None, ...], tuple[_Array | None, ...]]:
    """Two calls of rnn_backward likewise."""

def linear_forward(
    x: _Array,  # (M, I)
    w: _Array,  # (O, I)
    b: _Array | None,  # (O,)
    y: _Array,  # out (M, O); C-contiguous, as all outputs from here on
    num_threads: int = 0,
) -> None: ...
def linear_packed(
    x: _Array,  # (M, I), float32, rounded as w is: to int8 each row by its own scale
    packed: PackedMatrix,  # (O, I)
    b: _Array | None,  # (O,)
    y: _Array,  # out (M, O)
    num_threads: int = 0,
) -> None: ...
def linear_backward(
    dy: _Array,  # (M, O)
    x: _Array,  # (M, I)
    w: _Array,  # (O, I)
    dx: _Array | None,  # out (M, I)
    dw: _Array | None,  # out (O, I)
    db: _Array | None,  # out (O,)
    num_threads: int = 0,
) -> None: ...
def largest(
    x: _Array,  # (M, V)
    values: _Array,  # out (M, K), K in 1..V
    places: NDArray[np.int64],  # out (M, K)
    num_threads: int = 0,
) -> None: ...
def embedding_forward(
    ids: NDArray[np.int64],  # (M,), values 0..V-1
    w: _Array,  # (V, E)
    y: _Array,  # out (M, E)
    num_threads: int = 0,
) -> None: ...
def embedding_backward(
    dy: _Array,  # (M, E)
    ids: NDArray[np.int64],  # (M,)
    dw: _Array,  # in and out (V, E): added to
    padding_idx: int = -1,  # the row that is left alone
    num_threads: int = 0,
) -> None: ...
def softmax_cross_entropy_forward(
    logits: _Array,  # (M, V)
    targets: NDArray[np.int64],  # (M,), values 0..V-1 or ignore_index
    loss: _Array,  # out (M,)
    kept: _Array,  # out (M, 2)
    ignore_index: int,
    label_smoothing: float,
    num_threads: int = 0,
) -> tuple[float, int]:
    """The sum of the losses, and how many rows were not ignored."""

def softmax_cross_entropy_backward(
    dloss: _Array,  # (M,), stride any
    logits: _Array,  # (M, V)
    targets: NDArray[np.int64],  # (M,)
    kept: _Array,  # (M, 2)
    dlogits: _Array,  # out (M, V)
    ignore_index: int,
    label_smoothing: float,
    num_threads: int = 0,
) -> None: ...
def linear_cross_entropy(
    x: _Array,  # (M, I)
    w: _Array,  # (V, I)
    b: _Array | None,  # (V,)
    targets: NDArray[np.int64],  # (M,), values 0..V-1 or ignore_index
    loss: _Array,  # out (M,)
    dloss: _Array | None,  # (M,), stride any; None: no gradients
    dx: _Array | None,  # out (M, I)
    dw: _Array | None,  # out (V, I)
    db: _Array | None,  # out (V,)
    ignore_index: int,
    label_smoothing: float,
    num_threads: int = 0,
) -> tuple[float, int]:
    """The sum of the losses, and how many rows were not ignored."""

def dropout(
    x: _Array,  # (K,), contiguous
    y: _Array,  # out (K,)
    p: float,
    key: int,  # 64 bits
    num_threads: int = 0,
) -> None: ...
def attention_forward(
    query: _Array,  # (N, H)
    keys: _Array,  # (S, N, H)
    lengths: NDArray[np.int64] | None,  # (N,), values 0..S
    context: _Array,  # out (N, H)
    attn: _Array,  # out (N, S)
    num_threads: int = 0,
) -> None: ...
def attention_backward(
    dcontext: _Array | None,  # (N, H)
    dattn: _Array | None,  # (N, S)
    query: _Array,  # (N, H)
    keys: _Array,  # (S, N, H)
    lengths: NDArray[np.int64] | None,  # (N,)
    attn: _Array,  # (N, S)
    dquery: _Array | None,  # out (N, H)
    dkeys: _Array | None,  # out (S, N, H)
    num_threads: int = 0,
) -> None: ...

class DecoderWeights:
    """The matrices of a decoder's time loop in the order the kernels read, for the active ISA."""

    def __init__(
        self,
        lstm: bool,
        score: str,
        current: bool,
        feed: int,
        inputs: dict[str, _Array],  # the weights and memory of DecoderInputs
        int8: dict[str, _Array] | None = None,  # rows and scales in the place of the matrices
        bfloat16: bool = False,
    ) -> None: ...

def attention_decoder_forward(
    lstm: bool,
    score: str,
    current: bool,
    feed: int,
    keys_ready: bool,
    inputs: dict[str, _Array],  # DecoderInputs of decoder_args.h
    outputs: dict[str, _Array],  # DecoderForwardArgs
    num_threads: int = 0,
    weights: DecoderWeights | None = None,
) -> None: ...
def attention_decoder_backward(
    lstm: bool,
    score: str,
    current: bool,
    feed: int,
    inputs: dict[str, _Array],  # DecoderInputs and what forward kept
    outputs: dict[str, _Array],  # DecoderBackwardArgs
    num_threads: int = 0,
    truncate: int | None = None,
    clip_step: float | None = None,
) -> None: ...
def gaussian_kl_forward(
    mu: _Array,  # (M, Z)
    logvar: _Array,  # (M, Z)
    prior_mu: _Array | None,  # (M, Z)
    prior_logvar: _Array | None,  # (M, Z)
    kl: _Array,  # out (M,)
    num_threads: int = 0,
) -> None: ...
def gaussian_kl_backward(
    dkl: _Array,  # (M,), stride any
    mu: _Array,  # (M, Z)
    logvar: _Array,  # (M, Z)
    prior_mu: _Array | None,  # (M, Z)
    prior_logvar: _Array | None,  # (M, Z)
    dmu: _Array | None,  # out (M, Z), as the next three
    dlogvar: _Array | None,
    dprior_mu: _Array | None,
    dprior_logvar: _Array | None,
    num_threads: int = 0,
) -> None: ...
def reparameterise_forward(
    mu: _Array,  # (K,), contiguous, as the next two
    logvar: _Array,
    eps: _Array,
    z: _Array,  # out (K,)
    num_threads: int = 0,
) -> None: ...
def reparameterise_backward(
    dz: _Array,  # (K,), contiguous, as the next two
    logvar: _Array,
    eps: _Array,
    dmu: _Array | None,  # out (K,)
    dlogvar: _Array | None,  # out (K,)
    num_threads: int = 0,
) -> None: ...
def apply_activation(name: str, x: _Array, y: _Array) -> None:
    """y = exp, sigmoid or tanh of x, 1-D and contiguous, by the active kernels (for accuracy tests)."""

def optim_update(
    rule: str,  # a name of THE LIST in optim_args.h
    names: list[str],  # of the arrays, for messages
    params: list[_Array],  # changed in place; any shapes, C-contiguous, float32 or float64 each
    # Of as many elements and the same dtype, as everything below; or rows (U,), ascending, their
    # values (U, E), and whether the other rows are left alone.
    grads: list[_Array | tuple[NDArray[np.int64], _Array, bool]],
    kept: list[tuple[_Array, ...]],  # changed in place; as many a tuple as the rule keeps
    numbers: tuple[float, ...],  # lr, keep, decay, beta1, beta2, eps, root
    num_threads: int,
) -> None: ...
def sum_of_squares(names: list[str], arrays: list[_Array], num_threads: int) -> float: ...
def check_apart(names: list[str], arrays: list[_Array]) -> None:
    """Refuse what scale and clamp would refuse."""

def scale(names: list[str], arrays: list[_Array], factor: float, num_threads: int) -> None: ...
def clamp(names: list[str], arrays: list[_Array], limit: float, num_threads: int) -> None: ...
def isa() -> str: ...
def set_isa(name: str) -> None: ...
def available_isas() -> list[str]: ...
def compiled_isa(dtype: str) -> str:
    """The name compiled into the object files of the active tables; dtype is float32 or float64."""

def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def build_info() -> dict[str, str]:
    """Compiler, flags, threading backend, ISAs; how int8 and bfloat16 are multiplied here."""

def cpu_caches() -> dict[str, int]: ...
def force_plan(
    split: str | None = None, chunk_steps: int = 0, dots: str | None = None
) -> None:
    """Test hook, this thread only: split 'rows' or 'units', steps per chunk; None and 0: automatic.

    dots: what products by int8 and bfloat16 use at most, 'none', 'words' or 'tiles'.
    """

class Word2VecText:
    """A text file and the words looked for in it."""

    def __init__(self, path: bytes, words: bytes) -> None: ...

class Word2VecTables:
    """Subsampling, noise and tree of a vocabulary."""

    def __init__(
        self,
        counts: NDArray[np.int64],  # (V,)
        skip_gram: bool,
        hierarchical: bool,
        mean: bool,
        shrink: bool,
        window: int,
        negative: int,
        noise_power: float,
        sample: float,
    ) -> None: ...

def word2vec_count(path: bytes, min_count: int, num_threads: int) -> tuple[bytes, bytes, int, int]:
    """Words, one a line; their counts as int64; words and different words of the text."""

def word2vec_pieces(source: Word2VecText | NDArray[np.int32]) -> int: ...
def word2vec_train(
    tables: Word2VecTables,
    vectors: NDArray[np.float32],  # (V, stride), stride a multiple of 16, changed as the next two
    outputs: NDArray[np.float32] | None,  # (V, stride), with noise or softmax
    nodes: NDArray[np.float32] | None,  # (V, stride), with a tree
    source: Word2VecText | NDArray[np.int32],  # numbers of words, -1 behind a sentence
    begin: int,
    end: int,  # pieces [begin, end)
    alpha: tuple[float, float],  # at the start and the end of the whole training
    progress: tuple[float, float],  # words done before, and of the whole training
    seed: int,
    num_threads: int,
) -> tuple[float, int, int]:
    """Sum of the losses, how many they are, words."""

def word2vec_block(
    tables: Word2VecTables,
    vectors: NDArray[np.float32],
    outputs: NDArray[np.float32],
    inputs: NDArray[np.int32],
    targets: NDArray[np.int32],
    wanted: bytes,  # 1 for a true pair
    alpha: float,
) -> float: ...
def word2vec_path(tables: Word2VecTables, word: int) -> tuple[bytes, bytes]:
    """Inner nodes as int32 and branches as uint8, from the root."""

def word2vec_pairs(tables: Word2VecTables, ids: NDArray[np.int32], seed: int) -> bytes:
    """Pairs (target, word around) as int32."""

def word2vec_noise(tables: Word2VecTables, n: int, seed: int) -> bytes:
    """Words as int32."""

__version__: str
