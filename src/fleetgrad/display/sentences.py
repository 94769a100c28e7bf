"""What may be said of a run, in sentences: the same on a terminal and on a page."""

from fleetgrad.audit import Audit
from fleetgrad.calibration import Calibration
from fleetgrad.display.words import count, figure, percent
from fleetgrad.distilled import STUDENT, Distilled
from fleetgrad.doubling import Doubling
from fleetgrad.finals import FEWEST_REPLICATES
from fleetgrad.lengthening import Lengthened
from fleetgrad.metrics import METRICS, Metric
from fleetgrad.result import Result


def claim(result: Result) -> str:
    """What may be said of the best of the leaderboard, and no more."""
    finalists = [row for row in result.leaderboard if row.status == "finalist"]
    if result.interrupted:
        return "leads so far"
    if result.decided:
        return f"the winner of {count(len(finalists), 'finalist')}"
    if not result.ties:
        return "chosen; nobody was there to be compared with it"
    if result.leaderboard.rows[0].replicates < FEWEST_REPLICATES:
        return f"chosen; a winner takes {FEWEST_REPLICATES} repeats or more"
    if len(result.ties) + 1 == len(finalists):
        return f"chosen among {len(finalists)} equals; no winner can be named"
    return "chosen among the best; no single winner can be named"


def direction(metric: Metric) -> str:
    """Which metric it is, and which way is better."""
    return f"{metric.title}; {'greater' if metric.greater else 'less'} is better"


def guessing(result: Result) -> str:
    """What to say of a winner that may be no better than the same answer for every row."""
    metric = METRICS[result.metric]
    answer = f"the same answer for every row, whose {metric.title} is"
    if metric.name == "accuracy":
        answer = "to answer the commonest class for every row, which is right for"
    return (
        f"no better than {answer} {figure(metric, result.guess)}; search lower learning rates, or "
        "look at the data"
    )


def together(result: Result) -> dict[str, str]:
    """What became of the winner: who predicts with it, for how long it learned, how sure it is."""
    facts, one = {}, result.distilled
    if result.ensemble:
        shares = [f"#{member} {100 * share:.0f} %" for member, share in result.ensemble.items()]
        place = "they are the model" if one is None else "saved beside the model"
        facts["ensemble"] = f"{', '.join(shares)}: {place}"
    if result.lengthened is not None:
        facts["trained"] = _lengthened(result.lengthened)
    if one is not None:
        facts["distilled"] = _distilled(one)
    if result.calibration is not None:
        facts["calibrated"] = _calibrated(result.calibration)
    return facts


def joins(result: Result) -> bool:
    """Whether the winner is one of the ensemble; its weights may have been gone by then."""
    return result.leaderboard.rows[0].id in result.ensemble


def _lengthened(found: Lengthened) -> str:
    more = ", from more strongly disturbed images" if found.stronger else ""
    return (
        f"at last for {count(found.epochs, 'epoch')} on all rows{more}; in the search, of which "
        f"validation speaks, for {found.searched}"
    )


def _distilled(distilled: Distilled) -> str:
    """Which single network the model is, and how it compared on rows that none had learned from."""
    model = f"the model is #{distilled.candidate} itself"
    if distilled.kept == STUDENT:
        model = f"the model is one network like #{distilled.candidate} that learned from them"
    why = {
        "better": "better than it",
        "no better": "a student of them was no better",
        "diverged": "a student of them diverged",
        "no time": "there was no time to learn from them",
        "no ensemble": "there is no ensemble to learn from",
    }[distilled.reason]
    if distilled.validation is None:
        return f"{model}: {why}"
    written = distilled.metric.written
    scores = [f"{name} {written(one.score)}" for name, one in distilled.validation.items()]
    return f"{model}: {why} ({', '.join(scores)} of {count(distilled.rows, 'held-out row')})"


def _calibrated(found: Calibration) -> str:
    before, after = percent(found.before), percent(found.after)
    rows = count(found.rows, "held-out row")
    return (
        f"probabilities are off by {after} on average, {before} before logits were divided by "
        f"{found.temperature:.2f} ({rows})"
    )


def tied(result: Result) -> str:
    """Who cannot be told from the winner; empty where all can."""
    if not result.ties:
        return ""
    ids = ", ".join(f"#{one}" for one in result.ties)
    them = "it" if len(result.ties) == 1 else "them"
    winner = result.leaderboard.rows[0].id
    return f"{ids}: the data cannot tell {them} from #{winner}"


def audited(audit: Audit) -> str:
    """Whether those that were stopped would have won."""
    ran = f"{count(audit.audited, 'candidate')} that had been stopped ran to the end after all"
    won = "none would have won" if not audit.would_have_won else f"{audit.would_have_won} would win"
    return f"{ran}: {won}"


def doubled(doubling: Doubling) -> str:
    """What twice the budget would bring, where that is known."""
    assert doubling.gain is not None
    metric, gain = doubling.metric, doubling.gain
    low, high = map(metric.amount, gain.interval)
    more = metric.gain(gain.expected)
    if metric.percent:
        more = f"{metric.amount(gain.expected)} points more"
    return f"twice the budget: about {more}, by {doubling.how} ({low} to {high})"
