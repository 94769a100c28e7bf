"""C files of this package as loaded libraries, compiled once for this very processor.

A wheel could only carry code for the oldest processor; compiled where it runs, a kernel uses the
widest vectors there are. Without a C compiler there is no library, and callers do without.
"""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fleetgrad import cache

SWITCH = "FLEETGRAD_KERNELS"  # the environment variable: 0 leaves the kernels alone
COMPILERS = ("cc", "gcc", "clang")
ARITHMETIC = ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")  # for whole vectors
OPTIONS = ("-O3", "-std=c11", *ARITHMETIC, "-shared", "-fPIC")
NATIVE = ("-march=native", "-mcpu=native")  # x86 and most others; ARM's older compilers
SECONDS = 60  # a compiler that takes longer hangs


_lock = threading.Lock()
_locks: dict[Path, threading.Lock] = {}  # one for each file: different ones compile side by side


def available(source: Path, names: tuple[str, ...]) -> bool:
    """Whether a file's kernels can be had on this machine's CPU, and XLA knows them by name.

    Args:
        source: A C file; compiled at the first call.
        names: Its handlers.
    """
    if os.environ.get(SWITCH) == "0":
        return False
    with _lock:
        own = _locks.setdefault(source, threading.Lock())
    with own:
        return _registered(source, names)


@functools.cache
def _registered(source: Path, names: tuple[str, ...]) -> bool:
    found = library(source, [jax.ffi.include_dir()])
    if found is None:
        return False
    for name in names:
        handler = ctypes.cast(getattr(found, name), ctypes.c_void_p)
        capsule: Any = jax.ffi.pycapsule(handler)  # type: ignore[no-untyped-call]
        jax.ffi.register_ffi_target(name, capsule, platform="cpu")
    return True


def chosen() -> str:
    """The compiler that kernels come from; `none` where they are left alone."""
    return "none" if os.environ.get(SWITCH) == "0" else _compiler() or "none"


def call(
    name: str, shape: tuple[int, ...], *arguments: Float[Array, "rows columns"]
) -> Float[Array, "rows columns"]:
    """What a handler makes of these matrices; members side by side are worked on one by one."""
    described: Any = jax.ShapeDtypeStruct  # its constructor has no types
    handler: Any = jax.ffi.ffi_call(name, described(shape, jnp.float32), vmap_method="sequential")
    result: Array = handler(*arguments)
    return result


def library(source: Path, includes: Sequence[str] = ()) -> ctypes.CDLL | None:
    """The loaded library of a C file, compiled at the first call on this machine.

    Args:
        source: A C file.
        includes: Folders of headers.

    Returns:
        The library, or None where it cannot be had: no compiler, one that fails, or no folder
        that this user alone can write.
    """
    compiler = _compiler()
    folder = cache.private("kernels")
    if compiler is None or folder is None:
        return None
    target = folder / f"{source.stem}-{_fingerprint(source, compiler, includes)}.so"
    try:
        if not target.exists():
            _compile(compiler, source, includes, target)
        return ctypes.CDLL(str(target))
    except (OSError, subprocess.SubprocessError):
        return None


def _compiler() -> str | None:
    named = os.environ.get("CC")
    found = (shutil.which(name) for name in ([named] if named else COMPILERS))
    return next((path for path in found if path), None)


def _compile(compiler: str, source: Path, includes: Sequence[str], target: Path) -> None:
    """Compile beside the target and rename, so that nobody ever loads half a library."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        result = Path(folder) / target.name
        paths = [f"-I{path}" for path in includes]
        for native in NATIVE:
            command = [compiler, *OPTIONS, native, *paths, "-o", str(result), str(source)]
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603 - a compiler the user has chosen, on our own file
            if done.returncode == 0:
                result.replace(target)
                return
    raise subprocess.SubprocessError(f"{compiler} could not compile {source.name}")


def _fingerprint(source: Path, compiler: str, includes: Sequence[str]) -> str:
    """What the library depends on: its source and headers, theirs, the compiler, the processor."""
    own = [path.read_text("utf-8") for path in (source, *sorted(source.parent.glob("*.h")))]
    parts = (*own, *OPTIONS, compiler, *includes, cache.processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
