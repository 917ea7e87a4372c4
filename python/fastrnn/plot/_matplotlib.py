"""matplotlib, or how to get it, and fonts for letters that its own font lacks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Families with the letters of East Asia; the first one that is there is used.
_WIDE = (
    "Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "TakaoGothic", "Hiragino Sans",
    "Yu Gothic", "MS Gothic", "Source Han Sans", "WenQuanYi Zen Hei", "Droid Sans Fallback",
    "Arial Unicode MS",
)  # fmt: skip


def families() -> list[str]:
    """Return the fonts to look for letters in, one after the other."""
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *[name for name in _WIDE if name in there][:1]]


def boxes(text: str) -> str:
    """Return the letters of a text that no font here has, so that a picture shows boxes."""
    from matplotlib import font_manager

    known: set[int] = set()
    for name in families():
        known.update(font_manager.get_font(font_manager.findfont(name)).get_charmap())
    return "".join(sorted(letter for letter in set(text) if ord(letter) not in known))


def require_matplotlib() -> "type[Figure]":
    """Return matplotlib's ``Figure``; call it early where a picture comes after long work.

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.

    Examples
    --------
    >>> from fastrnn.plot import require_matplotlib
    >>> require_matplotlib().__name__
    'Figure'
    """
    try:
        # A Figure of its own needs no display and leaves pyplot's global state alone.
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'pictures need matplotlib: pip install "fastrnn[plot]" gives it to you'
        ) from error
    return Figure
