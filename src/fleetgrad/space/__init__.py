"""What to search: names of hyperparameters and the range of each.

ranges      one dimension: Float, Int, Choice
conditions  when a dimension matters
space       all of them: Space, from the unit cube to values
text        a space in writing: JSON and TOML
defaults    spaces that work without thought
"""

from fleetgrad.space.defaults import default_space
from fleetgrad.space.ranges import Choice, Float, Int, Range
from fleetgrad.space.space import Space

__all__ = ["Choice", "Float", "Int", "Range", "Space", "default_space"]
