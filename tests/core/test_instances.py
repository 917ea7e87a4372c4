"""Why: whatever Python can do with an instance, a library may do by accident: caches and process
pools pickle what they are given. An object that cannot be pickled, copied or made says so; it does
not end the process.
"""

import pytest
from helpers.processes import output_of

from fastrnn import _core

CLASSES = sorted(
    name for name, kind in vars(_core).items() if isinstance(kind, type) and name != "Cell"
)

SCRIPT = """
    import copy, pickle, sys
    from fastrnn import _core

    kind = getattr(_core, sys.argv[1])
    instance, base = kind.__new__(kind), kind.__bases__[0]
    calls = [
        instance.__reduce__, lambda: copy.copy(instance), lambda: copy.deepcopy(instance), base,
        lambda: base.__new__(base), lambda: base(instance), lambda: type("One", (base,), {})(),
        *[lambda p=p: pickle.dumps(instance, p) for p in range(pickle.HIGHEST_PROTOCOL + 1)],
        *[lambda p=p: instance.__reduce_ex__(p) for p in range(pickle.HIGHEST_PROTOCOL + 1)],
    ]
    for call in calls:
        try:
            print(call())
        except TypeError as error:
            assert str(error).startswith("cannot "), error
    print("alive")
"""


def test_there_are_classes() -> None:
    assert {"Tape", "PackedWeights", "Step"} <= set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_an_instance_cannot_be_pickled_or_copied(name: str) -> None:
    assert output_of(SCRIPT, name) == "alive"
