import datetime as dt
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from fleetgrad.calibration import Calibration
from fleetgrad.clock import Progress
from fleetgrad.data import Dataset, load
from fleetgrad.display import (
    ahead,
    consoles,
    contents,
    downloads,
    live,
    measures,
    outcome,
    summary,
    words,
)
from fleetgrad.display.columns import Column, fitting, table
from fleetgrad.distilled import Distilled, Score
from fleetgrad.finals import Interval
from fleetgrad.forecast import Cohort, Forecast
from fleetgrad.insight import Evidence
from fleetgrad.leaderboard import Leaderboard, Row
from fleetgrad.plan import Plan
from fleetgrad.report.costs import Cost
from fleetgrad.result import Result, Validation
from fleetgrad.result import Test as Opened
from fleetgrad.settings import Settings
from fleetgrad.space import Float, Space, default_space
from fleetgrad.timing import Expected

RANGES = default_space(1000, 64, (8, 8)).to_dict()
SEALED, OPENED = None, Opened("accuracy", 0.975, Interval(0.95, 0.99), 360, 1)


def row(number, **known):
    known = {"status": "stopped", "epochs": 3, "score": 0.9 - number / 100, **known}
    return Row(id=number, settings=Settings(), **known)


def finalist(number, mean, *, tied=False):
    interval = Interval(mean - 0.01, mean + 0.01)
    known = {"mean": mean, "interval": interval, "replicates": 5, "tied": tied}
    return row(number, status="finalist", epochs=9, score=mean, **known)


def result(rows=(), **known):
    board = Leaderboard(rows)
    best = board.rows[0] if board.rows else None
    values = {
        "run": Path("runs/digits-1"),
        "dataset": {"name": "digits", "rows": 1437, "features": 64},
        "budget_s": None,
        "elapsed_s": 83.0,
        "candidates": len(board),
        "network_epochs": 120.0,
        "compile_s": 2.0,
        "leaderboard": board,
        "settings": best.settings if best else None,
        "validation": Validation("accuracy", best.mean, best.interval, 5)
        if best and best.mean
        else None,
        "test": OPENED,
        "ties": board.ties,
        "model": None,
        "model_path": Path("runs/digits-1/model"),
    }
    return Result(**{**values, **known})


FINISHED = result([finalist(4, 0.98), finalist(2, 0.975, tied=True), row(1), row(3)])


def console(width=80):
    return Console(file=io.StringIO(), width=width, highlight=False, emoji=False, markup=False)


def shown(found, *, ranges=None, width=80, **known):
    screen = console(width)
    outcome.show(screen, found, ranges or RANGES, **known)
    return screen.file.getvalue()


LOW, HIGH = words.BARS[0], words.BARS[-1]


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(2, 40))
def test_a_sparkline_never_grows_wider_than_asked(values, width):
    drawn = words.sparkline(values, 0.0, 1.0, width)
    assert len(drawn) == min(len(values), width)
    assert set(drawn) <= set(words.BARS)


@given(st.lists(st.floats(0, 1), min_size=50, max_size=80))
def test_a_shortened_sparkline_keeps_its_ends(values):
    ends = words.sparkline([values[0], values[-1]], 0.0, 1.0, 2)
    drawn = words.sparkline(values, 0.0, 1.0, 20)
    assert (drawn[0], drawn[-1]) == tuple(ends)


def test_a_curve_that_breaks_off_leaves_a_gap():
    assert words.sparkline([0.0, math.nan, 1.0], 0.0, 1.0, 9) == f"{LOW} {HIGH}"


def test_a_flat_curve_is_drawn_at_the_top():
    assert words.sparkline([0.5, 0.5], 0.5, 0.5, 9) == HIGH * 2


def test_an_unknown_share_is_said_to_be_unknown():
    assert words.percent(None) == words.percent(math.nan) == words.UNKNOWN


