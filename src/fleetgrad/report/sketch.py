"""The learning curves as a small drawing (SVG), for places where no script runs."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fleetgrad.report.facts import Candidate, Facts
from fleetgrad.report.figures import curves, style
from fleetgrad.report.thinning import evenly

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 10, 10, 26  # for labels
MOST = 200  # curves
INK = "#7d8590"  # in between, for pages light and dark
FONT = "system-ui, sans-serif"

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where epochs and values lie on the drawing."""

    epochs: int
    low: float
    high: float

    def x(self, epoch: int) -> float:
        """Pixels from the left."""
        share = (epoch - 1) / max(1, self.epochs - 1)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """Pixels from the top; what lies outside the frame is drawn at its edge."""
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def picture(known: Facts) -> Markup | None:
    """The drawing as an image: a notebook that is not trusted shows no parts of drawings."""
    drawing = drawn(known)
    if drawing is None:
        return None
    content = base64.b64encode(drawing.encode()).decode()
    return Markup(
        '<img src="data:image/svg+xml;base64,{}" alt="{}" style="max-width: 100%">'
    ).format(content, _title(known))


def drawn(known: Facts) -> Markup | None:
    """The curves of all candidates, finalists in color; None where nobody has a score."""
    alive = [one for one in known.candidates if _points(one)]
    if not alive:
        return None
    frame = Frame(max(len(one.curve) for one in alive), *_ends(alive))
    colors = dict(zip((one.id for one in curves.named(alive)), curves.COLORS, strict=False))
    others = evenly([one for one in alive if one.id not in colors], MOST)
    lines = [_line(one, frame, INK, 'stroke-width="1" opacity="0.22"') for one in others]
    lines += [_end(one, frame) for one in others]
    best = [one for one in alive if one.id in colors]
    lines += [_line(one, frame, colors[one.id], 'stroke-width="2"') for one in reversed(best)]
    return _framed(lines, frame, known)


def _ends(candidates: Sequence[Candidate]) -> tuple[float, float]:
    """The lowest and the highest value that is shown, of those that there are."""
    values = [value for one in candidates for _, value in _points(one)]
    low, high = curves.within(candidates)
    inner = max(low, min(values)), min(high, max(values))
    return inner if inner[0] < inner[1] else (low, high)


def legend(known: Facts) -> list[tuple[str, str]]:
    """Who has which color."""
    best = curves.named([one for one in known.candidates if _points(one)])
    return [(f"#{one.id}", color) for one, color in zip(best, curves.COLORS, strict=False)]


def _framed(lines: Sequence[str], frame: Frame, known: Facts) -> Markup:
    metric = known.metric
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    marks = [
        _text(LEFT - 8, TOP + 10, "end", metric.written(metric.score(frame.high))),
        _text(LEFT - 8, bottom, "end", metric.written(metric.score(frame.low))),
        _text(LEFT, HEIGHT - 8, "start", "epoch 1"),
        _text(right, HEIGHT - 8, "end", f"epoch {frame.epochs}"),
        f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="{INK}" opacity="0.3"/>',
    ]
    shape = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return Markup(  # noqa: S704 - numbers, and words of our own
        f'<svg xmlns="http://www.w3.org/2000/svg" {shape} font-family="{FONT}">'
        f"{''.join(marks)}{''.join(lines)}</svg>"
    )


def _title(known: Facts) -> str:
    count = f"{len(known.candidates):,} candidates"
    return f"Learning curves: validation {known.metric.title} of {count} by epoch"


def _points(one: Candidate) -> Points:
    return [(epoch, v) for epoch, v in enumerate(one.curve, start=1) if v is not None]


def _line(one: Candidate, frame: Frame, color: str, look: str) -> str:
    places = " ".join(f"{frame.x(epoch)},{frame.y(value)}" for epoch, value in _points(one))
    return f'<polyline points="{places}" fill="none" stroke="{color}" {look}/>'


def _end(one: Candidate, frame: Frame) -> str:
    """A dot where a candidate stopped, a cross where it diverged."""
    epoch, value = _points(one)[-1]
    x, y = frame.x(epoch), frame.y(value)
    if one.status == "diverged":
        cross = f"M{x - 3} {y - 3}l6 6m0-6l-6 6"
        return f'<path d="{cross}" stroke="{style.RED}" stroke-width="1.5"/>'
    return f'<circle cx="{x}" cy="{y}" r="2" fill="{INK}" opacity="0.45"/>'


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{INK}" font-size="12" '
        f'opacity="0.75">{text}</text>'
    )
