"""The example of the README: inference, gradients and one step at a time with one LSTM."""

import numpy as np

import fastrnn

rng = np.random.default_rng(0)
x = rng.standard_normal((100, 8, 32), dtype=np.float32)  # 100 steps, 8 sequences, 32 inputs
lengths = np.array([100, 80, 80, 60, 40, 20, 10, 0])  # the padding after them is never read
lstm = fastrnn.LSTM(32, 64, num_layers=2, rng=rng)

y, (h_n, c_n) = lstm(x, lengths=lengths)  # inference: y is (100, 8, 64)
y, state, tape = lstm.forward(x, lengths=lengths)  # training keeps a tape ...
grads = lstm.backward(tape, dy=2 * y)  # ... for the gradients of sum(y²)
print(grads.x.shape, grads.params["weight_hh_l0"].shape)  # (100, 8, 32) (256, 64)

stream = lstm.stream(batch_size=8)  # one step at a time, the same bits
print(np.array_equal(stream.step(x[0])[:7], y[0, :7]))  # True
