"""Why: what one thread has checked another may change before it is used. An index that leaves its
range in between would read, and in a gradient write, somewhere in memory: such a call must use what
it checked, or refuse it.
"""

import pytest
from helpers.processes import output_of

SCRIPT = """
    import sys, threading
    import numpy as np
    from fastrnn import _core

    name = sys.argv[1]
    M, S = 30_000, 3
    w, y = np.ones((5, 8), np.float32), np.empty((M, 8), np.float32)
    logits, loss, kept = np.ones((M, 5)), np.empty(M), np.empty((M, 2))
    keys, attn, x = np.ones((S, M, 4)), np.empty((M, S)), np.ones((S, M, 2))
    h, hs, w_ih, w_hh = np.ones((M, 4)), np.empty((S, M, 4)), np.ones((4, 2)), np.ones((4, 4))
    positions, words = np.zeros(M, np.int64), np.zeros(5_000, np.int32)
    tables = _core.Word2VecTables(
        np.ones(5, np.int64), True, False, True, True, 2, 3, 0.75, 0.0)
    vectors, outputs = np.zeros((5, 16), np.float32), np.zeros((5, 16), np.float32)
    calls = {
        "lengths": lambda: _core.rnn_forward(
            _core.Cell.rnn_tanh, x, w_ih, w_hh, *[None] * 5, positions, hs, h, None),
        "rows of a table": lambda: _core.rnn_forward(
            _core.Cell.rnn_tanh, np.ones((1, 5, 4)), None, w_hh, *[None] * 6, hs[:1], h, None,
            ids=positions[None]),
        "embedding": lambda: _core.embedding_forward(positions, w, y),
        "its gradient": lambda: _core.embedding_backward(y, positions, w),
        "targets": lambda: _core.softmax_cross_entropy_forward(
            logits, positions, loss, kept, -1, 0.0),
        "their gradient": lambda: _core.softmax_cross_entropy_backward(
            loss, logits, positions, kept, np.empty_like(logits), -1, 0.0),
        "targets of a layer": lambda: _core.linear_cross_entropy(
            keys[0], w_hh, None, positions, loss, loss.copy(), None, w_hh.copy(), None, -1, 0.0),
        "rows of a gradient": lambda: _core.optim_update(
            "sgd", ["w"], [np.ones((5, 8))], [(positions[-1:], np.ones((1, 8)), True)], [()],
            (0.1, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0), 1),
        "attention": lambda: _core.attention_forward(h, keys, positions, h.copy(), attn),
        "its gradient by keys": lambda: _core.attention_backward(
            h, None, h, keys, positions, attn, None, np.empty_like(keys)),
        "words": lambda: _core.word2vec_train(
            tables, vectors, outputs, None, words, 0, _core.word2vec_pieces(words), (0.1, 0.0),
            (0.0, 5e3), 1, 1),
        "pairs of words": lambda: _core.word2vec_block(
            tables, vectors, outputs, words[-2:], words[-1:], b"1", 0.1),
    }
    stop = threading.Event()
    def scribble():
        while not stop.is_set():
            positions[-1] = 2**40
            words[-1] = 2**30
            positions[-1] = words[-1] = 0
    calls[name]()
    writer = threading.Thread(target=scribble)
    writer.start()
    done = refused = 0
    while done == 0 or done + refused < 200:
        try:
            calls[name]()
        except ValueError as error:
            assert "must" in str(error)
            refused += 1
        else:
            done += 1
    stop.set()
    writer.join()
    print("served")
"""

NAMES = ["lengths", "embedding", "its gradient", "targets", "their gradient", "attention"]
NAMES += ["rows of a table", "words", "pairs of words", "targets of a layer"]
NAMES += ["rows of a gradient"]


@pytest.mark.check(8)
@pytest.mark.parametrize("name", [*NAMES, "its gradient by keys"])
def test_positions_that_change_during_a_call(name: str) -> None:
    """The process lives, and some calls are served."""
    assert output_of(SCRIPT, name) == "served"
