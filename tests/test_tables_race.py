"""The arithmetic of the race over tables, and what its racers are given; never their speed."""

import json

import numpy as np
import pytest

import tables
import tables_data
import tables_racers
from tables_page import markdown

pytest.importorskip("pandas", reason="the sets are frames; needs `pip install pandas`")


def row(name, racer, error, seed=0):
    return {"set": name, "racer": racer, "seed": seed, "error": error, "seconds": 1.0}


ROWS = [
    row("iris", "fleetgrad", 0.02),
    row("iris", "fleetgrad", 0.04, seed=1),
    row("iris", "boosting", 0.05),
    row("iris", "boosting", 0.07, seed=1),
    row("iris", "mlp", 0.03),
    row("iris", "mlp", 0.03, seed=1),
    row("diabetes", "fleetgrad", 55.0),
    row("diabetes", "boosting", 50.0),
    row("diabetes", "mlp", 60.0),
]


def test_errors_are_means_and_ranks_share_ties():
    found = tables.summary(ROWS)
    assert found["errors"]["iris"] == pytest.approx(
        {"fleetgrad": 0.03, "boosting": 0.06, "mlp": 0.03}
    )
    assert found["mean_rank"] == {"fleetgrad": 1.75, "boosting": 2.0, "mlp": 2.25}
    assert found["normalized_error"] == pytest.approx(
        {"fleetgrad": 0.25, "boosting": 0.5, "mlp": 0.5}
    )


def test_the_page_shows_every_figure_and_what_did_not_run():
    found = {
        "date": "2026-01-01",
        "machine": {"cores": 2},
        "seconds": 60.0,
        "seeds": 2,
        "missing": ["realmlp"],
        "rows": [*ROWS, row("iris", "mlp", 0.03, seed=2) | {"seconds": 90.4}],
        **tables.summary(ROWS),
    }
    page = markdown(json.loads(json.dumps(found)))
    assert "| iris | **3.00 %** | 6.00 % | **3.00 %** |" in page
    assert "| diabetes | 55.0 | **50.0** | 60.0 |" in page
    assert "Not run: RealMLP-TD." in page
    assert "Took longer than their time: scikit-learn's MLP on iris (90 s)." in page


@pytest.mark.parametrize("name", tables_data.BUNDLED)
def test_a_set_without_a_test_part_is_cut_by_the_seed(name):
    one, again, other = (tables_data.load(name, seed) for seed in (0, 0, 1))
    assert one.train.equals(again.train)
    assert not one.train.equals(other.train)
    rows = len(one.train) + len(one.test)
    assert len(one.test) == round(rows / 5)
    assert tables_data.TARGET in one.train


@pytest.mark.parametrize("name", tables_data.FILES)
def test_a_set_with_a_test_part_keeps_it(name):
    if not (tables_data.FOLDER / tables_data.FILES[name].file).is_file():
        pytest.skip("needs the folder of tables beside the repository")
    given = tables_data.load(name, 0)
    wanted = tables_data.FILES[name].rows
    assert wanted is None or len(given.train) == wanted


@pytest.mark.parametrize("racer", ["boosting", "mlp"])
@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_a_peer_learns_something_in_no_time(racer, name, tmp_path):
    given = tables_data.load(name, 0)
    truth = given.test[tables_data.TARGET].to_numpy()
    guess = truth[0] if given.task == "classification" else truth.astype(float).mean()
    found = tables_racers.RACERS[racer](given, 0.0, 0, tmp_path)
    blind = np.full(len(truth), guess)
    assert tables_racers.error(given, found) < tables_racers.error(given, blind)


def test_wrong_names_are_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        tables.main(["--sets", "irises"])
    assert ended.value.code == 2
    assert "must be some of adult" in capsys.readouterr().err
