"""The throughput benchmark's arithmetic: what the peers compute, and what is divided by what."""

import dataclasses
import json
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import cases
import measure
import peers
import place
import results
import throughput
import worker
from by_hand import NOTEBOOK_RATE, Notebook, Numpy
from fleetgrad import limits, memory, notebook
from fleetgrad.errors import BudgetError
from fleetgrad.machine import Machine
from fleetgrad.settings import Settings
from ours import Manner, Ours
from place import Place
from reference import Disturbance, Network
from table import markdown, placed

FEATURES, CLASSES, ROWS, BATCH = 7, 4, 24, 8
KINDS = (("sigmoid", "sgd"), ("relu", "adam"), ("relu", "adamw"))
ROW = {
    *("case", "features", "hidden", "classes", "activation", "optimizer", "dropout", "batch_size"),
    *("epoch_rows", "precision", "skips_zeros", "note", "population", "lanes", "compile_s"),
    *("network_epochs_per_s", "ms_per_network_epoch", "gflops", "fraction_of_peak", "ms_at_peak"),
    *("bandwidth_gb_per_s", "ms_at_bandwidth", "ms_at_limit", "limited_by", "fraction_of_limit"),
    "peers",
}
PEER = {
    *("network_epochs_per_s", "ms_per_network_epoch", "ratio", "ratios"),
    *("processes", "threads", "device", "differs"),
}
CPU, CARDS = Place("cpu", 0), Place("gpu", 2)


@pytest.fixture(params=KINDS, ids="-".join)
def problem(request):
    """What a peer needs: the network, its initial layers, rows; all in float64."""
    activation, optimizer = request.param
    settings = Settings(
        hidden=(6, 5),
        activation=activation,
        optimizer=optimizer,
        learning_rate=0.05,
        weight_decay=0.1 if optimizer == "adamw" else 0.0,
        batch_size=BATCH,
    )
    draw = np.random.default_rng(3)
    x, y = draw.standard_normal((ROWS, FEATURES)), draw.integers(0, CLASSES, ROWS)
    layers = [
        (weight.astype(np.float64), draw.standard_normal(len(bias)))
        for weight, bias in peers.draw(net_of(settings), 1)
    ]
    return SimpleNamespace(settings=settings, net=net_of(settings), layers=layers, x=x, y=y)


def net_of(settings):
    told = {name: getattr(settings, name) for name in peers.Net._fields if hasattr(settings, name)}
    rest = {"features": FEATURES, "classes": CLASSES, "precision": "float32"}
    return peers.Net(**told | rest)


