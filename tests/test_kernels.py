"""Kernels do what XLA does, and whoever has no compiler does without."""

import os
import stat
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetgrad import cache
from fleetgrad.kernels import adam, bfloat16, compiler, sparse

SOURCE = "int answer(void) { return 42; }\n"
KERNELS = (adam, bfloat16, sparse)
compiled = pytest.mark.skipif(not sparse.available(), reason="no C compiler on this machine")


def drawn(batch, inputs, outputs, share, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((batch, inputs), np.float32)
    x *= generator.random(x.shape) < share
    return x, generator.standard_normal((inputs, outputs), np.float32)


def slopes(multiply, x, weight):
    """The product, and the gradient of the sum of its squares with respect to the weights."""

    def objective(weight):
        product = multiply(x, weight)
        return (product**2).sum() / 2, product

    gradient, product = jax.jit(jax.grad(objective, has_aux=True))(weight)
    return np.asarray(product), np.asarray(gradient)


@compiled
@given(
    st.integers(1, 140),
    st.integers(1, 200),
    st.integers(1, 300),
    st.sampled_from([0.0, 0.05, 0.3, 1.0]),
)
@settings(max_examples=40)
def test_product_and_gradient_are_the_dense_ones(batch, inputs, outputs, share):
    x, weight = drawn(batch, inputs, outputs, share)
    product, gradient = slopes(sparse.product, x, weight)
    exact = x.astype(float) @ weight.astype(float)
    np.testing.assert_allclose(product, exact, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(gradient, x.T.astype(float) @ exact, rtol=1e-4, atol=1e-3)


@compiled
def test_what_is_not_a_number_spreads():
    x, weight = drawn(3, 80, 5, 0.2)
    x[1, 70] = np.nan
    product = np.asarray(jax.jit(sparse.product)(x, weight))
    assert np.isnan(product[1]).all()
    assert np.isfinite(product[[0, 2]]).all()


@compiled
def test_members_side_by_side_are_multiplied_one_by_one():
    pairs = [drawn(4, 70, 6, 0.2, seed) for seed in range(3)]
    xs, weights = (jnp.stack(arrays) for arrays in zip(*pairs, strict=True))
    expected = [x @ weight for x, weight in pairs]
    np.testing.assert_allclose(jax.vmap(sparse.product)(xs, weights), expected, atol=1e-5)


@compiled
def test_threads_share_no_workspace():
    x, weight = drawn(64, 300, 130, 0.2)
    program, found = jax.jit(sparse.product), {}

    def work(number):
        for _ in range(50):
            found[number] = np.asarray(program(x * number, weight))

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, product in found.items():
        np.testing.assert_allclose(product, number * (x @ weight), rtol=1e-3, atol=1e-3)


@compiled
@pytest.mark.parametrize("other", [np.zeros((3, 2), np.float32), np.zeros((4, 2), np.float16)])
def test_matrices_that_do_not_fit_are_refused_by_the_kernel(other):
    shape = jax.ShapeDtypeStruct((5, 2), jnp.float32)
    call = jax.ffi.ffi_call(sparse._FORWARD, shape)
    with pytest.raises(jax.errors.JaxRuntimeError, match="matrices"):
        jax.block_until_ready(call(np.zeros((5, 4), np.float32), other))


@pytest.mark.skipif(not bfloat16.available(), reason="no kernel for bfloat16 here")
@pytest.mark.parametrize("handler", [bfloat16._FORWARD, bfloat16._INPUTS, bfloat16._WEIGHTS])
def test_factors_that_do_not_fit_are_refused_by_the_kernel(handler):
    left, right = np.zeros((3, 5), np.float32), np.ones((4, 6), np.float32)
    with pytest.raises(jax.errors.JaxRuntimeError, match="do not fit"):
        jax.block_until_ready(compiler.call(handler, (3, 7), left, right))


@pytest.mark.skipif(not bfloat16.available(), reason="no kernel for bfloat16 here")
def test_rounding_lets_what_is_not_finite_spread():
    x, weight = drawn(20, 70, 5, 1.0)
    x[1, 69], x[2, 3] = np.nan, np.inf
    product = np.asarray(bfloat16.product(x, weight))
    assert np.isnan(product[1]).all()
    assert not np.isfinite(product[2]).any()
    assert np.isfinite(product[[0, *range(3, 20)]]).all()


def test_the_switch_leaves_the_kernels_alone(monkeypatch):
    monkeypatch.setenv(compiler.SWITCH, "0")
    assert not any(kernel.available() for kernel in KERNELS)


# The compiler.


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETGRAD_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "answer.c"
    file.write_text(SOURCE)
    return file


def libraries(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache" / "kernels").iterdir())


@compiled
def test_a_file_is_compiled_once_and_again_when_it_changes(source, tmp_path, monkeypatch):
    assert compiler.library(source).answer() == 42
    first = libraries(tmp_path)
    assert len(first) == 1
    calls = []
    monkeypatch.setattr(compiler, "_compile", lambda *given: calls.append(given))
    assert compiler.library(source).answer() == 42
    assert calls == []
    monkeypatch.undo()
    monkeypatch.setenv("FLEETGRAD_CACHE", str(tmp_path / "cache"))
    source.write_text(SOURCE.replace("42", "43"))
    assert compiler.library(source).answer() == 43
    assert len(libraries(tmp_path)) == 2


def test_without_a_compiler_there_is_no_library(source, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert compiler.library(source) is None


@compiled
def test_what_does_not_compile_is_no_library_and_leaves_nothing(source, tmp_path):
    source.write_text("not C")
    assert compiler.library(source) is None
    assert libraries(tmp_path) == []


@compiled
def test_what_cannot_be_loaded_is_no_library(source, monkeypatch):
    monkeypatch.setattr(compiler, "_compile", lambda *given: given[-1].write_bytes(b"no library"))
    assert compiler.library(source) is None


def test_without_a_library_there_are_no_kernels(monkeypatch):
    monkeypatch.setattr(compiler, "library", lambda *_: None)
    monkeypatch.setattr(compiler, "_registered", compiler._registered.__wrapped__)
    assert not any(kernel.available() for kernel in KERNELS)


@compiled
def test_a_changed_header_is_another_library(source, tmp_path):
    compiler.library(source)
    source.with_name("kernel.h").write_text("/* new */")
    compiler.library(source)
    assert len(libraries(tmp_path)) == 2


# The folder: nothing is loaded from where others may write.


def test_a_private_folder_is_the_users_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETGRAD_CACHE", str(tmp_path / "cache"))
    place = cache.private("kernels")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert cache.private("kernels") == place


def test_a_folder_that_others_may_write_is_not_private(tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETGRAD_CACHE", str(tmp_path))
    (tmp_path / "kernels").mkdir()
    Path(tmp_path / "kernels").chmod(0o777)
    assert cache.private("kernels") is None


def test_where_no_folder_can_be_made_there_is_none(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLEETGRAD_CACHE", os.fspath(tmp_path / "file"))
    assert cache.private("kernels") is None
