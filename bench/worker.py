"""One library in a process of its own: prepares a case and runs it for a turn when told to.

Requests and replies are lines of JSON on standard input and output; `bench.interleave` is the other
end. ``python -m bench.worker NAME CPU,CPU,…`` confines itself to those CPUs before it imports the
library, because some take their number of threads from them.
"""

import gc
import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO

SAMPLES = 32  # numbers of each array that go back with the answer


def main(name: str, cpus: set[int]) -> None:
    """Serve requests until the input ends or says so."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus)
    # Whatever libraries print must not get into the replies: it goes to standard error.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(name, sys.stdin, replies)


def serve(name: str, requests: TextIO, replies: TextIO) -> None:
    """Answer each request; an exception becomes a reply, too."""
    from bench import baselines  # after the affinity is set: NumPy looks at it as well

    peer = baselines.peer_class(name)()
    run: Callable[[], Any] = lambda: None  # noqa: E731
    for line in requests:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                reply, run = prepare(peer, request["case"])
            else:
                reply = {"seconds": turn(run, request["seconds"])}
        except Exception:  # noqa: BLE001 - whatever a library raises is its result for this case
            reply = {"failed": traceback.format_exc(limit=-3)}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def prepare(peer: Any, fields: dict[str, Any]) -> tuple[dict[str, Any], Callable[[], Any]]:
    """Make a case ready; the reply holds a sample of the answer, for comparison."""
    from bench import baselines, cases

    case = cases.Case(**fields)
    refusal = peer.refusal(case)
    if refusal is not None:
        return {"refused": refusal}, lambda: None
    prepared = peer.prepare(baselines.problem(case))
    return {"sample": {k: sample(v) for k, v in prepared.answer().items()}}, prepared.run


def sample(array: Any) -> dict[str, Any]:
    """The root mean square of an array and some of its numbers, evenly spread."""
    flat = array.reshape(-1)
    step = max(1, flat.size // SAMPLES)
    rms = math.sqrt(float((flat.astype("float64") ** 2).mean())) if flat.size else 0.0
    return {"rms": rms, "numbers": [float(number) for number in flat[::step][:SAMPLES]]}


def turn(run: Callable[[], Any], seconds: float) -> list[float]:
    """Seconds of one call, measured again and again until the time is up, at least once.

    Calls shorter than 100 microseconds are timed several at a time, so that the clock's own cost
    does not show. The first call of a turn is not counted, since it wakes threads and fills caches,
    unless it is so long that this cannot matter.
    """
    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    if first > 10 * seconds:
        return [first]
    calls = max(1, math.ceil(100e-6 / max(first, 1e-9)))
    times: list[float] = []
    gc.collect()
    gc.disable()
    try:
        end = time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            for _ in range(calls):
                run()
            times.append((time.perf_counter() - start) / calls)
    finally:
        gc.enable()
    return times


if __name__ == "__main__":
    main(sys.argv[1], {int(cpu) for cpu in sys.argv[2].split(",")})