@given(st.floats(0, 1e7))
def test_a_time_never_shows_sixty_of_a_unit(seconds):
    assert not re.search(r"\b60 (s|min)\b", words.duration(seconds))


@given(
    st.lists(st.lists(st.text("ab", max_size=12), min_size=2, max_size=2), min_size=1),
    st.integers(10, 100),
)
def test_as_many_columns_as_fit_are_printed_whole(cells, width):
    chosen = fitting([Column("t", one) for one in cells], width)
    assert [list(one.cells) for one in chosen] == cells[: len(chosen)]
    screen = console(width)
    screen.print(table(chosen))
    lines = screen.file.getvalue().splitlines()
    assert len(lines) == 3 or len(chosen) == 1


def test_the_first_column_is_never_dropped():
    assert len(fitting([Column("long" * 40, []), Column("b", [])], 20)) == 1


def test_a_finished_run_names_the_winner_its_accuracies_and_how_to_go_on():
    text = shown(FINISHED)
    assert "#4  chosen among 2 equals; no winner can be named" in text
    assert "97.50 %   95.00 to 99.00   360 rows, opened once" in text
    assert "98.00 %   97.00 to 99.00   mean of 5 repeats on fresh splits" in text
    assert "#2: the data cannot tell it from #4" in text
    assert "fleetgrad predict runs/digits-1 FILE" in text
    assert "fleetgrad resume" not in text


TOLD = {
    "winner": Score(0.97, 0.1),
    "ensemble": Score(0.98, 0.06),
    "student": Score(0.975, 0.07),
}


@pytest.mark.parametrize(
    ("kept", "reason", "told", "words_"),
    [
        ("student", "better", TOLD, "one network like #4 that learned from them: better than it"),
        ("winner", "no better", TOLD, "the model is #4 itself: a student of them was no better"),
        ("winner", "diverged", TOLD, "a student of them diverged"),
        ("winner", "no time", None, "there was no time to learn from them"),
        ("winner", "no ensemble", None, "there is no ensemble to learn from"),
    ],
)
def test_a_distilled_run_says_which_network_it_hands_back_and_what_is_kept(
    kept, reason, told, words_
):
    teachers = {} if reason == "no ensemble" else {2: 0.75, 4: 0.25}
    one = Distilled(4, teachers, 0.5, told, 240, kept, reason)
    text = " ".join(shown(replace(FINISHED, ensemble=teachers, distilled=one)).split())
    assert words_ in text
    figures = "(winner 97.00 %, ensemble 98.00 %, student 97.50 % of 240 held-out rows)"
    assert (figures in text) == (told is not None)
    assert ("#2 75 %, #4 25 %: saved beside the model" in text) == bool(teachers)
    assert "they are the model" not in text


def repeated(*ties, replicates=5):
    rows = [
        replace(finalist(n, 0.98 - n / 100, tied=n in ties), replicates=replicates)
        for n in range(3)
    ]
    return result(rows, ties=tuple(ties))


@pytest.mark.parametrize(
    ("found", "claim"),
    [
        (repeated(), "#0  the winner of 3 finalists"),
        (repeated(1), "#0  chosen among the best; no single winner can be named"),
        (repeated(1, 2), "#0  chosen among 3 equals; no winner can be named"),
        (repeated(1, 2, replicates=2), "#0  chosen; a winner takes 3 repeats or more"),
        (result([finalist(0, 0.9)]), "#0  chosen; nobody was there to be compared with it"),
    ],
)
def test_no_more_is_claimed_than_the_data_show(found, claim):
    assert claim in shown(found)
    assert found.decided == ("the winner" in claim)


def ahead_of(cohorts, **known):
    plan = Plan((12, 12), 9, replicates=5)
    values = {"run": Path("runs/digits-1"), "dataset": FINISHED.dataset, "budget_s": None}
    values |= {"plan": plan, "cohorts": cohorts, "lanes": 2, "data_bytes": 97_784}
    values |= {"available_bytes": 16 * 10**9, "compile_s": 2.0, "loading_s": 1.0}
    return Forecast(**values | {"expected": Expected(20.0, 10.0, 5.0)} | known)


