"""Draws the pictures of the README and of the documentation, from a run of one's own.

    python docs/pictures.py report RUN    parts of its report
    python docs/pictures.py live RUN      its live page, while it runs

Each is drawn for light and for dark pages, by Debian's chromium through Playwright, into
`docs/images`.
"""

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDTH, SHARPNESS = 1000, 1.5
SETTLED = 3_000  # milliseconds, after which everything stands where it will
# What a page shows in a picture: the rest of it is left out.
LEFT_OUT = {
    "report": "nav, section:not(#search), #figure-cost, footer, details, .modebar",
    "live": "footer, section:has(code)",
}


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("page", choices=LEFT_OUT)
    parser.add_argument("run", type=Path, metavar="RUN")
    options = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with served(options.page, options.run) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        for scheme in ("light", "dark"):
            place = IMAGES / f"{options.page}-{scheme}.webp"
            picture = drawn(browser, address, LEFT_OUT[options.page], scheme)
            Image.open(io.BytesIO(picture)).save(place, lossless=True, quality=100, method=6)
            sys.stdout.write(f"{place} {place.stat().st_size / 1000:.0f} kB\n")


@contextmanager
def served(page: str, run: Path) -> Iterator[str]:
    """The address of a page, while it can be looked at."""
    if page == "report":
        yield (run / "report.html").resolve().as_uri()
        return
    command = ["fleetgrad", "watch", str(run), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield next(word for line in server.stdout for word in line.split() if "://" in word)
        finally:
            server.terminate()


def drawn(browser: Browser, address: str, left_out: str, scheme: str) -> bytes:
    """A page without some of its parts, as a PNG."""
    page = browser.new_page(
        viewport={"width": WIDTH, "height": 600},
        device_scale_factor=SHARPNESS,
        color_scheme=scheme,
        bypass_csp=True,  # to leave parts out
    )
    page.goto(address)
    page.add_style_tag(content=f"{left_out} {{ display: none !important }}")
    page.wait_for_timeout(SETTLED)
    picture = page.screenshot(full_page=True)
    page.close()
    return picture


if __name__ == "__main__":
    main()
