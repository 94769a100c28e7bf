"""What to search: names of hyperparameters and the range of each.

ranges      one dimension: Float, Int, Choice
conditions  when a dimension matters
space       all of them: Space, from the unit cube to values
written     a space in writing: JSON and TOML
defaults    spaces that work without thought, from the files in presets/
"""

from fleetgrad.space.defaults import (
    NAMED,
    default_space,
    default_toml,
    meaning,
    named_space,
    named_toml,
)
from fleetgrad.space.ranges import Choice, Float, Int, Range
from fleetgrad.space.space import Space

__all__ = [
    "NAMED",
    "Choice",
    "Float",
    "Int",
    "Range",
    "Space",
    "default_space",
    "default_toml",
    "meaning",
    "named_space",
    "named_toml",
]
