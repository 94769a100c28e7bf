import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from sklearn.datasets import load_digits

import fleetgrad
from fleetgrad import cli
from fleetgrad.errors import TrainingError
from fleetgrad.store import Run

SPACE = """
hidden = { choice = [[16], [24]] }
learning_rate = { low = 1e-3, high = 1e-1, log = true }
"""
SLOW = ("libraries", "jax", "numpy", "optuna", "rich", "scipy", "sklearn")
COMMANDS = (
    "tune",
    "resume",
    "show",
    "report",
    "watch",
    "dashboard",
    "predict",
    "export",
    "notebook",
    "bench",
    "data",
    "space",
)


def command(*arguments):
    return [sys.executable, "-m", "fleetgrad", *map(str, arguments)]


def spoken(capsys, *arguments):
    """The exit status and what was printed, in this process."""
    status = cli.main([*map(str, arguments)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def read_until(stream, words):
    """What a stream holds up to the line with these words."""
    text = ""
    for line in stream:
        text += line
        if words in line:
            break
    return text


class Terminal:
    """A terminal for somebody's standard error; `text` is what it was sent."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self.text = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        while True:
            try:
                piece = os.read(self.master, 4096)
            except OSError:  # Linux's way to say that nobody writes any more
                return
            self.text += piece.decode(errors="replace")

    def close(self):
        os.close(self.slave)
        self._reader.join()
        os.close(self.master)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "space.toml").write_text(SPACE)
    np.save(folder / "digits.npy", load_digits().images[:5].astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def finished(folder):
    """A run to its end: its answer, what a terminal showed meanwhile, where it is."""
    options = ["--candidates", 4, "--epochs", 2, "--space", folder / "space.toml", "--json"]
    terminal, place = Terminal(), folder / "run"
    found = subprocess.run(
        command("tune", "digits", *options, "--out", place),
        stdout=subprocess.PIPE,
        stderr=terminal.slave,
        text=True,
        check=True,
    )
    terminal.close()
    return json.loads(found.stdout), re.sub(r"\x1b\[[0-9;?]*\w", "", terminal.text), place


@pytest.fixture(scope="module")
def unfinished(folder):
    """A run that was stopped by a signal: its exit status, its answer, what it said, where."""
    place = folder / "stopped"
    options = ["--candidates", 60, "--epochs", 60, "--space", folder / "space.toml"]
    process = subprocess.Popen(
        command("tune", "digits", *options, "--out", place, "--json", "-v"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = read_until(process.stderr, "best")  # somebody has learned something
    process.send_signal(signal.SIGTERM)
    answer, rest = process.communicate(timeout=60)
    return process.returncode, json.loads(answer), said + rest, place


# From the data to the winner


def test_tune_answers_with_one_object_that_keeps_the_contract(finished):
    answer, _, place = finished
    contract = "run dataset budget_s elapsed_s candidates network_epochs compile_s settings"
    contract += " validation test ties diverged model"
    assert set(answer) >= set(contract.split())
    assert set(answer["validation"]) >= {"metric", "mean", "interval", "replicates", "corrected"}
    assert set(answer["test"]) >= {"metric", "value", "interval", "n"}
    assert answer["run"] == str(place)
    assert (answer["candidates"], answer["budget_s"], answer["interrupted"]) == (4, None, False)


def test_a_terminal_shows_progress_while_the_answer_goes_elsewhere(finished):
    _, shown, _ = finished
    assert "tune digits · search, rung 1 of" in shown
    assert "alive" in shown


def test_show_tells_from_the_record_what_tune_answered(finished, capsys):
    answer, _, place = finished
    status, out, err = spoken(capsys, "show", place, "--json")
    shown = json.loads(out)
    assert (status, err, shown["phase"], shown["writer"]) == (0, "", "done", None)
    for name in ("settings", "validation", "test", "ties", "leaderboard", "winner", "model",
                 "insight", "above_chance"):  # fmt: skip
        assert shown[name] == answer[name]
    assert len(shown["curves"]) == 4
    assert len(shown["summary"]) == 5
    assert shown["summary"] == answer["summary"]
    assert sum(shown["cost"]["spent"].values()) == pytest.approx(answer["network_epochs"])


def test_show_prints_the_winner_for_a_person(finished, capsys):
    answer, _, place = finished
    status, out, _ = spoken(capsys, "show", place)
    assert status == 0
    assert f"#{answer['winner']}" in out
    assert f"{100 * answer['test']['value']:.2f} %" in out
    assert out.splitlines()[-5:] == answer["summary"]
    assert "\x1b" not in out


def test_resuming_a_finished_run_gives_its_result_again(finished, capsys):
    answer, _, place = finished
    status, out, _ = spoken(capsys, "resume", place, "--json")
    again = json.loads(out)
    assert status == 0
    for name in ("settings", "validation", "test", "leaderboard", "elapsed_s"):
        assert again[name] == answer[name]


def test_tune_prints_the_outcome_for_a_person(folder, capsys):
    options = ["--candidates", 1, "--epochs", 1, "--space", folder / "space.toml"]
    status, out, err = spoken(capsys, "tune", "digits", *options, "--out", folder / "small")
    assert (status, err) == (0, "")
    for words in ("validation", "opened once", "learning_rate", "fleetgrad predict"):
        assert words in out


def test_a_dry_run_prints_the_plan_and_writes_nothing(folder, capsys):
    options = ["--candidates", 4, "--epochs", 2, "--space", folder / "space.toml", "--dry-run"]
    before = sorted(folder.iterdir())
    status, out, err = spoken(capsys, "tune", "digits", *options, "--out", folder / "dry")
    assert (status, err) == (0, "")
    for words in ("4 candidates", "4 until epoch 1", "3 finalists, 5 repeats", "1 program",
                  "not made yet", "nothing was trained"):  # fmt: skip
        assert words in " ".join(out.split())
    status, out, err = spoken(capsys, "tune", "digits", *options, "--json")
    answer = json.loads(out)
    assert (status, err) == (0, "")
    assert (answer["candidates"], answer["generations"], answer["measured"]) == (4, [4], True)
    assert answer["rungs"] == [{"epochs": [1, 2], "survivors": [3, 3]}]
    assert sum(one["candidates"] for one in answer["cohorts"]) == 4
    assert sorted(folder.iterdir()) == before


# A model in use


def test_predict_prints_a_label_a_line(finished, folder, capsys):
    status, out, _ = spoken(capsys, "predict", finished[2], folder / "digits.npy")
    assert status == 0
    assert len(out.split()) == 5
    assert set(out.split()) <= set("0123456789")


def test_several_files_are_told_apart(finished, folder, capsys):
    file = folder / "digits.npy"
    _, out, _ = spoken(capsys, "predict", finished[2] / "model", file, file)
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(file)] * 10


def test_probabilities_stand_beside_the_labels(finished, folder, capsys):
    _, out, _ = spoken(capsys, "predict", finished[2], folder / "digits.npy", "--proba")
    head, *rows = [line.split("\t") for line in out.splitlines()]
    assert head == ["label", *"0123456789"]
    for label, *shares in rows:
        assert sum(map(float, shares)) == pytest.approx(1, abs=1e-4)
        assert int(label) == int(np.argmax([float(share) for share in shares]))


def test_predictions_as_json_hold_the_same(finished, folder, capsys):
    file = folder / "digits.npy"
    _, plain, _ = spoken(capsys, "predict", finished[2], file)
    _, out, _ = spoken(capsys, "predict", finished[2], file, "--proba", "--json")
    answer = json.loads(out)
    assert [str(label) for label in answer["predictions"]] == plain.split()
    assert answer["files"] == [{"file": str(file), "rows": 5}]
    assert np.shape(answer["probabilities"]) == (5, len(answer["classes"]))


def test_the_model_is_exported(finished, folder, capsys):
    pytest.importorskip("onnx")
    path = folder / "model.onnx"
    status, out, _ = spoken(capsys, "export", finished[2], path, "--json")
    assert (status, json.loads(out)) == (0, {"onnx": str(path), "bytes": path.stat().st_size})


def test_a_run_without_a_model_says_how_to_get_one(folder, capsys):
    Run.create(folder / "the bare", {"seed": 0}).close()
    status, _, err = spoken(capsys, "predict", folder / "the bare", folder / "digits.npy")
    assert status == 2
    assert f"fleetgrad resume '{folder / 'the bare'}'" in err


# The end of a command


def test_sigterm_ends_a_run_in_order(unfinished):
    status, answer, said, place = unfinished
    assert status == 130
    assert answer["interrupted"]
    assert answer["test"] is None
    assert answer["leaderboard"]
    assert f"go on with `fleetgrad resume {place}`" in said
    assert "Traceback" not in said


def test_without_a_terminal_verbose_progress_is_plain_lines(unfinished):
    said = unfinished[2]
    assert said.splitlines()[0].startswith("search, rung 1 of")
    assert "\x1b" not in said


def test_an_unfinished_run_can_be_shown(unfinished, capsys):
    status, out, _ = spoken(capsys, "show", unfinished[3])
    assert status == 0
    assert "nobody is at it" in out
    assert "fleetgrad resume" in out


def test_ctrl_c_while_resuming_ends_in_order_too(unfinished):
    place = unfinished[3]
    process = subprocess.Popen(
        command("resume", place, "-v"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    read_until(process.stderr, "best")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "leads so far" in out
    assert "go on with" in err


def test_a_run_that_fails_ends_with_one(monkeypatch, capsys):
    def fail(*_, **__):
        raise TrainingError("all diverged; lower the rate.")

    monkeypatch.setattr("fleetgrad.api.tune", fail)
    status, out, err = spoken(capsys, "tune", "digits", "--json")
    assert status == 1
    message = "all diverged; lower the rate."
    told = {"kind": "TrainingError", "message": message, "divergence": None}
    assert json.loads(out) == {"error": told}
    assert err == f"Error: {message}\n"


BROKEN = """
activation = "leaky_relu"
learning_rate = { low = 1e5, high = 1e7, log = true }
momentum = { low = 0.5, high = 0.9 }
optimizer = "momentum"
"""


def test_a_search_in_which_all_diverged_shows_where_and_can_be_looked_at(tmp_path, capsys):
    (tmp_path / "space.toml").write_text(BROKEN)
    place = tmp_path / "run"
    options = ["--space", tmp_path / "space.toml", "--candidates", 3, "--epochs", 1]
    status, out, err = spoken(capsys, "tune", "digits", *options, "--out", place, "--json")
    error = json.loads(out)["error"]
    assert status == 1
    assert error["kind"] == "TrainingError"
    assert np.sum(error["divergence"]["tried"]) == np.sum(error["divergence"]["diverged"]) == 3
    said, _, *drawn = err.splitlines()
    assert said == f"Error: {error['message']}"
    assert sum(line.count("1/1") for line in drawn) == 3
    assert spoken(capsys, "resume", place)[::2] == (1, err)
    status, shown, _ = spoken(capsys, "show", place)
    assert status == 0
    assert "failed: every candidate diverged" in shown
    assert shown.count("diverged, step") == shown.count("1/1") == 3
    assert "go on" not in shown


def test_what_nobody_foresaw_is_one_line_with_the_traceback_kept(monkeypatch, tmp_path, capsys):
    def fail(*_, **__):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("fleetgrad.api.tune", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    status, out, err = spoken(capsys, "tune", "digits")
    (kept,) = tmp_path.iterdir()
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "RuntimeError: two lines" in err
    assert str(kept) in err
    assert "Traceback" in kept.read_text()


def test_the_traceback_is_shown_to_whoever_asks(monkeypatch, capsys):
    def fail(*_, **__):
        raise RuntimeError("odd")

    monkeypatch.setattr("fleetgrad.api.tune", fail)
    monkeypatch.setenv("FLEETGRAD_TRACEBACK", "1")
    status, _, err = spoken(capsys, "tune", "digits")
    assert status == 1
    assert "Traceback" in err


def test_an_interrupt_before_anything_was_learned_says_so(monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("fleetgrad.api.tune", interrupt)
    status, out, err = spoken(capsys, "tune", "digits", "--json")
    assert status == 130
    assert json.loads(out)["error"]["kind"] == "Interrupted"
    assert "start it again" in err


def test_a_reader_that_goes_away_gets_no_traceback(finished):
    show = command("show", finished[2])
    with subprocess.Popen(show, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 1


WRONG = {
    "an unknown command": (["tun"], "did you mean `tune`?"),
    "an unknown command of a group": (["data", "fetsh"], "did you mean `fetch`?"),
    "an unknown option": (["tune", "digits", "--budgt", "1m"], "did you mean `--budget`?"),
    "no data": (["tune"], "see `fleetgrad tune --help`"),
    "unknown data": (["tune", "digts"], "did you mean `digits`?"),
    "no number": (["tune", "digits", "--seed", "many"], "--seed"),
    "a seed below 0": (["tune", "digits", "--seed", "-1"], "`seed` must be"),
    "a budget of 0": (["tune", "digits", "--budget", "0"], "above 0"),
    "no time": (["tune", "digits", "--budget", "soon"], "10m"),
    "candidates alone": (["tune", "digits", "--candidates", "4"], "add `--epochs 9`"),
    "epochs alone": (["tune", "digits", "--epochs", "4"], "add `--candidates 9`"),
    "both budgets": (
        ["tune", "digits", "--budget", "9s", "--candidates", "4", "--epochs", "2"],
        "got both",
    ),
    "an unknown sampler": (["tune", "digits", "--sampler", "sobo"], "did you mean `sobol`?"),
    "no space": (["tune", "digits", "--space", "nowhere.toml"], "nowhere.toml"),
    "no target": (["tune", "digits", "--target", "label"], "leave it out"),
    "no data dir": (["tune", "mnist", "--data-dir", "nowhere"], "nowhere"),
    "an unwritable directory": (
        ["tune", "digits", "--candidates", "4", "--epochs", "1", "--out", "/proc/run"],
        "/proc/run",
    ),
    "no run": (["resume", "nowhere"], "fleetgrad tune"),
    "no run to show": (["show", "nowhere"], "fleetgrad tune"),
    "no run to watch": (["watch", "nowhere/run"], "fleetgrad tune"),
    "a dry run to watch": (["tune", "digits", "--dry-run", "--watch"], "leave out one"),
    "no model": (["predict", "nowhere", "x.npy"], "nowhere"),
    "no such set": (["data", "fetch", "minst"], "did you mean `mnist`?"),
    "no folder": (["notebook", "--data", "nowhere"], "nowhere"),
    "no replicate": (["notebook", "--replicates", "0", "--data", "."], "`replicates`"),
}


@pytest.mark.parametrize("given", WRONG, ids=lambda name: name.replace(" ", "_"))
def test_wrong_use_is_one_line_with_a_remedy_and_ends_with_two(
    given, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEETGRAD_DATA", raising=False)
    arguments, remedy = WRONG[given]
    status, out, err = spoken(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 1
    assert remedy in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["tun"], ["show", "nowhere"], ["tune", "--budgt"]])
def test_wrong_use_with_json_answers_with_the_error(arguments, capsys):
    status, out, err = spoken(capsys, *arguments, "--json")
    error = json.loads(out)["error"]
    assert status == 2
    assert error["kind"] in {"UsageError", "RunError"}
    assert err == f"Error: {error['message']}\n"


def test_a_run_is_not_begun_twice_in_one_place(finished, capsys):
    options = ["--candidates", 1, "--epochs", 1, "--out", finished[2]]
    status, _, err = spoken(capsys, "tune", "digits", *options)
    assert status == 2
    assert "fleetgrad resume" in err


# The default space


def test_the_default_space_is_printed_as_a_file_that_means_it(capsys, tmp_path):
    path = tmp_path / "my.toml"
    for data in ("digits", "notebook"):
        found = json.loads(spoken(capsys, "space", data, "--json")[1])
        path.write_text(found["toml"])
        assert fleetgrad.Space.from_toml(path).to_dict() == found["space"]
    assert spoken(capsys, "space", "notebook")[:2] == (0, found["toml"])


def test_a_space_is_given_by_name_too(capsys, tmp_path, world, no_page):
    options = ["--candidates", 3, "--epochs", 1, "--out", tmp_path / "run"]
    spoken(capsys, "tune", "digits", "--space", "notebook", *options)
    (tmp_path / "space.toml").write_text(spoken(capsys, "space", "notebook")[1])
    with Run.open(tmp_path / "run", write=False) as run:
        named = fleetgrad.Space.from_toml(tmp_path / "space.toml")
        assert run.config["space"] == named.to_dict()


# Help, and the rest


def test_help_names_every_command(capsys):
    status, out, _ = spoken(capsys, "--help")
    assert status == 0
    assert [line for line in COMMANDS if f"\n  {line} " not in out] == []
    assert spoken(capsys)[1] == out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    status, out, _ = spoken(capsys, name, "--help")
    assert status == 0
    assert f"Usage: fleetgrad {name}" in out
    assert name == "data" or "--json" in out


def test_the_version_is_told(capsys):
    assert spoken(capsys, "--version")[:2] == (0, f"fleetgrad {fleetgrad.__version__}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["tune", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fleetgrad", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in found.stderr.splitlines()}
    assert not loaded & set(SLOW)


def test_named_sets_are_listed(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FLEETGRAD_CACHE", str(tmp_path))
    _, out, _ = spoken(capsys, "data", "list", "--json")
    known = {one["name"]: one for one in json.loads(out)["sets"]}
    assert set(known) == {"digits", "fashion-mnist", "kmnist", "mnist"}
    assert known["mnist"]["folder"] is None
    assert "12 MB to fetch" in spoken(capsys, "data", "list")[1]


TABLE = "size,color,same,kind\n" + "".join(
    f"{n if n % 3 else ''},{('red', 'blue')[n % 2]},1,{'xy'[n // 2 % 2]}\n" for n in range(40)
)


def test_what_data_hold_is_shown(capsys, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    found = json.loads(spoken(capsys, "data", "show", tmp_path / "t.csv", "--json")[1])
    assert {name: found[name] for name in ("rows", "features", "classes", "test_rows")} == {
        "rows": 32,
        "features": 4,
        "classes": 2,
        "test_rows": 8,
    }
    assert [one["kind"] for one in found["columns"]] == ["numeric", "category", "numeric"]
    status, out, _ = spoken(capsys, "data", "show", tmp_path / "t.csv", "--target", "color")
    assert status == 0
    assert "category" in out


def test_a_table_goes_all_the_way_and_is_taken_raw_again(capsys, tmp_path):
    path, run = tmp_path / "t.csv", tmp_path / "run"
    path.write_text(TABLE)
    (tmp_path / "space.toml").write_text("hidden = { choice = [[3], [4]] }\nbatch_size = 8\n")
    options = ["--candidates", 1, "--epochs", 1, "--space", tmp_path / "space.toml"]
    status, out, _ = spoken(capsys, "tune", path, *options, "--out", run, "--json", "-q")
    assert status == 0
    assert json.loads(out)["dataset"]["columns"] == {
        "kinds": {"numeric": 1, "category": 1},
        "missing": 1,
        "left_out": ["same"],
    }
    status, out, _ = spoken(capsys, "predict", run, path)
    assert status == 0
    assert len(out.split()) == 40
    path.write_text("size,colour\n1,red\n")
    status, _, err = spoken(capsys, "predict", run, path)
    assert status == 2
    assert "did you mean `colour`" in err


def test_columns_to_ignore_are_on_record_and_may_be_there_in_use_or_not(capsys, tmp_path):
    head, *rows = TABLE.splitlines()
    path, run = tmp_path / "t.csv", tmp_path / "run"
    path.write_text("\n".join([f"id,{head}", *(f"word {n},{r}" for n, r in enumerate(rows))]))
    shown = spoken(capsys, "data", "show", path, "--ignore", "id", "--ignore", "color", "--json")
    assert [one["name"] for one in json.loads(shown[1])["columns"]] == ["size", "same"]
    (tmp_path / "space.toml").write_text("hidden = { choice = [[3], [4]] }\nbatch_size = 8\n")
    options = ["--candidates", 1, "--epochs", 1, "--space", tmp_path / "space.toml"]
    status, _, err = spoken(capsys, "tune", path, *options, "--ignore", "idd", "--out", run)
    assert (status, run.exists()) == (2, False)
    assert "did you mean `id`" in err
    options += ["--ignore", "id", "--out", run, "--json", "-q"]
    assert spoken(capsys, "tune", path, *options)[0] == 0
    assert spoken(capsys, "resume", run, "-q")[0] == 0
    assert fleetgrad.resume(run, fleetgrad.load(path, ignore=["id"])).candidates == 1
    whole = spoken(capsys, "predict", run, path)
    path.write_text(TABLE)
    assert spoken(capsys, "predict", run, path)[:2] == whole[:2]
    assert len(whole[1].split()) == 40


def test_a_set_that_is_here_is_not_fetched_again(capsys, monkeypatch, tmp_path, shared_data):
    (tmp_path / "mnist").symlink_to(shared_data / "mnist")
    monkeypatch.setenv("FLEETGRAD_CACHE", str(tmp_path))
    status, out, err = spoken(capsys, "data", "fetch", "mnist")
    assert (status, out, err) == (0, f"{tmp_path / 'mnist'}\n", "")
    _, out, _ = spoken(capsys, "data", "fetch", "mnist", "--json")
    assert json.loads(out)["folder"] == str(tmp_path / "mnist")


def test_the_notebook_answers_with_its_experiments(capsys, shared_data):
    options = ["--data", shared_data / "mnist", "--replicates", 1, "--epochs-scale", "0.01"]
    status, out, _ = spoken(capsys, "notebook", *options, "--json")
    experiments = json.loads(out)["experiments"]
    assert status == 0
    contract = "eta alpha epochs replicates loss_running_mean train_accuracy_running_mean"
    contract += " test_accuracy_raw test_accuracy_scaled alive seconds"
    assert all(set(one) >= set(contract.split()) for one in experiments)
    assert [one["eta"] for one in experiments] == [0.01, 0.001, 0.01]


def test_the_bench_prints_what_it_measured(monkeypatch, capsys):
    row = {"hidden": [100, 100], "batch_size": 50, "optimizer": "sgd", "precision": "float32"}
    row |= {"population": 16, "network_epochs_per_s": 5.7, "gflops": 130.0}
    row |= {"fraction_of_peak": 0.6, "compile_s": 1.0}
    machine = {"processor": "Some CPU", "cores": 2, "devices": ["cpu"], "jax": "0"}
    found = {"machine": machine, "peak_gflops": {"float32": 210.0}, "rows": [row]}
    monkeypatch.setattr("fleetgrad.bench.run", lambda *_: found)
    assert "5.70" in spoken(capsys, "bench")[1]
    assert json.loads(spoken(capsys, "bench", "--json")[1]) == found
