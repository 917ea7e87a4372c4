"""Why: a generator with a wrong answer in it makes a right model look bad, or a leak look good."""

import datetime as dt
import re

import numpy as np
import pytest

from toys import pairs


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("make", [pairs.addition, pairs.copying, pairs.dates])
def test_a_seed_gives_the_same_pairs(make) -> None:
    assert make(rng(), 50) == make(rng(), 50)
    assert make(rng(), 50) != make(np.random.default_rng(6), 50)
    assert make(rng(), 0) == ([], [])


def test_sums_are_right_and_different() -> None:
    sums = pairs.addition(rng(), 2000, digits=3)
    for source, target in zip(*sums, strict=True):
        a, b = source.split("+")
        assert int(a) + int(b) == int(target)
        assert max(len(a), len(b)) <= 3
    assert len(set(sums.sources)) == 2000
    assert pairs.commonest(sums.targets) < 0.05
    assert len(pairs.addition(rng(), 25, digits=1).sources) == 25
    with pytest.raises(ValueError, match="N must be"):
        pairs.addition(rng(), 26, digits=1)


def test_strings_are_copied_and_reversed() -> None:
    for reverse in (False, True):
        made = pairs.copying(rng(), 500, shortest=2, longest=6, alphabet="xyz", reverse=reverse)
        for source, target in zip(*made, strict=True):
            assert target == (source[::-1] if reverse else source)
        assert {len(source) for source in made.sources} == {2, 3, 4, 5, 6}
        assert set("".join(made.sources)) == set("xyz")
    with pytest.raises(ValueError, match="longest"):
        pairs.copying(rng(), 1, shortest=5, longest=4)


READ = {"short": "%m/%d/%y", "long": "%B %d, %Y", "weekday": "%A, %B %d, %Y"}


def test_dates_mean_what_they_say() -> None:
    kinds = dict.fromkeys(READ, 0)
    for source, target in zip(*pairs.dates(rng(), 3000), strict=True):
        kind = "short" if "/" in source else "weekday" if source.count(",") == 2 else "long"
        kinds[kind] += 1
        name = source.split()[0].rstrip(",")
        form = READ[kind].replace("%B", "%b") if kind == "long" and len(name) == 3 else READ[kind]
        assert dt.datetime.strptime(source, form).date().isoformat() == target
        assert "1970" <= target[:4] <= "2017"
    assert min(kinds.values()) > 900
    only = pairs.dates(rng(), 40, formats=["short"], years=(2001, 2001))
    assert all(re.fullmatch(r"\d+/\d+/01", source) for source in only.sources)
    with pytest.raises(ValueError, match="years"):
        pairs.dates(rng(), 1, years=(1900, 2000))
    with pytest.raises(ValueError, match="formats"):
        pairs.dates(rng(), 1, formats=["iso"])
    with pytest.raises(ValueError, match="months"):
        pairs.dates(rng(), 1, months=["january"])


def test_fields_of_a_date_are_where_they_stand() -> None:
    for source, target in zip(*pairs.dates(rng(), 100, formats=["short"]), strict=True):
        fields = pairs.short_date_fields(source)
        for name, digits in (("month", 2), ("day", 2), ("year", 4)):
            asked, answer = source[fields[name].source], target[fields[name].target]
            assert answer.endswith(asked.zfill(2))
            assert len(answer) == digits
    assert pairs.short_date_fields("JUN 17, 2013") is None
