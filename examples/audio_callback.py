"""An audio callback: an LSTM learns an amplifier from its sound, then plays block by block.

The amplifier is a synthetic one: it clips softly, and its gain sags with the loudness of the last
milliseconds, so that the answer to a sample depends on those before. A sound card hands over blocks
of 64 samples, one every 1.33 ms at 48 kHz, and waits for the answer: a stream keeps the state from
one block to the next, and takes no memory on the way. The figure is the error-to-signal ratio, the
share of the energy that is wrong. A .wav has what went in, the amplifier and the LSTM, one second
each.
"""

import wave
from time import perf_counter

import autograd.numpy as anp
import numpy as np

import fastrnn
from _readout import Readout
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.plot import curves

RATE, BLOCK, WARM_UP = 48_000, 64, 64


def sound(rng, steps, rows=1):
    """Chords of three tones, each with its loudness (T, N, 1)."""
    t = np.arange(steps)[:, None, None] / RATE
    pitches = 80 * 2 ** rng.uniform(0, 5, (rows, 3))
    waves = np.sin(2 * np.pi * (pitches * t + rng.uniform(0, 1, (rows, 3)))).mean(axis=2)
    return (rng.uniform(0.1, 1, rows) * waves)[..., None].astype(np.float32)


def amplifier(x):
    """What is to be learned, y (T, N, 1) of x (T, N, 1)."""
    loudness, y = np.zeros(x.shape[1:]), np.empty_like(x)
    for t, x_t in enumerate(x):
        loudness += 0.01 * (abs(x_t) - loudness)
        y[t] = np.tanh(5 * x_t / (1 + 4 * loudness))
    return y


def train(seed, updates, *, hidden=16, rate=1e-2, steps=512):
    """Return a read-out over an LSTM that has heard the amplifier."""
    rng = np.random.default_rng(seed)
    model = Readout(fastrnn.LSTM(1, hidden, rng=rng), 1, rate=rate, rng=rng)
    for _ in range(updates):
        x = sound(rng, steps, 16)
        y = amplifier(x)[WARM_UP:]
        model.update(x, lambda scores, y=y: anp.mean((scores[WARM_UP:] - y) ** 2))
    return model


def wrong(found, wanted):
    """Error-to-signal ratio."""
    return float(((found - wanted) ** 2).sum() / (wanted**2).sum())


class Effect:
    """What the sound card calls: all its arrays are there before the first block comes."""

    def __init__(self, model):
        self.stream = model.layer.stream()
        self.w, self.b = model.params["w"][0].copy(), model.params["b"].copy()
        self.h = np.empty((BLOCK, len(self.w)), np.float32)

    def __call__(self, block, out):
        """Fill out (BLOCK,) with the answer to a block (BLOCK, 1)."""
        for x_t, h_t in zip(block, self.h, strict=True):
            self.stream.step(x_t, out=h_t)
        np.dot(self.h, self.w, out=out)
        out += self.b


def play(effect, x):
    """Return the answer to x (T, 1), a whole number of blocks, and the seconds of each block."""
    y, seconds = np.empty(len(x), np.float32), []
    for start in range(0, len(x), BLOCK):
        began = perf_counter()
        effect(x[start : start + BLOCK], y[start : start + BLOCK])
        seconds.append(perf_counter() - began)
    return y, seconds


def listen(path, sounds):
    """Write sounds one after the other as 16-bit numbers, the loudest at full level."""
    whole = np.concatenate(sounds)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((whole * (32767 / abs(whole).max())).astype("<i2").tobytes())
    print(f"to hear: {path}")


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1) -> None:
    """An LSTM imitates an amplifier, in blocks of 64 samples as a sound card asks for them."""
    updates, errors = 100 if quick else 800, []
    for seed in range(seeds):
        model = train(seed, updates)
        x = sound(np.random.default_rng([seed, 1]), RATE // BLOCK * BLOCK)[:, 0]
        wanted = amplifier(x[:, None])[:, 0, 0]
        with fastrnn.threads(1):
            y, seconds = play(Effect(model), x)
        whole = model.scores(x)[0][:, 0]
        errors.append(wrong(y, wanted))
        print(
            f"one second of sound: {errors[-1]:.4f} of its energy is wrong "
            f"({wrong(x[:, 0], wanted):.2f} of the dry sound's); "
            f"at most {abs(y - whole).max():.0e} from one call on all of it"
        )
        print(
            f"a block lasts {1e3 * BLOCK / RATE:.2f} ms; the callback takes "
            f"{1e3 * np.median(seconds):.2f} ms, 99 of 100 at most "
            f"{1e3 * np.quantile(seconds, 0.99):.2f} ms"
        )
    wrong_share = f"{spread(errors, 4)} of the energy is wrong, {plural(seeds, 'seed')}"
    print(wrong_share)
    ten = slice(0, RATE // 100)
    lines = {"dry sound": x[ten, 0], "amplifier": wanted[ten], "the LSTM": y[ten]}
    figure = curves(
        lines, title=f"An LSTM imitates an amplifier: {wrong_share}",
        x=np.arange(RATE // 100) * 1e3 / RATE, xlabel="milliseconds",
        ylabel="signal, full scale 1",
    )  # fmt: skip
    save(figure, plot, "audio_callback")
    listen(plot / "audio_callback.wav", [x[:, 0], wanted, y])


if __name__ == "__main__":
    standalone(run)
