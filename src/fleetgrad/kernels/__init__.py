"""Compiled kernels for what XLA has no program for; the engine runs without them, too."""
