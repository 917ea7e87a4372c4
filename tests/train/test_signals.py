"""Why: a scheduler takes the machine away after a signal; what was learned by then must be saved,
and children that were forked meanwhile must still end as they are told to.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toy import Toy, batches, digest, trainer

from fastrnn.train import SGD, Trainer, load_latest

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


class Told(Toy):
    """A model to which a signal comes in the middle of an update."""

    number, calls = signal.SIGTERM, 0

    def loss_with_state(self, params: Any, batch: Any, state: Any, rng: Any) -> Any:
        self.calls += 1
        if self.calls == 5:
            signal.raise_signal(self.number)
        return super().loss_with_state(params, batch, state, rng)


@pytest.mark.check(37)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_ends_the_training_after_the_update(tmp_path: Path, number: Any) -> None:
    whole = Toy()
    trainer(whole).fit(batches(), updates=12)
    before = signal.getsignal(number)
    model = Told()
    model.number = number
    made = trainer(model, checkpoint=tmp_path)
    with pytest.raises(SystemExit) as ended:
        made.fit(batches(), updates=12)
    assert ended.value.code == 0
    assert signal.getsignal(number) == before
    assert made.updates == load_latest(tmp_path).state["run"]["update"] == 5
    model = Told()
    model.calls = 5
    trainer(model, checkpoint=tmp_path).fit(batches(), updates=12, resume=True)
    assert digest(model.params) == digest(whole.params)


def test_a_forked_child_ends_at_once(tmp_path: Path) -> None:
    class Forking(Toy):
        def loss_with_state(self, params: Any, batch: Any, state: Any, rng: Any) -> Any:
            child = os.fork()
            if child == 0:
                os.kill(os.getpid(), signal.SIGTERM)
                for _ in range(1000):  # Python runs handlers between two steps
                    pass
                os._exit(0)
            statuses.append(os.waitpid(child, 0)[1])
            return super().loss_with_state(params, batch, state, rng)

    statuses: list[int] = []
    made = trainer(Forking(), checkpoint=tmp_path, on_signal="save")
    with np.errstate(all="ignore"):
        made.fit(batches(), updates=2)
    assert [os.WTERMSIG(status) for status in statuses] == [signal.SIGTERM] * 2
    assert made.updates == 2


@pytest.mark.parametrize(("value", "folder"), [("stop", None), ("stop", "here"), (True, "here")])
def test_other_values_are_refused(value: Any, folder: Any, tmp_path: Path) -> None:
    where = None if folder is None else tmp_path
    with pytest.raises(ValueError, match="on_signal must be 'save' or None"):
        Trainer(Toy(), SGD(), checkpoint=where, on_signal=value)
