"""Debian's chromium through Playwright, for tests of pages; without either they skip.

Screenshots are kept where `FLEETGRAD_SCREENSHOTS` says.
"""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("needs Debian's chromium: apt-get install chromium", allow_module_level=True)

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 120_000  # milliseconds
DESK, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def started():
    """A browser."""
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield one
        one.close()


class Tab:
    """A page that is ready, and what it said and asked for meanwhile."""

    def __init__(self, browser, url, *, size=DESK, dark=False):
        phone = {"has_touch": True, "is_mobile": True} if size is PHONE else {}
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(viewport=size, color_scheme=scheme, **phone)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(PATIENCE)
        self.said, self.asked = [], []
        self.tab.on("console", lambda one: self.said.append(one.text))
        self.tab.on("pageerror", lambda one: self.said.append(str(one)))
        self.tab.on("request", lambda one: self.asked.append(one.url))
        self.tab.goto(url)
        self.tab.wait_for_selector("html[data-ready=yes]")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


def kept(opened, name):
    """A screenshot, where one is wanted."""
    folder = os.environ.get("FLEETGRAD_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        opened.tab.screenshot(path=str(Path(folder, f"{name}.png")), full_page=True)
