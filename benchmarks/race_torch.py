"""Optuna's racer: TPE under Hyperband, two jobs at once, each with PyTorch on one thread.

The family is that of our default space for images: two layers of a few widths, ReLU, dropout,
AdamW on weights under a one-cycle rate, smoothed labels, batches of 128. A study returns the best
of its trials that came to their end; what the others had scored until then, only its log tells.
"""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import optuna
import torch
from torch import nn

import digits_data
from racing import Event, Task, write

DIFFERS = "Optuna's TPE and Hyperband from epoch 1, n_jobs 2; PyTorch eager, a thread a job"
JOBS, BATCH, CLASSES = 2, 128, 10
REDUCTION = 3
WIDTHS = {"128-128": (128, 128), "256-128": (256, 128), "512-256": (512, 256)}


class Rows(NamedTuple):
    """Scaled inputs and labels."""

    x: torch.Tensor
    y: torch.Tensor


def search(task: Task) -> None:
    """Optimize until the time is up."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began = time.time()
    write(task.log, began=began)
    data = digits_data.dataset(task)
    split = data.split(0, task.seed)
    parts = (
        _rows(data.x[split.train], data.y[split.train]),
        _rows(data.x[split.validation], data.y[split.validation]),
    )
    study = optuna.create_study(
        study_name=f"{task.seed}",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=task.seed),
        pruner=optuna.pruners.HyperbandPruner(1, task.epochs, REDUCTION),
    )
    objective = functools.partial(_objective, task, began, *parts)
    left = task.seconds - (time.time() - began)
    returned = functools.partial(_returned, task, began)
    study.optimize(objective, n_jobs=JOBS, timeout=left, callbacks=[returned])


def refit(task: Task, values: Mapping[str, Any]) -> float:
    """Test accuracy of settings trained in full on all training rows."""
    torch.set_num_threads(JOBS)
    data = digits_data.dataset(task)
    model = train(values, _rows(data.x, data.y), task.epochs, task.seed, lambda *_: None)
    test = digits_data.opened(data)
    return accuracy(model, _rows(test.x, test.y))


def suggested(trial: Any) -> dict[str, Any]:
    """Settings that a trial asks for."""
    return {
        "hidden": list(WIDTHS[trial.suggest_categorical("hidden", list(WIDTHS))]),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 2e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
        "warmup": trial.suggest_float("warmup", 0.1, 0.3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.4),
        "input_dropout": trial.suggest_float("input_dropout", 0.0, 0.2),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.1),
    }


def train(
    values: Mapping[str, Any],
    rows: Rows,
    epochs: int,
    seed: int,
    after: Callable[[int, nn.Module], None],
) -> nn.Module:
    """A network, trained; `after` hears of every epoch, and may end it by raising."""
    torch.manual_seed(seed)  # weights and dropout are drawn from this one, which jobs share
    draw = torch.Generator().manual_seed(seed)
    model = network(values, rows.x.shape[1])
    weights = [one for one in model.parameters() if one.ndim > 1]
    biases = [one for one in model.parameters() if one.ndim == 1]
    groups = [
        {"params": weights, "weight_decay": values["weight_decay"]},
        {"params": biases, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=values["learning_rate"], fused=True)
    steps = -(-len(rows.y) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, values["learning_rate"], epochs * steps, pct_start=values["warmup"]
    )
    for epoch in range(1, epochs + 1):
        model.train()
        for batch in torch.randperm(len(rows.y), generator=draw).split(BATCH):
            optimizer.zero_grad()
            smoothing = values["label_smoothing"]
            outputs = model(rows.x[batch])
            loss = nn.functional.cross_entropy(outputs, rows.y[batch], label_smoothing=smoothing)
            loss.backward()
            optimizer.step()
            schedule.step()
        after(epoch, model)
    return model


def network(values: Mapping[str, Any], features: int) -> nn.Sequential:
    """Untrained."""
    parts: list[nn.Module] = [nn.Dropout(values["input_dropout"])]
    for width in values["hidden"]:
        parts += [nn.Linear(features, width), nn.ReLU(), nn.Dropout(values["dropout"])]
        features = width
    return nn.Sequential(*parts, nn.Linear(features, CLASSES))


def accuracy(model: nn.Module, rows: Rows) -> float:
    """Share of rows that it gets right."""
    model.eval()
    with torch.no_grad():
        return float((model(rows.x).argmax(1) == rows.y).float().mean())


def _objective(task: Task, began: float, learn: Rows, held_out: Rows, trial: Any) -> float:
    values = suggested(trial)
    trial.set_user_attr("settings", values)
    score = 0.0

    def after(epoch: int, model: nn.Module) -> None:
        nonlocal score
        score = accuracy(model, held_out)
        trial.report(score, epoch)
        seconds = time.time() - began
        write(task.log, **Event(seconds, epoch, score, values, returned=False)._asdict())
        if seconds > task.seconds or (epoch < task.epochs and trial.should_prune()):
            raise optuna.TrialPruned

    train(values, learn, task.epochs, task.seed, after)
    return score


def _returned(task: Task, began: float, study: optuna.Study, trial: Any) -> None:
    """Write down what `study.best_trial` gives: of the trials that were not pruned, the best."""
    if trial.state is optuna.trial.TrialState.COMPLETE and trial == study.best_trial:
        seconds = time.time() - began
        event = Event(seconds, task.epochs, trial.value, trial.user_attrs["settings"])
        write(task.log, **event._asdict())


def _rows(x: Any, y: Any) -> Rows:
    return Rows(torch.from_numpy(digits_data.scaled(x)), torch.from_numpy(y.copy()).long())
