"""Where the throughput benchmark runs; of cards, what can be said without one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import place
import throughput
from place import Place
from table import RESULTS

CPU, CARDS = Place("cpu", 0), Place("gpu", 2)


def test_on_cards_the_peers_of_pytorch_run_a_process_a_card_with_as_many_networks_as_ours():
    assert CARDS.peers == ("torch", "vmap")
    assert CARDS.devices("torch") == CARDS.devices("vmap") == ["cuda:0", "cuda:1"]
    assert CARDS.threads("torch") == 1
    assert (CARDS.networks, CPU.networks) == (256, 16)
    assert set(CARDS.devices("numpy")) == {"cpu"}
    assert CPU.peers == place.PEERS
    assert CPU.devices("vmap") == ["cpu"]


def test_the_usual_populations_on_cards_reach_1024():
    assert throughput._usual(CARDS, quick=False)[-1] == 1024
    assert throughput._usual(CPU, quick=False)[-1] == 256


def test_where_torch_sees_no_card_the_answer_says_so(monkeypatch):
    monkeypatch.setattr(place, "has_torch", lambda: True)
    monkeypatch.setattr(place, "torch_cards", lambda: 0)
    assert place.absent(["torch", "numpy"], CARDS) == {"torch": place.NO_CARD}
    assert place.absent(["torch", "numpy"], CPU) == {}
    monkeypatch.setattr(place, "torch_cards", lambda: 2)
    assert place.absent(["torch"], CARDS) == {}


def test_the_place_is_where_jax_runs(monkeypatch):
    assert place.choose(None) == place.choose("cpu") == CPU
    card = SimpleNamespace(platform="gpu")
    monkeypatch.setattr(place.jax, "devices", lambda: [card, card])
    assert place.choose("cuda") == CARDS


def test_the_page_of_the_cards_has_a_place_for_results():
    assert RESULTS in throughput.CARDS_PAGE.read_text("utf-8")


@pytest.mark.parametrize("count", [1, 2, 4])
def test_devices_are_lanes_that_all_work(count):
    script = Path(__file__).with_name("device_lanes.py")
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(count), "JAX_PLATFORMS": "cpu"}
    told = subprocess.run(
        [sys.executable, script], env=environment, check=True, timeout=120, capture_output=True
    )
    found = json.loads(told.stdout)
    assert found["lanes"] == found["devices_at_work"] == found["compilations"] == count
    assert found["rate"] > 0
    assert found["peaks"] == found["bandwidths"] == 1