def cohort(number, *, measured=True, **settings):
    settings = {"hidden": [8 + number], "batch_size": 32, "optimizer": "sgd", "ema": 0} | settings
    return Cohort(settings, 4, 10**6, 0.02, measured)


@pytest.mark.parametrize("width", [80, 120])
def test_what_a_run_would_do_fits_and_names_what_varies_and_what_is_reckoned(width):
    screen = console(width)
    cohorts = [cohort(n, measured=n < 3, ema=n % 2 == 0) for n in range(15)]
    ahead.show(screen, ahead_of(tuple(cohorts)))
    text = screen.file.getvalue()
    assert all(cell_len(line) <= width for line in text.splitlines())
    for words_ in ("2 times 12 until epoch 1, 4 until epoch 3", "60 MB of networks",
                   "97.8 kB of data", "16 GB available", "search 20 s", "20 ms", "~20 ms", "ema",
                   "and 3 programs more", "~ is reckoned"):  # fmt: skip
        assert words_ in " ".join(text.split())
    screen = console(width)
    ahead.show(screen, ahead_of((cohort(0), cohort(1))))
    assert "~" not in screen.file.getvalue()
    assert "ema" not in screen.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_nothing_is_wider_than_the_terminal(width):
    lines = shown(FINISHED, width=width, curves={4: [0.1, 0.9]}).splitlines()
    assert max(map(cell_len, lines)) <= width


def test_no_color_reaches_what_is_no_terminal():
    assert "\x1b" not in shown(FINISHED)


def test_only_what_was_searched_is_listed_with_its_range():
    lines = [line.split() for line in shown(FINISHED).splitlines()]
    assert ["learning_rate", "0.001", "0.0005", "to", "0.02,", "log"] in lines
    assert not [line for line in lines if line[:1] == ["optimizer"]]


def test_a_second_opening_of_the_test_part_says_so():
    again = Opened("accuracy", 0.975, Interval(0.95, 0.99), 360, 2)
    text = shown(result([finalist(4, 0.98)], test=again), width=120)
    assert "opening 2: this test part was looked at before" in text


def test_an_interrupted_run_keeps_its_test_part_sealed_and_can_be_resumed():
    text = shown(result([row(1)], test=SEALED, interrupted=True), state="interrupted")
    assert "still sealed" in text
    assert "leads so far" in text
    assert "fleetgrad resume runs/digits-1" in text


def test_a_run_without_a_rung_says_so():
    known = {"test": SEALED, "interrupted": True, "model_path": None}
    text = shown(result(**known), state="planning")
    assert "no candidate has come through a rung yet" in text
    assert "fleetgrad predict" not in text


SCORED = [
    Row(n, Settings(learning_rate=0.01 * (n + 1)), "stopped", 3, 0.9 - 0.01 * n) for n in range(12)
]
RATES = Evidence(Space(learning_rate=Float(0.001, 0.5)), None, 0)


def test_the_end_names_what_mattered_most():
    text = shown(result(SCORED, evidence=RATES))
    assert re.search(r"mattered +learning_rate 100 % of what set", text)
    assert "mattered" not in shown(result(SCORED[:9], evidence=RATES)), "too few to say"
    assert "what mattered" not in text, "the rest is for `show`"
    found = result(SCORED, evidence=RATES)
    assert "what mattered  share" in shown(found, insight=found.insight)


def test_a_winner_that_only_guessed_is_said_to_and_nothing_to_have_mattered():
    guessing = {"name": "digits", "rows": 1437, "features": 64, "commonest_class": 0.95}
    validation = Validation("accuracy", 0.9, None, 1)
    found = result(SCORED, evidence=RATES, dataset=guessing, validation=validation)
    text = " ".join(shown(found, insight=found.insight).split())
    assert "beware no better than to answer the commonest class for every row" in text
    assert "95.00 %" in text
    assert " 100 % of what set" not in text


