"""The page in a real browser: it opens quietly, draws all, sorts, answers, and is fit for all.

Debian's chromium through Playwright; without either these tests skip. Screenshots are kept where
`FLEETGRAD_SCREENSHOTS` says.
"""

import json
import math

import numpy as np
import pytest

import fleetgrad as fg
import pages
from browsing import DESK, PHONE, Tab, kept, started
from fleetgrad.report import page
from simulated import SPACE

SEVEN = ((0.3, 0.22), (0.7, 0.2), (0.46, 0.82))


@pytest.fixture(scope="module")
def browser():
    with started() as one:
        yield one


def report(place):
    return (place / "report.html").as_uri()


@pytest.fixture(scope="module")
def mnist_run(shared_data, tmp_path_factory):
    """A small network that has learned some of MNIST, its page, and the first test images."""
    mnist = fg.load("mnist", data_dir=shared_data)
    few = mnist.test.open("a test", lambda _: 1)
    train = mnist.x[:6000], mnist.y[:6000]
    data = fg.Dataset.from_arrays(*train, few.x[:500], few.y[:500], image_shape=(28, 28))
    space = fg.Space(hidden=(128,), learning_rate=fg.Float(0.002, 0.004))
    place = tmp_path_factory.mktemp("mnist") / "run"
    result = fg.tune(data, space, fg.Budget(candidates=1, epochs=8), out=place)
    firsts = [int(np.flatnonzero(few.y == digit)[0]) for digit in range(10)]
    return place, few.x[firsts], result.model


@pytest.mark.parametrize("run", ["digits_run", "table_run", "numbers_run", "untested_run"])
@pytest.mark.parametrize(
    ("size", "dark"), [(DESK, False), (DESK, True), (PHONE, False)], ids=["desk", "dark", "phone"]
)
def test_it_opens_quietly_and_draws_every_figure(browser, run, size, dark, request):
    place = request.getfixturevalue(run)
    with Tab(browser, report(place), size=size, dark=dark) as opened:
        assert opened.said == []
        assert [one for one in opened.asked if not one.startswith(("file:", "data:"))] == []
        plots, tab = opened.tab.locator(".plot"), opened.tab
        assert plots.count() >= 7
        assert tab.locator(".plot[data-drawn=yes] .main-svg").count() >= plots.count()
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        kept(opened, f"{run}-{'phone' if size is PHONE else 'desk'}{'-dark' if dark else ''}")


def test_five_thousand_candidates_open_too(browser, many_run):
    with Tab(browser, report(many_run)) as opened:
        assert opened.said == []
        assert opened.tab.locator("#board tbody tr").count() == 20
        opened.tab.click("#more")
        assert opened.tab.locator("#board tbody tr").count() == 220
        assert opened.tab.locator(".plot:not([data-drawn])").count() == 0
        kept(opened, "many")


@pytest.mark.parametrize("space", [SPACE, pages.hopeless()], ids=["one", "all-diverged"])
def test_a_run_of_which_little_is_known_opens_too(browser, space, tmp_path):
    place = pages.simulated(tmp_path / "run", 1 if space is SPACE else 12, space=space)
    with Tab(browser, page.write(place).as_uri()) as opened:
        assert opened.said == []
        assert opened.tab.locator(".plot:not([data-drawn])").count() == 0


def column(opened, number):
    cells = f"#board tbody td:nth-child({number})"
    return [float(one.strip("#% ")) for one in opened.tab.locator(cells).all_text_contents()]


def test_the_leaderboard_sorts_and_filters(browser, digits_run):
    with Tab(browser, report(digits_run)) as opened:
        tab, heads = opened.tab, opened.tab.locator("#board th")
        assert column(opened, 1) == list(range(1, 13))
        assert heads.nth(0).get_attribute("aria-sort") == "ascending"
        heads.nth(2).locator("button").click()
        assert heads.nth(2).get_attribute("aria-sort") == "ascending"
        assert column(opened, 3) == sorted(column(opened, 3))
        heads.nth(2).locator("button").press("Enter")
        assert heads.nth(2).get_attribute("aria-sort") == "descending"
        assert column(opened, 3) == sorted(column(opened, 3), reverse=True)
        assert heads.nth(0).get_attribute("aria-sort") is None
        tab.fill("#find", "32-16")
        shown = tab.locator("#board tbody tr")
        assert 0 < shown.count() < 12
        assert all("32-16" in one for one in shown.all_text_contents())
        tab.fill("#find", "")
        tab.select_option("#status", "finalist")
        assert shown.count() == 3
        assert tab.text_content("#count") == "3 of 12 candidates"


