"""Nothing is trained by programs that compute otherwise than NumPy."""

import jax.numpy as jnp
import jaxlib
import numpy as np
import pytest

import digits_fleet
import fleetgrad as fg
from fleetgrad import losses, soundness
from fleetgrad.errors import InstallationError
from fleetgrad.kernels import adam, bfloat16, sparse
from fleetgrad.soundness import kernels, nets, sums

DEVICE = digits_fleet.machine().lanes[0]
SMALL = fg.Budget(candidates=2, epochs=1)


@pytest.fixture(autouse=True)
def unknown(monkeypatch, tmp_path):
    """A machine on which nothing was found out yet; returns where that will be remembered."""
    monkeypatch.setattr(soundness, "_sound", set())
    monkeypatch.setenv("FLEETGRAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "soundness"


@pytest.fixture
def measured(monkeypatch):
    """Who was measured; nothing is."""
    found = []
    monkeypatch.setattr(soundness, "_measure", found.append)
    return found


def check_anew(monkeypatch):
    """As another process would."""
    monkeypatch.setattr(soundness, "_sound", set())
    soundness.check(digits_fleet.machine())


def test_this_machine_computes_what_numpy_does():
    assert sums.wrong(DEVICE) is None
    assert nets.wrong(DEVICE, width=1) is None
    assert nets.wrong(DEVICE, width=256) is None
    assert kernels.wrong() is None


def short(of, share=0.999):
    """A reduction that loses a little."""
    return lambda *args, **kwargs: share * of(*args, **kwargs)


def test_a_sum_that_loses_a_little_is_refused_before_anything_is_written(
    monkeypatch, tmp_path, unknown
):
    monkeypatch.setattr(sums, "_lengths", short(sums._lengths))
    data = fg.load("digits")
    with pytest.raises(InstallationError, match=r"sums over rows that are off by 0.1 %; install"):
        fg.tune(data, budget=SMALL, out=tmp_path / "run")
    with pytest.raises(InstallationError):
        fg.train(data, [fg.Settings()], epochs=1)
    assert not (tmp_path / "run").exists()
    assert not list(unknown.glob("*"))


@pytest.mark.parametrize("share", [0.99, float("nan")])
def test_an_engine_that_learns_a_little_else_is_refused(monkeypatch, share):
    monkeypatch.setattr(losses, "mean", short(losses.mean, share))
    with pytest.raises(InstallationError, match="networks whose weights and losses are off by"):
        soundness.check(digits_fleet.machine())


@pytest.mark.skipif(not sparse.available(), reason="no C compiler on this machine")
@pytest.mark.parametrize("kernel", [adam, bfloat16, sparse])
def test_a_kernel_that_is_wrong_is_named_with_the_way_to_do_without(monkeypatch, kernel):
    if not kernel.available():
        pytest.skip("a processor without bfloat16")
    place, name = (kernels, "_in_place") if kernel is adam else (kernel, "product")
    right = getattr(place, name)

    def wrong(*arrays):
        return jnp.asarray(right(*arrays)) * 1.001

    monkeypatch.setattr(place, name, wrong)
    monkeypatch.setattr(sums, "wrong", lambda _: None)
    monkeypatch.setattr(nets, "wrong", lambda *_: None)
    with pytest.raises(InstallationError, match=r"off by 0\.[12] %; do without .* FLEETGRAD_KERN"):
        soundness.check(digits_fleet.machine())


@pytest.mark.parametrize("version", soundness.BROKEN)
def test_builds_known_to_be_broken_are_refused_by_name(monkeypatch, version, measured):
    monkeypatch.undo()
    monkeypatch.setattr(soundness, "_sound", set())
    monkeypatch.setattr(sums, "wrong", lambda _: pytest.fail("a build that may crash was run"))
    monkeypatch.setattr(jaxlib.version, "__version__", version)
    with pytest.raises(InstallationError, match=rf"jaxlib {version}: it .*pip install 'jax"):
        soundness.check(digits_fleet.machine())


def test_what_was_found_sound_is_looked_at_once_a_machine(monkeypatch, measured, unknown):
    for _ in range(3):
        soundness.check(digits_fleet.machine())
        check_anew(monkeypatch)
    assert len(measured) == 1
    assert len(list(unknown.iterdir())) == 1


@pytest.mark.parametrize("module", ["jax", "jaxlib.version"])
def test_another_version_is_looked_at_again(monkeypatch, measured, module):
    check_anew(monkeypatch)
    monkeypatch.setattr(f"{module}.__version__", "0.99")
    check_anew(monkeypatch)
    assert len(measured) == 2


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"jax": "0.1"}'])
def test_a_damaged_note_counts_for_nothing_and_is_written_anew(
    monkeypatch, measured, unknown, content
):
    check_anew(monkeypatch)
    (note,) = unknown.iterdir()
    sound = note.read_bytes()
    note.write_bytes(content)
    check_anew(monkeypatch)
    assert len(measured) == 2
    assert note.read_bytes() == sound


def test_where_nothing_can_be_remembered_every_process_looks(monkeypatch, measured, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLEETGRAD_CACHE", str(tmp_path / "file"))
    check_anew(monkeypatch)
    check_anew(monkeypatch)
    assert len(measured) == 2


def test_numpy_learns(unknown):
    material = nets._material()
    for one in nets.FLEET:
        curve, layers = nets.trained(material, one)
        assert curve[-1, 0] < curve[0, 0]
        assert all(np.isfinite(leaf).all() for layer in layers for leaf in layer.values())