def test_a_run_in_which_all_diverged_shows_them_and_cannot_go_on():
    lost = [row(n, status="diverged", score=math.nan, diverged_step=7 + n) for n in range(3)]
    known = {"settings": None, "validation": None, "test": SEALED, "model_path": None}
    text = shown(result(lost, **known, interrupted=True), state="failed")
    assert "all of 3 candidates diverged" in text
    assert "diverged, step 9" in text
    assert "go on" not in text


def test_the_diverged_are_counted_and_named_with_their_step():
    broken = row(9, status="diverged", score=math.nan, diverged_step=12)
    text = shown(result([finalist(4, 0.98), broken]))
    assert "1 of 2" in text
    assert "diverged, step 12" in text


def test_ten_rows_are_shown_and_the_others_counted():
    text = shown(result([finalist(99, 0.98), *map(row, range(14))]))
    assert "and 5 more" in text


def test_a_directory_with_a_space_is_quoted_in_commands():
    text = shown(result([finalist(4, 0.98)], run=Path("my runs/a")))
    assert "fleetgrad show 'my runs/a'" in text


HERE = Progress("search", 2, 3, 9, 0.98, 40.0, 3.0, 27.0)
STEPS = [(0.0, 0.0), (1.0, 10.0), (2.0, 20.0)]


def test_the_speed_is_that_of_the_last_seconds():
    speed = live.Speed()
    for elapsed, done in [*STEPS, (10.0, 500.0), (11.0, 600.0)]:
        found = speed.note(HERE._replace(elapsed=elapsed, network_epochs=done))
    assert found == pytest.approx(100.0)


def test_another_rung_begins_another_measurement():
    speed = live.Speed()
    for elapsed, done in STEPS:
        speed.note(HERE._replace(elapsed=elapsed, network_epochs=done))
    assert speed.note(HERE._replace(rung=3, elapsed=2.5, network_epochs=900.0)) is None


def test_a_sentence_holds_the_rung_the_best_and_the_time_left():
    assert live.sentence(HERE, 5.43) == (
        "search, rung 2 of 3 · 9 alive · best 98.00 % · 3.0 s gone · at most 27 s left · "
        "5.4 network-epochs/s"
    )


def test_what_is_not_known_is_left_out():
    early = HERE._replace(best=math.nan, left=None)
    assert live.sentence(early, None) == "search, rung 2 of 3 · 9 alive · 3.0 s gone"


@pytest.mark.parametrize(
    ("phase", "rung", "rungs", "words_"),
    [
        ("finals", 1, 0, "finals"),
        ("finals", 3, 0, "finals, block 3"),
        ("refit", 1, 1, "refit"),
        ("bench", 2, 6, "bench, 2 of 6"),
    ],
)
def test_a_place_is_said_as_exactly_as_it_is_known(phase, rung, rungs, words_):
    assert live.place(HERE._replace(phase=phase, rung=rung, rungs=rungs)) == words_


def test_nothing_is_shown_without_a_terminal(capsys):
    with live.watching("tune") as report:
        report(HERE)
    assert capsys.readouterr() == ("", "")


def test_nothing_is_shown_when_quiet_is_asked_for(capsys):
    with live.watching("tune", quiet=True, verbose=True) as report:
        report(HERE)
    assert capsys.readouterr() == ("", "")


def test_plain_lines_go_to_standard_error_at_every_rung(capsys):
    with live.watching("tune", verbose=True) as report:
        report(HERE)
        report(HERE)
        report(HERE._replace(rung=3))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line[:19] for line in printed.err.splitlines()] == [
        "search, rung 2 of 3",
        "search, rung 3 of 3",
    ]