def draw(tab, strokes):
    canvas = tab.locator("#canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        tab.mouse.move(*places[0])
        tab.mouse.down()
        for place in places[1:]:
            tab.mouse.move(*place, steps=8)
        tab.mouse.up()


def test_a_drawn_seven_is_answered_seven(browser, mnist_run):
    with Tab(browser, report(mnist_run[0])) as opened:
        draw(opened.tab, [SEVEN])
        assert opened.tab.text_content("#answer").startswith("7,")
        shares = [
            float(one.strip("% ")) for one in opened.tab.locator(".share").all_text_contents()
        ]
        assert len(shares) == 10
        assert sum(shares) == pytest.approx(100, abs=0.6)
        kept(opened, "seven")
        opened.tab.click("#clear")
        assert opened.tab.text_content("#answer").startswith("Draw")
        assert opened.said == []


def test_a_finger_draws_as_a_mouse_does(browser, mnist_run):
    with Tab(browser, report(mnist_run[0]), size=PHONE) as opened:
        opened.tab.locator("#canvas").scroll_into_view_if_needed()
        opened.tab.evaluate(
            """(stroke) => {
              const canvas = document.getElementById("canvas");
              const area = canvas.getBoundingClientRect();
              canvas.setPointerCapture = () => {};  // of a finger that is none
              stroke.forEach(([x, y], place) => canvas.dispatchEvent(new PointerEvent(
                place ? "pointermove" : "pointerdown", {
                  pointerId: 5, pointerType: "touch", bubbles: true, cancelable: true,
                  clientX: area.left + x * area.width, clientY: area.top + y * area.height })));
              canvas.dispatchEvent(new PointerEvent("pointerup", { pointerId: 5 }));
            }""",
            [list(one) for one in SEVEN],
        )
        assert opened.tab.text_content("#answer").startswith("7,")


def test_size_and_place_of_what_is_drawn_do_not_matter(browser, mnist_run):
    with Tab(browser, report(mnist_run[0])) as opened:
        images = [
            opened.tab.evaluate(
                "(strokes) => Array.from(fleetgrad.rendered(strokes))",
                [[[scale * x + by, scale * y] for x, y in SEVEN]],
            )
            for scale, by in ((1, 0), (0.5, 0), (0.5, 0.4))
        ]
        whole = np.array(images[0]).reshape(28, 28)
        assert np.allclose(images[1], whole.ravel(), atol=40)
        assert np.allclose(images[1], images[2], atol=40)
        rows, columns = np.nonzero(whole > 30)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20  # MNIST's box
        mass = [(whole.sum(axis=axis) @ np.arange(28)) / whole.sum() for axis in (0, 1)]
        assert np.allclose(mass, 13.5, atol=0.6)
        assert 0 < whole.max() <= 255


def answered(opened, rows):
    """What the page's own code says of raw rows."""
    return np.array(
        [
            opened.tab.evaluate("(row) => Array.from(fleetgrad.answer(row))", row.tolist())
            for row in rows
        ]
    )


def test_the_first_image_of_each_digit_is_answered_as_python_answers(browser, mnist_run):
    place, rows, model = mnist_run
    with Tab(browser, report(place)) as opened:
        found = answered(opened, rows)
    assert np.allclose(found, model.predict_proba(rows), atol=0.01)
    assert found.argmax(axis=1).tolist() == model.predict(rows).tolist()


def test_digits_are_answered_as_python_answers(browser, digits_run):
    model, rows = fg.Model.load(digits_run), pages.images().x[:40]
    with Tab(browser, report(digits_run)) as opened:
        assert np.allclose(answered(opened, rows), model.predict_proba(rows), atol=0.01)
        example = opened.tab.locator(".example").nth(0)
        example.focus()
        opened.tab.keyboard.press("Enter")
        assert "%" in opened.tab.text_content("#answer")


FORMS = [
    {"normalization": "layer", "activation": "gelu", "parametric": True},
    {"normalization": "batch", "activation": "mish"},
    {"activation": "selu", "loss": "squared_error"},
    {"activation": "elu"},
    {"activation": "leaky_relu"},
    {"activation": "silu", "hidden": (700, 700)},  # of eight bits
    {"activation": "tanh"},
    {"activation": "sigmoid", "hidden": ()},
]


def test_every_form_of_network_answers_as_python_does(browser, digits_run):
    from fleetgrad.payload import strict
    from fleetgrad.report import drawing
    from test_report_drawing import browsed, model, network

    x = np.random.default_rng(1).uniform(0, 16, (5, 64)).astype(np.float32)
    with Tab(browser, report(digits_run)) as opened:
        for form in FORMS:
            width = max(form.get("hidden", (1,)) or (1,))
            own = network(scale=0.3 / math.sqrt(max(1, width / 10)), **form)
            held = drawing.of(model(own), None, {})
            plain = json.dumps(strict(held) | {"classes": list("abcdefghij")})
            found = opened.tab.evaluate(
                "([held, rows]) => rows.map(fleetgradNetwork(JSON.parse(held)))",
                [plain, x.tolist()],
            )
            assert np.allclose(found, browsed(held, x), atol=1e-3), form


@pytest.mark.parametrize("run", ["digits_run", "table_run"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault(browser, run, dark, request):
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="needs axe-core-python")
    with Tab(browser, report(request.getfixturevalue(run)), dark=dark) as opened:
        found = axe.Axe().run(opened.tab)["violations"]
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    assert not serious, [(one["id"], [n["html"][:120] for n in one["nodes"]]) for one in serious]


def test_the_words_stand_without_scripts(browser, digits_run):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(report(digits_run))
    assert tab.locator("#board tbody tr").count() == 12
    assert tab.locator(".sentences").first.is_visible()
    context.close()
