"""Texts with the text that answers them, as generators: sums, dates, strings to copy or reverse.

Every task has exactly one right answer, so its ceiling is 1; `commonest` is what a model reaches
that has seen the answers and never looks at the question. Sizes, alphabets and formats are
arguments, and every example comes from the `numpy.random.Generator` that is given.
"""

import datetime as dt
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DATE_FORMATS = ("short", "long", "weekday")


class Pairs(NamedTuple):
    """Texts and their answers.

    Attributes
    ----------
    sources : list of str
    targets : list of str
        As many.
    """

    sources: list[str]
    targets: list[str]


def commonest(answers: Sequence[str]) -> float:
    """Return the share of the most frequent answer: what is right without a look at the question.

    Examples
    --------
    >>> from toys import pairs
    >>> pairs.commonest(["yes", "no", "yes"])
    0.6666666666666666
    """
    return max(Counter(answers).values()) / len(answers)


def addition(rng: np.random.Generator, N: int, *, digits: int = 3) -> Pairs:
    """N different sums of two numbers, each of one to `digits` digits, all lengths equally likely.

    Raises
    ------
    ValueError
        N is more than a quarter of the 100^digits sums that there are.

    References
    ----------
    Zaremba and Sutskever, "Learning to execute", 2014, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from toys import pairs
    >>> pairs.addition(np.random.default_rng(0), 3)
    Pairs(sources=['636+26', '0+0', '8+91'], targets=['662', '0', '99'])
    """
    if 100**digits // 4 < N:
        raise ValueError(f"N must be at most 100^digits / 4 = {100**digits // 4}, got {N}")

    def draw() -> tuple[str, str]:
        a, b = (int(rng.integers(10 ** int(rng.integers(1, digits + 1)))) for _ in range(2))
        return f"{a}+{b}", str(a + b)

    return _different(draw, N)


def copying(
    rng: np.random.Generator,
    N: int,
    *,
    shortest: int = 5,
    longest: int = 40,
    alphabet: str = string.ascii_lowercase,
    reverse: bool = False,
) -> Pairs:
    """N random strings to be said again, or backwards; all lengths are equally likely.

    Examples
    --------
    >>> import numpy as np
    >>> from toys import pairs
    >>> pairs.copying(np.random.default_rng(0), 1, longest=5, alphabet="ab", reverse=True)
    Pairs(sources=['bbbaa'], targets=['aabbb'])
    """
    if longest < shortest:
        raise ValueError(f"longest must be shortest = {shortest} at least, got {longest}")
    letters, lengths = np.array(list(alphabet)), rng.integers(shortest, longest + 1, N)
    sources = ["".join(rng.choice(letters, n)) for n in lengths]
    return Pairs(sources, [text[::-1] for text in sources] if reverse else list(sources))


def dates(
    rng: np.random.Generator,
    N: int,
    *,
    years: tuple[int, int] = (1970, 2017),
    formats: Sequence[str] = DATE_FORMATS,
    months: Sequence[str] = MONTHS,
    weekdays: Sequence[str] = WEEKDAYS,
) -> Pairs:
    """N dates as people write them, and in the form of ISO 8601.

    Parameters
    ----------
    rng : Generator
    N : int
    years : (int, int)
        The first and the last, at most 99 apart, for "short" has two digits of them.
    formats : sequence of {"short", "long", "weekday"}
        10/31/90, September 27, 1994, and Tuesday, September 25, 1984, equally likely. Names stand
        there as given, in capitals or in small letters, or, in "long", as their first three
        letters.
    months, weekdays : sequence of str
        12 and 7 names, from January and Monday.

    Raises
    ------
    ValueError
        A format has another name, or there are too many or too few years or names.

    Examples
    --------
    >>> import numpy as np
    >>> from toys import pairs
    >>> for pair in zip(*pairs.dates(np.random.default_rng(1), 3)):
    ...     print(*pair, sep=" | ")
    sep 17, 1992 | 1992-09-17
    sunday, august 16, 2015 | 2015-08-16
    12/18/81 | 1981-12-18
    """
    first, last = years
    if not 1 <= first <= last <= min(9999, first + 99):
        raise ValueError(f"years must be two of 1..9999, at most 99 apart, got {years}")
    if not formats or not set(formats) <= set(DATE_FORMATS):
        raise ValueError(f"formats must be among {DATE_FORMATS}, got {formats!r}")
    if len(months) != 12 or len(weekdays) != 7:
        found = f"{len(months)} and {len(weekdays)}"
        raise ValueError(f"months and weekdays must be 12 and 7 names, got {found}")
    begin = dt.date(first, 1, 1).toordinal()
    end = dt.date(last, 12, 31).toordinal() + 1
    made = Pairs([], [])
    for _ in range(N):
        day = dt.date.fromordinal(int(rng.integers(begin, end)))
        form = formats[int(rng.integers(len(formats)))]
        month, spelled = months[day.month - 1], (str, str.upper, str.lower)[int(rng.integers(3))]
        if form == "short":
            text = f"{day.month}/{day.day}/{day.year % 100:02}"
        elif form == "weekday":
            text = f"{spelled(weekdays[day.weekday()])}, {spelled(month)} {day.day}, {day.year}"
        else:
            name = spelled(month[:3] if rng.random() < 0.5 else month)
            text = f"{name} {day.day}, {day.year}"
        made.sources.append(text)
        made.targets.append(day.isoformat())
    return made


class Field(NamedTuple):
    """Where one part of a date stands, in the text and in the answer.

    Attributes
    ----------
    source : slice
    target : slice
    """

    source: slice
    target: slice


def short_date_fields(text: str) -> dict[str, Field] | None:
    """Return where month, day and year stand in a date like 10/31/90; None for another format.

    It is what an attention map of this task can be measured against: the order differs between
    text and answer, so a diagonal is wrong.

    Examples
    --------
    >>> from toys import pairs
    >>> pairs.short_date_fields("6/30/73")["year"]
    Field(source=slice(5, 7, None), target=slice(0, 4, None))
    """
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    places, start = [], 0
    for part in parts:
        places.append(slice(start, start + len(part)))
        start += len(part) + 1
    answers = (slice(5, 7), slice(8, 10), slice(0, 4))
    return {
        name: Field(source, target)
        for name, source, target in zip(("month", "day", "year"), places, answers, strict=True)
    }


def _different(draw: Callable[[], tuple[str, str]], N: int) -> Pairs:
    """Draw until there are N different questions."""
    found: dict[str, str] = {}
    while len(found) < N:
        source, target = draw()
        found[source] = target
    return Pairs(list(found), list(found.values()))
