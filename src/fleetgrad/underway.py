"""One network under way: where it stands, and its state as named arrays and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from fleetgrad import states, training
from fleetgrad.errors import RunError
from fleetgrad.settings import Settings
from fleetgrad.shapes import Rates, Shape
from fleetgrad.states import State
from fleetgrad.trainees import Member


@dataclass
class Training:
    """Where one member stands: its state on the device, and its history on the host.

    `own` is the shape that its settings need, `shape` that of the program which trains it; `state`
    has the program's form, and is None where it is not in memory; `size` is its bytes; `course`
    holds its rates, and the epoch until which each hold.
    """

    member: Member
    settings: Settings
    own: Shape
    shape: Shape
    course: tuple[tuple[int, Rates], ...]
    steps_per_epoch: int
    size: int
    goal: int = 0  # the epoch until which it is to be trained
    state: Any = None
    position: int = 0  # steps taken
    diverged_at: int | None = None
    curve: list[np.ndarray] = field(default_factory=list)

    @property
    def done(self) -> float:
        """Epochs done, and the share of the one in progress."""
        return self.position / self.steps_per_epoch

    @property
    def epochs(self) -> int:
        """Whole epochs done."""
        return self.position // self.steps_per_epoch

    @property
    def stage(self) -> tuple[int, Rates]:
        """The rates that hold now, and the epoch until which they are to be used."""
        now = next((one for one in self.course if self.epochs < one[0]), self.course[-1])
        return min(self.goal, self.settings.epochs, now[0]), now[1]

    @property
    def needs(self) -> bool:
        """Whether it has steps to take before its goal."""
        goal = min(self.goal, self.settings.epochs) * self.steps_per_epoch
        return self.diverged_at is None and self.position < goal

    def note(self, state: Any, curve: np.ndarray, position: int) -> None:
        """Record where a call left it: its state, the epochs it completed, its divergence."""
        before = self.epochs
        self.state, self.position = state, position
        diverged_at = int(state.diverged_at)
        if diverged_at >= 0:
            self.diverged_at = diverged_at
            self.position = diverged_at
        self.curve.extend(curve[: self.epochs - before])

    @property
    def untouched(self) -> bool:
        """Whether it has not taken a step, so that its state can be made anew."""
        return self.position == 0 and self.diverged_at is None

    @property
    def trimmed(self) -> State:
        """Its state, which is in memory, in its own form."""
        return states.trimmed(self.state, self.own, self.shape)

    def take(self, state: State) -> None:
        """Hold a state that has its own form, on the host."""
        self.state = states.padded(state, self.own, self.shape)

    def saved(self, state: State) -> dict[str, np.ndarray]:
        """Everything `load` needs, as named arrays.

        Args:
            state: Its own, in its own form, wherever that is kept.
        """
        leaves = jax.tree.leaves(state)
        arrays = {f"{number}": np.asarray(leaf) for number, leaf in enumerate(leaves)}
        curve = np.array(self.curve, np.float32).reshape(-1, len(training.CURVE))
        return arrays | {"curve": curve, "position": np.array(self.position)}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what `saved` gave, by name.

        Raises:
            RunError: An array is missing, or does not fit the settings.
        """
        like = states.described(self.own)
        expected = jax.tree.leaves(like)
        found = [arrays.get(f"{number}") for number in range(len(expected))]
        fits = all(
            array is not None and array.shape == leaf.shape and array.dtype == leaf.dtype
            for array, leaf in zip(found, expected, strict=True)
        )
        if not fits or "curve" not in arrays or "position" not in arrays:
            raise RunError(
                f"saved weights must fit their settings, got others for candidate "
                f"{self.member.candidate}, replicate {self.member.replicate}; start the run anew."
            )
        # Copies: what was given may lie on the disk.
        copies = [np.array(array) for array in found]
        self.take(jax.tree.unflatten(jax.tree.structure(like), copies))
        self.curve = list(np.array(arrays["curve"]))
        self.position = int(arrays["position"])
        diverged_at = int(self.state.diverged_at)
        self.diverged_at = diverged_at if diverged_at >= 0 else None
