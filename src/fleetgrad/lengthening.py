"""Networks as they are trained in the end, on all rows: perhaps for longer than in the search.

Where every epoch shows other images, a long training goes on learning, and strong disturbance pays
only then (Ciresan et al., Neural Computation 2010, trained for 800 epochs). A search at such length
would be no search; so its networks are compared at a shorter one, and those that are kept learn
anew, for as long as there is time.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from fleetgrad.augmentation import NONE, Augmentation
from fleetgrad.plan import Plan
from fleetgrad.settings import Settings
from fleetgrad.store import Run


def lengthened(
    settings: Settings, epochs: int | None, plan: Plan, augment: Augmentation | None = None
) -> Settings:
    """The same network, trained for so many epochs.

    Whoever asks for another number of epochs than the search's full training has a reason, and
    stays; so does whoever changed on the way, for what it learned with hangs on epochs.

    Args:
        settings: As the search has them.
        epochs: Of the last training; None for a record from before there was such a choice.
        plan: Of the run.
        augment: How images are disturbed then, if otherwise than in the search; whoever learned
            from images as they are goes on so.
    """
    own = settings.epochs != plan.epochs or settings.evolved
    if epochs is None or epochs <= plan.epochs or own:
        return settings
    if augment is None or settings.augment == NONE:
        augment = settings.augment
    return replace(settings, epochs=epochs, augment=augment)


@dataclass(frozen=True, slots=True)
class Lengthened:
    """What a last training had more of than those in the search.

    Args:
        epochs: Of the model's networks, or of most of them.
        searched: Of the full training in the search, of which validation scores speak.
        stronger: Whether images were disturbed more strongly than the search found best.
    """

    epochs: int
    searched: int
    stronger: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def on_record(run: Run) -> Lengthened | None:
    """Of a run whose model has been trained; None where it was trained as in the search."""
    done = run.segment("plan")
    joined, alone = run.segment("ensemble") or {}, run.segment("refit") or {}
    trained = joined if joined.get("weights") else alone
    searched = Plan.from_dict(done["plan"]).epochs if done else 0
    epochs = trained.get("lasting") or 0
    if epochs <= searched:
        return None
    stronger = (run.segment("stretch") or {}).get("augment") is not None
    return Lengthened(epochs, searched, stronger)
