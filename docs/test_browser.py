"""The pages in a real browser: nothing is missing, formulas are drawn, search finds, narrow fits.

`make browser` runs this on what `make docs` built. It needs Chromium and its driver (Debian's
packages chromium and chromium-driver) and is skipped without them; no page asks for anything else
than what lies beside it.
"""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urljoin

import pytest

SITE = Path(__file__).parents[1] / "build" / "docs"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
MODULES = [page for page in PAGES if page.startswith("_modules/")]
READ = [page for page in PAGES if page not in MODULES]
QUESTIONS = {
    "variational autoencoder": "autoencoders",
    "beam search": "translate",
    "packed sequence": "pytorch",
}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    selenium = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("no chromium or no chromedriver")
    options = selenium.ChromeOptions()
    options.binary_location = program
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = selenium.Chrome(options, selenium.ChromeService(driver))
    started.set_page_load_timeout(120)
    yield started
    started.quit()


def wait(browser: Any, script: str) -> Any:
    """Run a script until it returns something true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 120).until(lambda b: b.execute_script(script))


def test_the_pages_were_built() -> None:
    assert len(READ) > 200, "run `make docs` first"


# What a reader sees: formulas, pictures, and what sticks out on a telephone.
LOOK = """
const formulas = document.querySelectorAll('.math').length;
const drawn = document.querySelectorAll('mjx-container').length;
if (formulas && (!window.MathJax || !MathJax.startup || drawn < formulas)) return null;
const links = [...document.querySelectorAll('a[href]')].map(a => a.href);
const names = [...document.querySelectorAll('[id]')].map(e => e.id);
return {
  wrong: [...document.querySelectorAll('mjx-merror')].map(e => e.textContent),
  broken: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src),
  over: document.documentElement.scrollWidth - window.innerWidth, links, names};
"""


def test_every_page_is_whole(browser: Any, site: str) -> None:
    faults, links, names = [], {}, {}
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False},
    )
    for page in READ:
        browser.get(site + page)
        seen = wait(browser, LOOK)
        said = [f"{e['level']}: {e['message']}" for e in browser.get_log("browser")]
        faults += [f"{page}: {what}" for what in (*said, *seen["wrong"], *seen["broken"])]
        if seen["over"] > 0:
            faults.append(f"{page}: {seen['over']} pixels wider than a narrow screen")
        links[page], names[page] = set(seen["links"]), set(seen["names"])
    for page, targets in links.items():
        for target in targets:
            where, name = urldefrag(urljoin(site + page, target))
            if not where.startswith(site):
                continue
            path = unquote(where.removeprefix(site)) or "index.html"
            if not (SITE / path).exists():
                faults.append(f"{page}: dead link to {path}")
            elif name and path in names and unquote(name) not in names[path]:
                faults.append(f"{page}: no {name} in {path}")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("words", "page"), QUESTIONS.items())
def test_search_finds(browser: Any, site: str, words: str, page: str) -> None:
    browser.get(f"{site}search.html?q={quote(words)}")
    found = wait(
        browser,
        "const all = [...document.querySelectorAll('#search-results li a')].map(a => a.href);"
        "const said = document.querySelector('#search-results').textContent;"
        "return /finished|found/i.test(said) && all",
    )
    assert any(f"/{page}.html" in link for link in found), found


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(
    browser: Any, site: str, scheme: str, width: int, tmp_path: Path
) -> None:
    """Text and its background differ by the 4.5 to 1 that WCAG asks for, in both schemes."""
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.set_window_size(width, 900)
    browser.get(site + "maths/lstm.html")
    wait(browser, LOOK)
    colours = browser.execute_script(
        "const of = (e, what) => getComputedStyle(e)[what].match(/[0-9.]+/g).map(Number);"
        "const text = document.querySelector('article p');"
        "return [of(text, 'color'), of(document.body, 'backgroundColor')]"
    )

    def luminance(colour: list[float]) -> float:
        parts = [c / 255 for c in colour[:3]]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    text, behind = map(luminance, colours)
    assert (text > behind) == (scheme == "dark")
    high, low = max(text, behind), min(text, behind)
    assert (high + 0.05) / (low + 0.05) >= 4.5
    assert browser.save_screenshot(str(tmp_path / f"{scheme}-{width}.png"))
