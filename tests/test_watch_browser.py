"""The live page in a real browser: it follows a study to its end, stops one, and comes back.

Debian's chromium through Playwright; without either these tests skip. Screenshots are kept where
`FLEETGRAD_SCREENSHOTS` says.
"""

import threading

import pytest

import fleetgrad as fg
import pages
from browsing import DESK, PATIENCE, PHONE, Tab, kept, started
from fleetgrad import lock
from fleetgrad.store import Run
from fleetgrad.watch import serving
from fleetgrad.watch.follower import Follower
from runs import script
from simulated import SOUND
from test_watch_stopping import HOLDER
from whole import KINDS, SPACE

NAME = '<script>alert("x")</script> & ä 三'


@pytest.fixture(scope="module")
def browser():
    with started() as one:
        yield one


class Opened(Tab):
    """A page that has heard how things stand."""

    def __init__(self, browser, address, *, url=None, **others):
        super().__init__(browser, url or address.url, **others)

    def state(self, wanted):
        self.tab.wait_for_selector(f"body[data-state={wanted}]")

    def text(self, selector):
        return self.tab.text_content(selector)

    def says(self, selector, words):
        """Wait until an element holds these words."""
        self.tab.locator(selector, has_text=words).first.wait_for()

    def quiet(self, address):
        """Nothing was complained of, and nobody else was asked for anything."""
        place = f"http://127.0.0.1:{address.port}/"
        assert self.said == []
        assert [one for one in self.asked if not one.startswith((place, "data:"))] == []


def fit(opened):
    """Nothing is wider than the screen."""
    assert opened.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def sound(opened):
    """Axe finds no serious fault."""
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="needs axe-core-python")
    found = axe.Axe().run(opened.tab)["violations"]
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    assert not serious, [(one["id"], [n["html"][:120] for n in one["nodes"]]) for one in serious]


def served(place, port=0):
    return serving.serving(Follower(lambda: place, "tune"), port)


class Gated:
    """A real study in a thread, which goes from rung to rung as it is let."""

    def __init__(self, data, place):
        self._there, self._go, self._seen = threading.Event(), threading.Event(), set()
        options = {"budget": KINDS["halving"]["budget"], "strategy": "halving", "out": place}
        self._thread = threading.Thread(
            target=lambda: fg.tune(data, SPACE, report=self._report, **options), daemon=True
        )
        self._thread.start()

    def _report(self, progress):
        if (progress.phase, progress.rung) in self._seen:
            return
        self._seen.add((progress.phase, progress.rung))
        self._there.set()
        self._go.wait(60)

    def arrived(self):
        """Wait until it trains."""
        assert self._there.wait(60)

    def goes_on(self):
        """Let it go to its end."""
        self._seen |= {("search", rung) for rung in (1, 2)}
        self._go.set()

    def ended(self):
        self._thread.join(120)
        assert not self._thread.is_alive()


@pytest.mark.usefixtures("one_machine")
def test_the_page_follows_a_study_to_its_end_and_shows_its_report(browser, data, tmp_path):
    place = tmp_path / "run"
    with served(place) as address, Opened(browser, address) as opened:
        opened.state("waiting")
        study = Gated(data, place)
        study.arrived()
        opened.state("running")
        opened.says("#headline", "search, rung 1 of")
        assert opened.text("#spoken") == "Running: search."
        opened.says(".counts .of-training", "training6")
        assert opened.tab.is_visible("#none")
        assert opened.tab.is_visible("#stop")
        kept(opened, "watch-training")
        study.goes_on()
        opened.state("done")
        study.ended()
        opened.tab.wait_for_selector("#report:visible")
        assert "was chosen; its test accuracy is" in opened.text("#headline")
        assert opened.tab.locator("#board tbody tr").count() == 6
        assert opened.text("#name") == "clouds"
        assert not opened.tab.is_visible("#stop")
        label = opened.tab.get_attribute("#chart", "aria-label")
        assert label.startswith("6 learning curves over")
        opened.quiet(address)
        kept(opened, "watch-done-desk")
        with opened.context.expect_page() as found:
            opened.tab.click("#report")
        found.value.wait_for_selector("html[data-ready=yes]", timeout=PATIENCE)
        assert found.value.locator(".plot[data-drawn=yes] .main-svg").count()
        assert found.value.evaluate("origin") == "null"


@pytest.fixture
def halted(tmp_path):
    """A run that somebody stopped between two rungs; its data have a name to beware of."""
    dataset = {**pages.DATASET, "name": NAME}
    return pages.simulated(tmp_path / "run", 9, space=SOUND, dataset=dataset, to_the_end=False)


def test_the_button_stops_a_study_in_order_and_a_restart_brings_the_page_to_life(browser, halted):
    with served(halted) as address, Opened(browser, address) as opened:
        opened.state("stopped")
        assert opened.text("#name") == NAME
        with script(HOLDER, halted) as held:
            assert held.stdout.readline() == "ready\n"
            opened.state("running")
            opened.tab.click("#stop")
            assert opened.tab.is_visible("#sure")
            assert f"fleetgrad resume {halted}" in opened.text("#resume")
            kept(opened, "watch-sure")
            opened.tab.keyboard.press("Escape")
            assert held.poll() is None
            opened.tab.focus("#stop")
            opened.tab.keyboard.press("Enter")
            opened.tab.keyboard.press("Tab")
            opened.tab.keyboard.press("Enter")
            opened.state("stopped")
            assert held.stdout.read() == "in order\n"
        assert f"fleetgrad resume {halted}" in opened.text("#commands")
        with script(HOLDER, halted) as again:
            assert again.stdout.readline() == "ready\n"
            opened.state("running")
            again.stdin.close()
        opened.state("stopped")
        opened.quiet(address)


