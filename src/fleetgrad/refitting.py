"""One network of known settings, trained on every row that is not sealed."""

from fleetgrad.data import Dataset
from fleetgrad.errors import TrainingError
from fleetgrad.fleet import Fleet
from fleetgrad.model import Model
from fleetgrad.models import model_of
from fleetgrad.settings import Settings
from fleetgrad.study import Winner
from fleetgrad.trainees import ALONE


def refitted(data: Dataset, settings: Settings, seed: int) -> Model:
    """The model of these settings.

    Raises:
        TrainingError: It diverged.
    """
    population, view = Fleet(data, seed).refit(settings)
    population.advance(settings.epochs)
    if population.diverged_at(ALONE) is not None:
        raise TrainingError(
            "the settings must train soundly on all rows, got a network that diverged; lower "
            "`learning_rate`."
        )
    winner = Winner(0, settings, population.params(ALONE), view, refitted=True)
    return model_of(data, winner, seed)
