"""Networks as they are trained in the end, on all rows: perhaps for longer than in the search.

Where every epoch shows other images, a long training goes on learning, and strong disturbance pays
only then (Ciresan et al., Neural Computation 2010, trained for 800 epochs). A search at such length
would be no search; so its networks are compared at a shorter one, and those that are kept learn
anew, for as long as there is time.
"""

from dataclasses import replace

from fleetgrad.augmentation import NONE, Augmentation
from fleetgrad.plan import Plan
from fleetgrad.settings import Settings


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