@pytest.mark.parametrize("left", [27.0, None])
def test_a_terminal_gets_two_lines_that_fit(monkeypatch, left):
    screen = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    monkeypatch.setattr(live, "err", lambda: screen)
    with live.watching("tune digits") as report:
        screen.file.truncate(0)
        report(HERE._replace(left=left))
    text = screen.file.getvalue()
    assert "tune digits · search, rung 2 of 3 · 9 alive · best 98.00 %" in text
    assert ("left" in text) == (left is not None)


PIECE = downloads.download.Progress("labels.gz", "https://example.org/labels.gz", 10, 100)


def test_a_log_gets_one_line_a_file(capsys):
    with downloads.watching() as watch:
        watch(PIECE)
        watch(PIECE)
    assert capsys.readouterr().err == "fetching https://example.org/labels.gz ...\n"


def test_a_quiet_download_shows_nothing(capsys):
    with downloads.watching(quiet=True) as watch:
        watch(PIECE)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_a_file(monkeypatch):
    screen = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    monkeypatch.setattr(downloads, "err", lambda: screen)
    with downloads.watching() as watch:
        watch(PIECE)
        watch(PIECE)
    assert "labels.gz" in screen.file.getvalue()


def test_the_bench_shows_each_population_beside_the_peak():
    found = {
        "machine": {"processor": "Some CPU", "cores": 2, "devices": ["cpu"], "jax": "0.10"},
        "peak_gflops": {"float32": 210.4, "bfloat16": 400.0},
        "rows": [
            {
                "hidden": [100, 100],
                "batch_size": 50,
                "optimizer": "sgd",
                "precision": "float32",
                "population": 16,
                "network_epochs_per_s": 5.75,
                "gflops": 131.0,
                "fraction_of_peak": 0.62,
                "compile_s": 0.9,
            }
        ],
    }
    screen = console()
    measures.bench(screen, found)
    text = screen.file.getvalue()
    assert "Some CPU  2 cores" in text
    assert "float32 210, bfloat16 400" in text
    row = ["16", "100-100", "50", "sgd", "float32", "5.75", "174", "62", "%"]
    assert row in [line.split() for line in text.splitlines()]


def test_the_notebook_shows_ours_beside_what_was_published():
    rows = [
        {
            "experiment": 1,
            "eta": 0.01,
            "epochs": 100,
            "alive": 9,
            "replicates": 16,
            "loss": 20.4,
            "loss_published": 22.39,
            "train_accuracy": 0.951,
            "train_accuracy_published": 0.95,
            "test_accuracy_raw": 0.9401,
            "test_accuracy_published": 0.9424,
            "test_accuracy_scaled": 0.9536,
            "lowest_raw": 0.655,
            "highest_raw": 0.943,
        }
    ]
    screen = console(120)
    measures.notebook(screen, rows, 700.0)
    text = screen.file.getvalue()
    for words_ in ("9 of 16", "20.40 (22.39)", "0.9401 (0.9424)", "0.9536", "0.655 to 0.943"):
        assert words_ in text


SUMMARY = {"kinds": {"numeric": 2, "date": 1}, "missing": 1, "left_out": ["id"]}


def test_a_plan_tells_what_columns_are_learned_from():
    found = ahead_of((cohort(0),), dataset={**FINISHED.dataset, "columns": SUMMARY})
    held = console()
    ahead.show(held, found)
    told = " ".join(held.file.getvalue().split())
    assert "2 numeric, 1 date; 1 with missing cells; left out, always the same: id" in told


def test_what_data_hold_is_told_column_by_column():
    pl = pytest.importorskip("polars")
    days = [dt.date(2026, 1, 1) + dt.timedelta(weeks=n) for n in range(12)]
    frame = {"a": [1, None] * 6, "w": list("xyz") * 4, "same": [0] * 12, "kind": list("pq") * 6}
    frame |= {"when": days, "odd": list("xxxxyyyyabcd")}
    found = contents.described(Dataset.from_frame(pl.DataFrame(frame), "kind"))
    held = console()
    contents.show(held, found)
    told = " ".join(held.file.getvalue().split())
    assert (
        f"frame 10 rows of {found['features']} features · 2 classes · 2 test rows, sealed" in told
    )
    for part in ("a numeric 2 a number, missing", "w category 3 3 words", "same numeric 0 nothing"):
        assert part in told
    assert "when date 3 a number, time of year" in told
    assert re.search(r"odd category 3 2 words, [3-6] rare words as one", told)


