"""C files of this package as loaded libraries, compiled once for this very processor.

A wheel could only carry code for the oldest processor; compiled where it runs, a kernel uses the
widest vectors there are. Without a C compiler there is no library, and callers do without.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fleetgrad import cache

COMPILERS = ("cc", "gcc", "clang")
OPTIONS = ("-O3", "-std=c11", "-shared", "-fPIC")
NATIVE = ("-march=native", "-mcpu=native")  # x86 and most others; ARM's older compilers
SECONDS = 60  # a compiler that takes longer hangs


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
    """What the library depends on: its source, the headers' place, the compiler, the processor."""
    parts = (source.read_text("utf-8"), compiler, *includes, cache.processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
