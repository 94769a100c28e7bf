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

STRONGER = "stronger"  # the way of a trial in which images are disturbed more
FOLDS = 12.0  # how often decay alone would divide weights by e, the rate at its height throughout


@dataclass(frozen=True, slots=True)
class Restraint:
    """What keeps a long training from learning its images by heart.

    Weights under AdamW forget what is older than 1 / (learning_rate x weight_decay) steps, and what
    serves best is a share of the whole training (Wang and Aitchison, arXiv 2405.13698): a decay
    that suits a short one hardly acts in a long one.

    Args:
        augment: How images are disturbed at least; None where that stays as it was.
        rows: From which networks learn; 0 where decay stays as it was.
    """

    augment: Augmentation | None = None
    rows: int = 0

    def on(self, settings: Settings) -> Settings:
        """The same network under it; whoever learns from images as they are goes on so."""
        if settings.augment == NONE:
            return settings
        augment = self.augment
        if augment is None or settings.augment.reaches(augment):
            augment = settings.augment
        return replace(settings, augment=augment, weight_decay=self._decay(settings))

    def _decay(self, settings: Settings) -> float:
        """As it is, or as much as so many epochs can do with."""
        if not self.rows or settings.optimizer != "adamw":
            return settings.weight_decay
        steps = settings.epochs * self.rows / settings.batch_size
        return max(settings.weight_decay, FOLDS / (settings.learning_rate * steps))


def keeps_its_length(settings: Settings, plan: Plan) -> bool:
    """Whether a network's number of epochs is its own, and not the search's."""
    return settings.epochs != plan.epochs or settings.evolved != ()


def lengthened(
    settings: Settings, epochs: int | None, plan: Plan, restraint: Restraint | None = None
) -> Settings:
    """The same network, trained for so many epochs.

    Whoever asks for another number of epochs than the search's full training has a reason, and
    stays; so does whoever changed on the way, for what it learned with hangs on epochs.

    Args:
        settings: As the search has them.
        epochs: Of the last training; None for a record from before there was such a choice.
        plan: Of the run.
        restraint: Under which it is then, if otherwise than in the search.
    """
    if epochs is None or epochs <= plan.epochs or keeps_its_length(settings, plan):
        return settings
    longer = replace(settings, epochs=epochs)
    return longer if restraint is None else restraint.on(longer)


@dataclass(frozen=True, slots=True)
class Lengthened:
    """What a last training had more of than those in the search.

    Args:
        epochs: Of the model's networks, or of most of them.
        searched: Of the full training in the search, of which validation scores speak.
        stronger: Whether images were disturbed more strongly than the search found best, and
            weights pulled towards zero at least as much.
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
    stronger = (run.segment("stretch") or {}).get("taken") == STRONGER
    return Lengthened(epochs, searched, stronger)