def test_numbers_to_predict_are_no_classes():
    data = Dataset.from_arrays([[float(n)] for n in range(12)], [n / 2 for n in range(12)])
    held = console()
    contents.show(held, contents.described(data))
    assert "· regression ·" in held.file.getvalue()


def test_data_without_columns_are_told_in_a_line():
    held = console()
    contents.show(held, contents.described(load("digits")))
    assert held.file.getvalue().count("\n") == 1


def test_sets_say_whether_they_are_here():
    known = [
        {"name": "digits", "title": "small", "bytes": 0, "folder": None},
        {"name": "mnist", "title": "digits", "bytes": 12e6, "folder": None},
        {"name": "kmnist", "title": "letters", "bytes": 21e6, "folder": "/cache/kmnist"},
    ]
    screen = console()
    measures.sets(screen, known)
    text = screen.file.getvalue()
    for words_ in ("always here", "12 MB to fetch", "in the cache, 21 MB"):
        assert words_ in text


def test_errors_and_notes_go_to_standard_error(capsys):
    consoles.complain("this is wrong; do that.")
    consoles.note("by the way.")
    assert capsys.readouterr() == ("", "Error: this is wrong; do that.\nby the way.\n")


def errors(**known):
    """A run by RMSE."""
    rows = [finalist(4, -52_613.4), row(1, score=-61_000.0)]
    rows[0] = replace(rows[0], interval=Interval(-54_000, -51_000))
    values = {
        "leaderboard": Leaderboard(rows, "rmse"),
        "settings": rows[0].settings,
        "candidates": 2,
        "metric": "rmse",
        "validation": Validation("rmse", 52_613.4, Interval(51_000, 54_000), 5, 52_700.0),
        "test": Opened("rmse", 51_900.0, Interval(50_000, 53_000), 4087, 1),
    }
    return result(**values | known)


def test_errors_are_shown_in_their_units_with_their_direction():
    lines = [" ".join(line.split()) for line in shown(errors(), width=140).splitlines()]
    assert "metric RMSE; less is better" in lines
    assert "test 51,900 50,000 to 53,000 4,087 rows, opened once" in lines
    figures = "52,613 51,000 to 54,000 mean of 5 repeats on fresh splits; "
    figures += "52,700 without the luck of being chosen"
    assert f"validation {figures}" in lines
    assert any(line.startswith("1 #4 52,613 51,000 to 54,000 9") for line in lines)
    assert any(line.startswith("2 #1 61,000 3 stopped") for line in lines)
    assert not any("%" in line for line in lines if "interval" not in line)


def test_errors_no_better_than_one_answer_for_all_rows_are_no_success():
    data = {"name": "cal", "rows": 100, "features": 8}
    poor, good = (errors(dataset=data | {"guess": guess}) for guess in (52_000.0, 60_000.0))
    assert (poor.above_chance, good.above_chance) == (False, True)
    assert errors().above_chance is None
    words_ = " ".join(shown(poor).split())
    assert "the same answer for every row, whose RMSE is 52,000" in words_
    assert "beware" not in shown(good)


def test_progress_tells_the_best_error_so_far():
    progress = Progress("search", 2, 3, 9, 52_613.4, 40.0, 3.0, None, "rmse")
    assert "best 52,613" in live.sentence(progress, None)


def test_how_sure_the_winner_is_stands_in_one_line():
    text = shown(result([finalist(4, 0.98)], calibration=Calibration(0.8, 0.052, 0.011, 240)))
    assert " ".join(text.split()).count("calibrated probabilities are off by 1.10 % on") == 1
    assert "5.20 % before logits were divided by 0.80 (240 held-out rows)" in " ".join(text.split())