def test_a_study_that_cannot_be_stopped_from_here_is_said_to_be_so(browser, halted):
    with Run.open(halted), served(halted) as address, Opened(browser, address) as opened:
        opened.state("running")
        held = lock.holder(halted / "lock")
        (halted / "lock").write_text(f'{{"pid": {held.pid}, "host": "elsewhere"}}')
        opened.tab.click("#stop")
        opened.tab.click("#yes")
        opened.says("#told", "elsewhere")
        assert opened.text("#told").startswith("Not stopped: a run must be on this machine")
        assert opened.tab.is_enabled("#stop")


def test_without_the_token_the_page_shows_and_stops_nothing(browser, halted):
    with Run.open(halted), served(halted) as address:
        bare = address.url.partition("#")[0]
        with Opened(browser, address, url=bare) as opened:
            opened.state("running")
            assert opened.tab.is_disabled("#stop")
            assert "the whole address" in opened.text("#told")


def test_a_page_outlives_its_server_and_finds_the_next(browser, halted):
    with served(halted) as address:
        opened = Opened(browser, address)
        opened.state("stopped")
        rows = opened.tab.locator("#board tbody tr").count()
    with opened:
        opened.tab.wait_for_selector("body[data-link=over]")
        assert f"fleetgrad watch {halted}" in opened.text("#lost")
        assert opened.tab.locator("#board tbody tr").count() == rows
        kept(opened, "watch-over")
        with Run.open(halted), served(halted, address.port):
            opened.tab.wait_for_selector("body[data-link=live][data-state=running]")
            assert not opened.tab.is_visible("#lost")


def test_curves_are_named_by_the_pointer_and_by_keys(browser, halted):
    with served(halted) as address, Opened(browser, address) as opened:
        best = opened.text("#board tbody tr td:nth-child(2)")
        opened.tab.focus("#chart")
        opened.tab.keyboard.press("ArrowDown")
        assert opened.text("#named").startswith(f"{best}, ")
        assert opened.tab.locator("#board tr.picked").count() == 1
        opened.tab.keyboard.press("ArrowDown")
        assert not opened.text("#named").startswith(f"{best}, ")
        opened.tab.focus(".scroll")
        assert opened.text("#named") == ""
        opened.tab.locator("#chart").scroll_into_view_if_needed()
        box = opened.tab.locator("#chart").bounding_box()
        opened.tab.mouse.move(box["x"] + box["width"] - 14, box["y"] + 40, steps=3)
        assert opened.text("#named").startswith("#")
        opened.quiet(address)


@pytest.mark.parametrize(
    ("size", "dark"), [(DESK, False), (DESK, True), (PHONE, False)], ids=["desk", "dark", "phone"]
)
def test_it_is_fit_for_all_and_fits_every_screen(browser, digits_run, halted, size, dark):
    name = "phone" if size is PHONE else "dark" if dark else "desk"
    with served(digits_run) as address, Opened(browser, address, size=size, dark=dark) as opened:
        opened.state("done")
        fit(opened)
        opened.quiet(address)
        sound(opened)
        kept(opened, f"watch-digits-{name}")
    with (
        Run.open(halted),
        served(halted) as address,
        Opened(browser, address, size=size, dark=dark) as opened,
    ):
        opened.state("running")
        fit(opened)
        kept(opened, f"watch-running-{name}")
        opened.tab.click("#stop")
        kept(opened, f"watch-stop-{name}")
        sound(opened)
        opened.tab.keyboard.press("Escape")
        sound(opened)


def test_five_thousand_candidates_are_drawn_and_redrawn_at_once(browser, many_run):
    with served(many_run) as address, Opened(browser, address) as opened:
        assert "500 of" in opened.text("#caption")
        assert opened.text("#others") == "and 4,990 more"
        kept(opened, "watch-many")
        opened.tab.set_viewport_size(PHONE)
        fit(opened)
        opened.quiet(address)


@pytest.mark.parametrize("kind", ["begun", "one", "lost", "damaged"])
def test_a_run_of_which_little_is_known_is_a_page_too(browser, tmp_path, kind):
    place = tmp_path / "run"
    if kind == "begun":
        pages.begun(place)
    elif kind == "lost":
        pages.simulated(place, 12, space=pages.hopeless())
    else:
        pages.simulated(place, 1)
    if kind == "damaged":
        (place / "study.db").write_bytes(b"no database")
    state = {"begun": "stopped", "one": "done", "lost": "failed", "damaged": "unreadable"}[kind]
    with served(place) as address, Opened(browser, address) as opened:
        opened.state(state)
        assert opened.tab.is_visible("#none") == (kind in {"begun", "lost"})
        opened.quiet(address)
        kept(opened, f"watch-{kind}")
