"""One import changed: a PyTorch model, trained by torch.nn, is fine-tuned and served by fastrnn.

The model reads a sequence of symbols and says which of them came most often. torch.nn trains it on
short sequences. The same code with ``from fastrnn.torch import LSTM`` then loads its weights,
gives the same answers, and goes on with longer sequences in the same training loop.
"""

import importlib
import time

import numpy as np

try:
    import torch
except ImportError:
    torch = None

SYMBOLS, HIDDEN = 5, 64


def make_model(module):
    """The user's model; `module` is where its LSTM is imported from."""
    LSTM = importlib.import_module(module).LSTM

    class Counter(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(SYMBOLS, 16)
            self.rnn = LSTM(16, HIDDEN)
            self.out = torch.nn.Linear(HIDDEN, SYMBOLS)

        def forward(self, tokens, lengths):
            packed = torch.nn.utils.rnn.pack_padded_sequence(
                self.embedding(tokens), lengths, enforce_sorted=False
            )
            _, (h_n, _) = self.rnn(packed)
            return self.out(h_n[-1])

    return Counter()


def batch(rng, longest, rows=64):
    """Random sequences of random lengths, in which one symbol is twice as likely as the others."""
    lengths = rng.integers(longest // 2, longest + 1, rows)
    favourite = rng.integers(SYMBOLS, size=rows)
    tokens = rng.integers(SYMBOLS, size=(longest, rows))
    tokens[rng.random((longest, rows)) < 1 / SYMBOLS] = -1
    tokens = tokens * (tokens >= 0) + favourite * (tokens < 0)
    exists = (range(longest) < lengths[:, None]).T
    counts = [((tokens == k) & exists).sum(axis=0) for k in range(SYMBOLS)]
    targets = np.argmax(counts, axis=0)
    return torch.from_numpy(tokens), torch.from_numpy(lengths), torch.from_numpy(targets)


def train(model, rng, longest, updates):
    """An ordinary training loop; returns its seconds."""
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    start = time.perf_counter()
    for _ in range(updates):
        tokens, lengths, targets = batch(rng, longest)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(tokens, lengths), targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return time.perf_counter() - start


def accuracy(model, longest, rows=1000):
    """The share of right answers on sequences that nobody has seen."""
    tokens, lengths, targets = batch(np.random.default_rng(10**6), longest, rows)
    with torch.no_grad():
        return (model(tokens, lengths).argmax(dim=1) == targets).float().mean().item()


def run(*, updates: int = 150, seed: int = 0):
    """Print what happened, and return the accuracies before and after."""
    if torch is None:
        print("skipped: PyTorch is not installed (pip install torch)")
        return None
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    there, here = make_model("torch.nn"), make_model("fastrnn.torch")
    seconds = train(there, rng, 20, updates)
    print(f"torch.nn        {seconds:5.1f} s for {updates} updates, up to 20 symbols")
    here.load_state_dict(there.state_dict())
    tokens, lengths, _ = batch(rng, 60)
    with torch.no_grad():
        difference = (there(tokens, lengths) - here(tokens, lengths)).abs().max().item()
    print(f"one import      changed: the answers differ by {difference:.1e}")
    before = accuracy(here, 60)
    seconds = train(here, rng, 60, updates)
    after = accuracy(here, 60)
    print(f"fastrnn.torch   {seconds:5.1f} s for {updates} updates, up to 60 symbols")
    print(f"60 symbols      {before:.1%} right before, {after:.1%} after")
    there.load_state_dict(here.state_dict())
    print(f"torch.nn again  {accuracy(there, 60):.1%} right with the weights handed back")
    return before, after


if __name__ == "__main__":
    run()