def test_costs_and_what_was_saved_are_told():
    cost = Cost({"search": 60.0, "repeats": 60.0}, 240.0, 83.0)
    text = " ".join(shown(FINISHED, cost=cost).split())
    assert "search 60, repeats 60 network-epochs; 2.0 s of compiling" in text
    assert "75 % of the 240 of a search in which nobody is stopped" in text
    assert "saved" not in shown(FINISHED, cost=Cost({"search": 60.0}, 60.0, 83.0))


def test_it_ends_with_five_lines_to_pass_on():
    lines = shown(FINISHED).splitlines()
    assert lines[-6:] == ["in five lines, to pass on:", *summary.lines(FINISHED)]


def test_curves_are_on_one_scale_and_one_that_diverged_ends_in_a_cross():
    broken = row(9, status="diverged", score=math.nan, diverged_step=12)
    curves = {4: [0.5, 0.75, 1.0], 9: [0.5, math.nan, math.nan]}
    text = shown(result([finalist(4, 0.98), broken]), curves=curves, width=90)
    assert f"{LOW}▅{HIGH}" in text
    assert f"{LOW}{outcome.LOST}" in text
    assert f"▁ 50.00 % or worse, █ 100.00 %, {outcome.LOST} diverged" in " ".join(text.split())


@pytest.mark.parametrize("width", [40, 60, 70])
def test_a_narrow_terminal_loses_columns_and_nothing_else(width):
    text = shown(FINISHED, width=width, curves={4: [0.1, 0.9]})
    head = next(line for line in text.splitlines() if line.split()[:1] == ["id"])
    assert "validation" in head
    assert "hidden" not in head
    told = [line for line in text.splitlines() if "runs/" not in line]
    told = [line for line in told if line not in summary.lines(FINISHED)]
    assert max(map(cell_len, told)) <= width


@pytest.mark.parametrize("width", [50, 80])
def test_names_of_what_was_searched_stay_beside_ranges_that_are_too_long_for_a_line(width):
    own = {"shift": 2, "rotation": 5.0, "scale": 0.05, "shear": 3.0, "elastic": 0.5}
    ranges = RANGES | {"augment": {"choice": [own, {**own, "shift": 3}, "none"]}}
    lines = shown(FINISHED, ranges=ranges, width=width).splitlines()
    head = next(place for place, line in enumerate(lines) if line.split()[:1] == ["searched"])
    names = {line[2:].partition(" ")[0] for line in lines[head + 1 : head + 20]}
    assert {"augment", "hidden", "learning_rate"} <= names
    assert max(map(cell_len, lines[head : head + 10])) <= width


@pytest.mark.parametrize(
    ("encoding", "bars"), [("ascii", "_#"), ("iso-8859-1", "_#"), ("utf-8", f"{LOW}{HIGH}")]
)
def test_a_stream_that_knows_no_bars_gets_letters(monkeypatch, encoding, bars):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("COLUMNS", "100")
    data = {**FINISHED.dataset, "name": "цифры"}
    outcome.show(consoles.out(), replace(FINISHED, dataset=data), RANGES, curves={4: [0.1, 0.9]})
    stream.flush()
    text = stream.buffer.getvalue().decode(encoding)
    assert f" {bars} " in text
    assert ("\\u0446" in text) == (encoding != "utf-8")


def test_who_wants_no_color_gets_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Console(file=io.StringIO(), width=80, force_terminal=True)
    outcome.show(screen, FINISHED, RANGES)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", screen.file.getvalue())


def test_a_headline_is_broken_between_its_parts():
    told = outcome._headline(FINISHED, 40).plain.splitlines()
    assert len(told) > 1
    assert " · ".join(line.strip() for line in told).replace("  ", " ") == (
        outcome._headline(FINISHED, 400).plain.replace("  ", " ")
    )
