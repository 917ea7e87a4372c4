"""Why: half an update is a model that nobody trained. Ctrl-C, other threads and a fork may come at
any moment; an update that has begun is done for every element, and notices them afterwards.
"""

import os
import threading

import numpy as np
import pytest
from helpers.processes import output_of

import fastrnn
from fastrnn.train import SGD, Adam

posix = pytest.mark.skipif(os.name != "posix", reason="it needs signals, or fork")

SCRIPT = """
    import signal
    import numpy as np
    import fastrnn
    from fastrnn.train import SGD

    params = {"a": np.zeros(1_500_000, np.float32), "b": np.zeros(300_000)}
    grads = {name: np.full_like(a, -1) for name, a in params.items()}
    sgd, rng, caught = SGD(1.0), np.random.default_rng(0), 0
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    fastrnn.set_num_threads(2)
    while caught < 40 or params["a"][0] < 40:
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, 4e-3))
            while True:
                sgd.update(params, grads)
        except KeyboardInterrupt:
            caught += 1
        values = {float(v) for a in params.values() for v in (a.min(), a.max())}
        assert len(values) == 1, values
    print("whole")
"""


@pytest.mark.check(18)
@posix
def test_an_interrupted_update_is_a_whole_one() -> None:
    assert output_of(SCRIPT) == "whole"


@pytest.mark.check(8)
def test_optimisers_in_many_threads_do_not_meet(rng: np.random.Generator) -> None:
    grads = [{"w": rng.standard_normal(80_000).astype(np.float32)} for _ in range(6)]
    results: list[np.ndarray] = [np.zeros(0)] * 6

    def work(k: int) -> None:
        params, adam = {"w": np.ones(80_000, np.float32)}, Adam(0.1)
        for _ in range(20):
            adam.update(params, grads[k])
        results[k] = params["w"]

    crew = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    together = [array.copy() for array in results]
    for k in range(6):
        work(k)
        np.testing.assert_array_equal(results[k], together[k])


@pytest.mark.check(20)
@posix
def test_an_update_after_fork() -> None:
    script = """
        import os, sys
        import numpy as np
        import fastrnn
        from fastrnn.train import SGD

        fastrnn.set_num_threads(2)
        params, grads = {"w": np.zeros(400_000)}, {"w": np.full(400_000, -1.0)}
        sgd = SGD(1.0)
        sgd.update(params, grads)
        pid = os.fork()
        sgd.update(params, grads)
        assert (params["w"] == 2).all() and sgd.steps == 2
        if pid:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    output_of(script)


def test_a_layer_in_use_gets_weights_of_one_update_or_the_next(rng: np.random.Generator) -> None:
    """Inference packs anew after an update, and a call sees one packing from end to end."""
    layer = fastrnn.RNN(1, 1, bias=False, nonlinearity="relu", dtype=np.float64, rng=rng)
    layer.set_params({"weight_ih_l0": np.ones((1, 1)), "weight_hh_l0": np.zeros((1, 1))})
    x, sgd = np.ones((3, 1)), SGD(1.0)
    grads = {"weight_ih_l0": np.full((1, 1), -1.0), "weight_hh_l0": np.zeros((1, 1))}
    for k in range(1, 6):
        assert layer(x)[0].ravel().tolist() == [k] * 3
        sgd.update(layer.params, grads)
