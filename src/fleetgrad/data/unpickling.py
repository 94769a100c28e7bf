"""Pickled NumPy arrays, read without ever running what the file says.

A pickle is a small program: it may name any function and have it called. This reader knows what a
pickled NumPy array calls (in all versions of NumPy and of the format), gives each of these names
a stand-in that does nothing but note shape, type and bytes, and refuses every other name. No
function that the file chose ever runs, and no more is held than the file has bytes.
"""

import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal

import numpy as np
from jaxtyping import Shaped

from fleetgrad.data import packing
from fleetgrad.errors import DataError

MOST_DIMENSIONS = 64
LONGEST_SIDE = 1 << 48


def load(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The arrays in a pickled dictionary; what else it holds is left out.

    Raises:
        DataError: It names anything but arrays, is no dictionary, or is broken.
    """
    with packing.opened(path) as stream:
        most = packing.most_bytes(path) if packing.is_packed(stream) else path.stat().st_size
        try:
            held = _Unpickler(_Bounded(stream, most), path, most).load()
            return {key: value.array() for key, value in held.items() if isinstance(value, _Array)}
        except (DataError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - a forged program can fail in any way it likes
            raise DataError(
                f"`{path}` must be a whole pickle of a dictionary of NumPy arrays, got one that "
                f"breaks off or makes no sense ({type(error).__name__}: {str(error)[:100]}); save "
                "the arrays as .npz."
            ) from None


class _Bounded:
    """A stream that refuses to read more than there can be, before it makes room for it."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream, self._left = stream, most

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self._left:
            raise EOFError(f"{size:,} bytes promised, {self._left:,} left")
        return self._counted(self._stream.read(size))

    def readline(self) -> bytes:
        return self._counted(self._stream.readline(self._left))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        return data


class _Called:
    """Stands in for a named function; nothing can be set on it, and it dies with the reader."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *args: object) -> object:
        return self._function(*args)


class _Type:
    """Stands in for a `numpy.dtype`: what `dtype('u1', False, True)` and its state say."""

    __slots__ = ("_order", "_spec")

    def __init__(self, spec: str, *_: object) -> None:
        if not re.fullmatch(r"[biufU]\d{1,9}", spec):
            raise DataError(
                f"a pickled array must hold numbers or text, got the type {str(spec)[:40]!r}; save "
                "it with a type of numbers, `array.astype('float32')` say."
            )
        self._spec, self._order = spec, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, order, subarray, names, fields = state[:5]
        if order not in ("<", ">", "=", "|") or (subarray, names, fields) != (None, None, None):
            raise ValueError("an array of records")
        self._order = order

    def dtype(self) -> np.dtype:
        return np.dtype(self._order + self._spec)


class _Array:
    """Stands in for an array: its state, made into one only after the whole file was read."""

    __slots__ = ("_data", "_fortran", "_shape", "_type")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, self._shape, self._type, self._fortran, self._data = state

    def array(self) -> Shaped[np.ndarray, "..."]:
        dtype, shape, data = self._type.dtype(), self._shape, self._data
        if len(shape) > MOST_DIMENSIONS or not all(0 <= side < LONGEST_SIDE for side in shape):
            raise ValueError("no array has such a shape")
        if isinstance(data, str):  # Python 2 had one type for bytes and text
            data = data.encode("latin1")
        if len(data) != dtype.itemsize * math.prod(shape):
            raise ValueError(f"{len(data):,} bytes for the shape {shape}")
        order: Literal["C", "F"] = "F" if self._fortran else "C"
        array: np.ndarray = np.frombuffer(data, dtype).reshape(shape, order=order)
        return array


_MARKS_AND_STACK = b"(.012"  # MARK STOP POP POP_MARK DUP
_NUMBERS = b"NIJKMLFG\x88\x89\x8a\x8b"
_TEXT_AND_BYTES = b"STUVXBC\x8c\x8d\x8e\x96"
_CONTAINERS = b"]lae)t\x85\x86\x87}dsu"
_MEMO = b"pqrghj\x94"
_NAMES = b"c\x93Rb"  # GLOBAL STACK_GLOBAL REDUCE BUILD
_FRAMES = b"\x80\x95"
_KNOWN = b"".join(
    (_MARKS_AND_STACK, _NUMBERS, _TEXT_AND_BYTES, _CONTAINERS, _MEMO, _NAMES, _FRAMES)
)


def _set_item(machine: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.stack[-1][_text(key)] = value


def _set_items(machine: Any) -> None:
    items = machine.pop_mark()
    machine.stack[-1].update(zip(map(_text, items[::2]), items[1::2], strict=True))


def _make_dict(machine: Any) -> None:
    items = machine.pop_mark()
    machine.append(dict(zip(map(_text, items[::2]), items[1::2], strict=True)))


def _make_bytes(machine: Any) -> None:
    """A bytearray: Python's own command makes room for as many bytes as it is told of."""
    size = int.from_bytes(machine.read(8), "little")
    machine.append(bytearray(machine.read(size)))


def _text(key: object) -> str:
    if type(key) is not str:  # the hash of a tuple of tuples of ... can take for ever
        raise ValueError("a key that is no text")
    return key


class _Unpickler(pickle._Unpickler):  # noqa: SLF001 - why is said below
    """The machine that runs a pickle, with stand-ins for names and a short list of commands.

    Python's own machine in Python: the one in C makes room for 2**32 things where a forged file
    numbers one so.
    """

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        code: command
        for code, command in pickle._Unpickler.dispatch.items()  # noqa: SLF001
        if code in _KNOWN
    } | {ord("s"): _set_item, ord("u"): _set_items, ord("d"): _make_dict, 0x96: _make_bytes}

    def __init__(self, stream: _Bounded, path: Path, most: int) -> None:
        super().__init__(stream, fix_imports=False, encoding="latin1")
        self._path, self._left = path, most
        self._array_class = object()
        self._stand_ins = {
            "numpy.ndarray": self._array_class,
            "numpy.dtype": _Called(_Type),
            "_codecs.encode": _Called(self._encode),
        }
        for core in ("numpy.core", "numpy._core"):
            self._stand_ins[f"{core}.multiarray._reconstruct"] = _Called(self._reconstruct)
            self._stand_ins[f"{core}.numeric._frombuffer"] = _Called(self._frombuffer)

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name; every other name is refused."""
        stand_in = self._stand_ins.get(f"{module}.{name}")
        if stand_in is None:
            raise DataError(
                f"`{self._path}` must name nothing but NumPy arrays, got `{module}.{name}`: that "
                "could run any program, and was not run; save the arrays as .npz."
            )
        return stand_in

    def _reconstruct(self, cls: object, _shape: object, _code: object) -> _Array:
        if cls is not self._array_class:
            raise ValueError("a subclass of arrays")
        return _Array()

    def _frombuffer(self, data: object, type_: object, shape: object, order: str) -> _Array:
        array = _Array()
        array.__setstate__((1, shape, type_, order == "F", data))
        return array

    def _encode(self, text: str, encoding: str) -> bytes:
        self._left -= len(text)  # the same text many times over would outgrow the file
        if encoding != "latin1" or self._left < 0:
            raise ValueError("bytes in another encoding, or more than the file can hold")
        return text.encode(encoding)
