"""Programs that are compiled once a session, whichever machine of whatever test asks for them.

A machine counts such a program as compiled by itself, and still asks for it once. Where a test has
put something else in the engine's place, nothing is shared.
"""

import sys
import time
from inspect import ismodule

import jax

from fleetgrad import training
from fleetgrad.machine import Machine, compiler_options


def sharing_programs():
    """`Machine._compile`, for all machines together."""
    compiled, programs, engine = Machine._compile, {}, _names(_made_of(training))

    def compile_once(machine, shape, device, arguments):
        began = time.perf_counter()
        leaves, tree = jax.tree.flatten(arguments)
        arrays = tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        options = compiler_options(device) or {}
        place = (shape, device, tree, arrays, *options.items())
        if place not in programs or not _same(engine):
            program = compiled(machine, shape, device, arguments)
            return programs.setdefault(place, program) if _same(engine) else program
        with machine._lock:
            machine.compilations += 1
            machine.compile_seconds += time.perf_counter() - began
        return programs[place]

    return compile_once


def _made_of(module, found=()):
    """The module, and all of this package that it uses."""
    found = {**dict.fromkeys(found), module: None}
    for value in list(vars(module).values()):
        home = value if ismodule(value) else sys.modules.get(getattr(value, "__module__", None))
        if home is not None and home.__name__.startswith("fleetgrad.") and home not in found:
            found |= _made_of(home, found)
    return found


def _names(modules):
    """What each name of these modules stands for."""
    held = [vars(module) for module in modules]
    return [(names, name, value) for names in held for name, value in names.items()]


def _same(names):
    """Whether every name stands for what it did."""
    return all(held.get(name) is value for held, name, value in names)