def steps():
    return np.split(np.arange(ROWS), ROWS // BATCH)


def reference(problem, settings=None):
    """The reference trainer at the same start."""
    named = [{"weight": weight, "bias": bias} for weight, bias in problem.layers]
    return Network(named, settings or problem.settings, steps=3)


def trained(problem):
    """The reference's layers after three steps, and the sum of its losses."""
    net = reference(problem)
    losses = [net.learn(problem.x[r], problem.y[r], jax.random.key(0))[0] for r in steps()]
    return net.layers, sum(losses)


def check(found, expected):
    for (weight, bias), layer in zip(found, expected, strict=True):
        np.testing.assert_allclose(weight, layer["weight"], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(bias, layer["bias"], rtol=1e-8, atol=1e-12)


def test_numpy_by_hand_takes_the_steps_of_the_reference(problem):
    peer = Numpy(problem.net, problem.layers, problem.x, problem.y, np.float64)
    for rows in steps():
        peer.work(rows)
    layers, loss = trained(problem)
    check(peer.layers, layers)
    assert peer.loss == pytest.approx(loss)


def test_numpy_by_hand_drops_units_as_the_reference_does(problem, monkeypatch):
    settings = dataclasses.replace(problem.settings, dropout=0.5)
    key, masks = jax.random.key(7), []
    for layer, width in enumerate(settings.hidden, start=1):
        masks.append(Disturbance(key, settings).kept(layer, 0.5, (BATCH, width)))
    peer = Numpy(net_of(settings), problem.layers, problem.x, problem.y, np.float64)
    waiting = iter(masks)
    monkeypatch.setattr(peer, "_keep", lambda _: next(waiting))
    peer.work(steps()[0])
    net = reference(problem, settings)
    net.learn(problem.x[:BATCH], problem.y[:BATCH], key)
    check(peer.layers, net.layers)


def test_numpy_by_hand_drops_the_share_asked_for_and_keeps_the_mean():
    peer = Numpy(net_of(Settings(dropout=0.2)), [], np.empty(0), np.empty(0))
    kept = peer._keep((500, 400))
    assert kept.dtype == np.float32
    assert (kept == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert kept.mean() == pytest.approx(1, abs=0.01)


def test_the_notebook_s_peer_takes_the_notebook_s_steps():
    settings = dataclasses.replace(notebook.settings(NOTEBOOK_RATE, 1), hidden=(6, 5), batch_size=8)
    draw = np.random.default_rng(3)
    x, y = draw.random((ROWS, FEATURES)), draw.integers(0, CLASSES, ROWS)
    peer = Notebook(net_of(settings), x, y)
    net = Network([{"weight": weight} for weight in peer.weights], settings, steps=3)
    loss = right = 0
    for rows in steps():
        peer.work(rows)
        reported, correct = net.learn(x[rows], y[rows], jax.random.key(0))
        loss, right = loss + reported, right + correct
    for found, layer in zip(peer.weights, net.layers, strict=True):
        np.testing.assert_allclose(found, layer["weight"], rtol=1e-10)
    assert (peer.loss, peer.right) == (pytest.approx(loss), right)


def test_eager_torch_takes_the_steps_of_the_reference(problem):
    torch = pytest.importorskip("torch")
    from torch_peers import Eager, TorchDesk

    desk = TorchDesk("cpu", torch.float64)
    peer = Eager(problem.net, problem.layers, problem.x, problem.y, desk)
    for rows in steps():
        peer.work(desk.put(rows))
    layers, loss = trained(problem)
    check(peer.layers(), layers)
    assert peer.loss.item() == pytest.approx(loss)


def test_torch_vmap_takes_the_steps_of_the_reference_in_every_network(problem):
    torch = pytest.importorskip("torch")
    from torch_peers import TorchDesk, Vmap

    desk = TorchDesk("cpu", torch.float64)
    peer = Vmap(problem.net, problem.layers, problem.x, problem.y, 3, desk)
    for rows in steps():
        peer.work(desk.put(rows))
    for network in range(3):
        check(peer.layers(network), trained(problem)[0])


def test_torch_drops_units_where_it_is_told_to(problem):
    torch = pytest.importorskip("torch")
    from torch_peers import Eager, TorchDesk, Vmap

    net, desk = problem.net._replace(dropout=0.5), TorchDesk("cpu", torch.float64)
    eager = Eager(net, problem.layers, problem.x, problem.y, desk)
    assert [part.p for part in eager.model if isinstance(part, torch.nn.Dropout)] == [0.5, 0.5]
    vmapped = Vmap(net, problem.layers, problem.x, problem.y, 2, desk)
    vmapped.work(desk.put(steps()[0]))
    first, second = (vmapped.layers(network)[0][0] for network in range(2))
    assert not np.allclose(first, second)  # each network has masks of its own


def test_scikit_learn_is_told_what_it_can_do_and_the_row_says_the_rest(problem):
    from sklearn_peer import Sklearn

    net = problem.net._replace(dropout=0.2, precision="bfloat16")
    peer = Sklearn(net, problem.layers, problem.x, problem.y)
    peer.work(np.arange(ROWS))
    model = peer.model
    assert (model.n_iter_, model.t_, model.loss_ > 0) == (1, ROWS, True)
    assert model.activation == {"sigmoid": "logistic", "relu": "relu"}[net.activation]
    assert model.solver == {"sgd": "sgd", "adam": "adam", "adamw": "adam"}[net.optimizer]
    assert (model.batch_size, model.hidden_layer_sizes, model.momentum) == (BATCH, (6, 5), 0)
    assert "no dropout" in peer.differs
    assert "float32" in peer.differs
    assert ("AdamW" in peer.differs) == (net.optimizer == "adamw")


def test_batches_go_through_all_rows_in_a_new_order_each_pass():
    order = peers.batches(10, 3, peers.Host(), shuffled=True)
    passes = [np.concatenate([next(order) for _ in range(3)]) for _ in range(2)]
    assert [len(set(one)) for one in passes] == [9, 9]
    assert list(passes[0]) != list(passes[1])
    straight = peers.batches(10, 3, peers.Host(), shuffled=False)
    assert [list(next(straight)) for _ in range(4)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 1, 2]]


def test_a_worker_counts_the_rows_of_every_network(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.ones((ROWS, FEATURES), np.float32))
    np.save(tmp_path / "y.npy", np.zeros(ROWS, np.int64))
    settings = Settings(hidden=(6, 5), batch_size=BATCH)
    at_work = worker.Worker()
    at_work.open("numpy", net_of(settings)._asdict(), 1, str(tmp_path), "cpu")
    at_work._open["numpy"].peer.networks = 5
    clock = iter([0, 1, 2, 3, 4, 4])
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(clock))
    assert at_work.train("numpy", 3.5) == {"rows": 3 * BATCH * 5, "seconds": 4}


def test_a_ratio_is_the_median_of_the_rounds_not_the_ratio_of_medians():
    rounds = [
        results.Round({1: 1, 16: ours}, {"numpy": peer})
        for ours, peer in ((600, 100), (200, 100), (300, 300))
    ]
    assert results.compared(rounds, 16, "numpy", 50) == {
        "network_epochs_per_s": 2.0,
        "ms_per_network_epoch": 500.0,
        "ratio": 2.0,
        "ratios": [6.0, 2.0, 1.0],
    }


def found_for(name, gigabytes):
    """Four networks of a case, at 40,000 rows a second."""
    rounds = [results.Round({4: rate}, {}) for rate in (20_000.0, 40_000.0, 90_000.0)]
    manners = {4: Manner(lanes=2, skips_zeros=False)}
    return results.Measured(cases.case(name), manners, {}, 0.5, rounds, {}, {}, gigabytes)


def test_a_row_s_share_of_the_peak_and_its_roofline_agree():
    row = results.row({"float32": 100.0, "bfloat16": 200.0}, found_for("tabular", [50.0, 80.0]), 4)
    flops = 2 * 20_000 * (3 * (16 * 64 + 64 * 64 + 64 * 26) - 16 * 64)
    assert row["network_epochs_per_s"] == 2
    assert row["gflops"] == pytest.approx(2e-9 * flops)
    assert row["ms_at_peak"] == pytest.approx(1e3 * flops / 100e9)
    assert row["ms_at_peak"] / row["ms_per_network_epoch"] == pytest.approx(row["fraction_of_peak"])


def test_a_row_s_limit_is_the_larger_of_arithmetic_and_memory():
    learned = 16 * 64 + 64 + 64 * 64 + 64 + 64 * 26 + 26
    step = 2 * 4 * (3 * learned + 1)  # weights, Adam's two averages and its counter: in and out
    for gigabytes, by in ((80.0, "arithmetic"), (0.4, "memory")):
        found = found_for("tabular", [gigabytes / 2, gigabytes])
        row = results.row({"float32": 100.0, "bfloat16": 200.0}, found, 4)
        memory = 1e3 * step * 20_000 / 256 / (gigabytes * 1e9)
        assert row["bandwidth_gb_per_s"] == gigabytes
        assert row["ms_at_bandwidth"] == pytest.approx(memory)
        assert row["ms_at_limit"] == max(row["ms_at_peak"], row["ms_at_bandwidth"])
        assert row["limited_by"] == by
        share = row["ms_at_limit"] / row["ms_per_network_epoch"]
        assert row["fraction_of_limit"] == pytest.approx(share)


@pytest.fixture(scope="module")
def measured():
    """One small case beside the peers that are always there, in moments."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(measure, "QUICK", measure.Pace(2, 0.05, 0.02))
    monkeypatch.setattr(place, "has_torch", lambda: False)
    monkeypatch.setattr(limits, "SIZES", {"cpu": 64})
    monkeypatch.setattr(limits, "MOVED", {"cpu": 1e6})
    names = ["numpy", "sklearn", "torch", "notebook"]
    yield measure.run([cases.case("tabular")], [1, 2], names, CPU, quick=True)
    monkeypatch.undo()


def test_the_rows_say_all_that_the_page_promises(measured):
    rows = json.loads(json.dumps(measured))["rows"]
    assert [row["population"] for row in rows] == [1, 2]
    for row in rows:
        assert set(row) == ROW
        assert set(row["peers"]) == {"numpy", "sklearn", "notebook"}
        assert row["fraction_of_peak"] > 0
        assert row["fraction_of_limit"] >= row["fraction_of_peak"]
    for peer in rows[0]["peers"].values():
        assert set(peer) == PEER
        assert len(peer["ratios"]) == 2
        assert min(peer["ratios"]) > 0


def test_where_torch_is_missing_the_answer_says_so(measured, monkeypatch, capsys):
    assert measured["missing"] == {"torch": place.NO_TORCH}
    assert "PyTorch eager: left out, PyTorch is not installed." in markdown(measured)
    monkeypatch.setattr(place, "has_torch", lambda: False)
    with pytest.raises(SystemExit):
        throughput.main(["--peers", "torch"])
    assert "fleetgrad[bench]" in capsys.readouterr().err


def test_the_page_says_how_far_the_peak_moved_during_the_run(measured):
    for kind, found in measured["peak_gflops_then"].items():
        assert len(found) == 3  # before each of two rounds, and after the last
        assert max(found) == measured["peak_gflops"][kind]
    then = {"float32": [99.6, 105.2], "bfloat16": [180.0, 160.0]}
    page = markdown(measured | {"peak_gflops_then": then})
    assert "over the run 100 to 105 and 160 to 180." in page


def test_the_page_holds_every_row_ratio_and_difference(measured):
    page = markdown(measured)
    assert "| tabular: 16-64-64-26, relu, adam, batch 256, float32 | 2 |" in page
    for row in measured["rows"]:
        ratios = [f"{row['peers'][name]['ratio']:.2f}" for name in ("numpy", "sklearn", "notebook")]
        assert f"| tabular | {row['population']} | {' | '.join(ratios)} |" in page
    assert "sigmoid for relu" in page


def test_a_population_that_does_not_fit_is_left_out_and_named(monkeypatch):
    def refuse(case, population, *_):
        raise BudgetError(f"{population} must fit, got no room; use 1.")

    monkeypatch.setattr(measure, "QUICK", measure.Pace(1, 0.0, 0.0))
    monkeypatch.setattr(measure, "Ours", refuse)
    monkeypatch.setattr(limits, "SIZES", {"cpu": 64})
    found = measure.run([cases.case("tabular")], [7], [], CPU, quick=True)
    assert found["rows"] == []
    assert "tabular, 7 networks: left out, for 7 must fit, got no room; use 1." in markdown(found)


def test_every_network_asked_for_is_there_and_told_to_the_peers_alike():
    told = {name: cases.case(name).net() for name in cases.NAMES}
    sizes = {name: (net.features, *net.hidden, net.classes) for name, net in told.items()}
    assert sizes == {
        "notebook": (784, 100, 100, 10),
        "dropout": (784, 256, 128, 10),
        "bfloat16": (784, 512, 512, 10),
        "float32": (784, 512, 512, 10),
        "wide": (784, 1024, 1024, 10),
        "tabular": (16, 64, 64, 26),
    }
    assert [net.batch_size for net in told.values()] == [50, 128, *[256] * 4]
    optimizers = ["sgd", "adam", "adamw", "adamw", "adamw", "adam"]
    assert [net.optimizer for net in told.values()] == optimizers
    assert (told["notebook"].activation, told["dropout"].dropout) == ("sigmoid", 0.2)
    assert cases.POPULATIONS == (1, 2, 16, 64, 256)
    assert cases.CARD_POPULATIONS == (1, 2, 16, 64, 256, 1024)


def test_a_case_says_when_it_could_not_run_in_its_precision(monkeypatch):
    monkeypatch.setattr(cases.settings, "NAMES", ())
    monkeypatch.setattr(cases.Settings, "from_dict", lambda given: SimpleNamespace(**given))
    without = cases.case("bfloat16")
    assert (without.precision, without.note) == ("float32", "ran in float32")
    assert cases.case("wide").note == ""
    monkeypatch.setattr(cases.settings, "NAMES", ("precision",))
    assert (cases.case("bfloat16").precision, cases.case("bfloat16").note) == ("bfloat16", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cases", "huge"], "invalid choice: 'huge'"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
        (["--device", "cuda"], "needs a card that JAX sees, got cpu alone"),
        (["--peers", "keras"], "invalid choice: 'keras'"),
        (["--populations", "0"], "at least 1, got '0'; use 16."),
        (["--populations", "many"], "at least 1, got 'many'; use 16."),
    ],
)
def test_wrong_use_is_told_in_a_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        throughput.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_worker_process_carries_no_jax():
    code = "import sys, worker, by_hand, sklearn_peer; sys.exit('jax' in sys.modules)"
    path = str(throughput.PAGE.parents[1] / "benchmarks")
    assert subprocess.run([sys.executable, "-c", code], cwd=path, check=False).returncode == 0


def test_a_peer_without_room_is_left_out_and_named(measured, tmp_path, monkeypatch):
    def no_room(*_):
        raise RuntimeError("CUDA out of memory.")

    monkeypatch.setattr(worker, "make", no_room)
    np.save(tmp_path / "x.npy", np.ones(1))
    np.save(tmp_path / "y.npy", np.ones(1))
    net = net_of(Settings())._asdict()
    answer = worker.Worker().open("vmap", net, 256, str(tmp_path), "cuda:0")
    assert answer == {"refused": "256 networks have no room on cuda:0"}
    refused = {"case": "wide", "peer": "vmap", "reason": answer["refused"]}
    page = markdown(measured | {"refused": [refused]})
    assert "PyTorch vmap, wide: left out, 256 networks have no room on cuda:0." in page


def test_the_results_of_cards_replace_those_before_and_say_when_and_on_what(measured):
    cards = measured["machine"] | {"platform": "gpu", "devices": ["Some Card"] * 2}
    found = measured | {"machine": cards, "cards": 2}
    page = placed("# Cards\n\ntext\n\n## Results\n\nnone yet\n", found)
    assert page.startswith("# Cards\n\ntext\n\n## Results\n\n### The machine\n\n- ")
    assert "none yet" not in page
    assert f"{measured['date']}: " in page
    assert "gpu, 2 x Some Card" in page
    assert "a process a card" in page
    assert "NumPy by hand: forward, backward and optimizer written by hand" in page
    assert "in place, on the processor" in page


def test_a_population_that_would_take_turns_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda _: 150_000)
    case, lanes = cases.case("tabular"), Machine(tuple(jax.devices()), 1)
    with pytest.raises(BudgetError, match="must fit into memory together"):
        Ours(case, 2, cases.table(512), lanes)
    assert Ours(case, 1, cases.table(512), lanes).manner.lanes == 1
