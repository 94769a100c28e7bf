"""optuna-dashboard over a run's study, on this machine's own address and for nobody else.

The dashboard lets whoever sees it rename, delete and annotate. It has a study in memory that is
gone when it ends; the run's directory is read once, before, and never written. Requests that name
another host, or come from another page's script, are refused, so that no web page that happens to
be open can reach in.
"""

import importlib.util
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from fleetgrad import history
from fleetgrad.errors import UsageError
from fleetgrad.store import Run

if TYPE_CHECKING:
    from optuna import Study

HOST = "127.0.0.1"
FIGURES = ("effects", "cost")  # that Optuna has not
IMPORTANCES = re.compile(r"/api/studies/\d+/param_importances/?")
NOTE = (
    "A copy of the run as it was when this dashboard began. Notes and changes made here are gone "
    "when it ends; the run's record cannot be changed from here."
)

Environ = dict[str, Any]
Start = Callable[..., Any]
App = Callable[[Environ, Start], Iterable[bytes]]


def check_installed() -> None:
    """Refuse to begin without the extra.

    Raises:
        UsageError: optuna-dashboard is not installed.
    """
    if importlib.util.find_spec("optuna_dashboard") is None:
        raise UsageError(
            "the dashboard needs `optuna-dashboard`, got an installation without it; use "
            "`pip install 'fleetgrad[dashboard]'`."
        )


def application(run: Path) -> App:
    """The dashboard over a copy of a run's record, as a WSGI application.

    Raises:
        UsageError: optuna-dashboard is not installed.
        RunError: There is no run, or it is damaged.
    """
    check_installed()
    import optuna_dashboard  # noqa: PLC0415 - an extra

    from fleetgrad.dashboard import export  # noqa: PLC0415 - Optuna takes half a second
    from fleetgrad.report import facts, figures  # noqa: PLC0415 - Plotly takes a second

    with Run.open(run, write=False) as opened:
        known, curves = facts.of(opened), history.curves(opened)
    study = export.of(known.result, curves)
    for kind in figures.KINDS:
        drawn = kind.draw(known) if kind.name in FIGURES else None
        if drawn is not None:
            drawn.update_layout(title=kind.title, margin={"t": 60})
            optuna_dashboard.save_plotly_graph_object(study, drawn, graph_object_id=kind.name)
    told = "\n".join(f"    {line}" for line in study.user_attrs["summary"].splitlines())
    optuna_dashboard.save_note(study, f"{told}\n\n{NOTE}")
    made: App = optuna_dashboard.wsgi(study._storage)  # noqa: SLF001 - there is no other way
    return _knowing(made, importances(study, known.insight.importances or {}))


def importances(study: "Study", shares: Mapping[str, float]) -> list[dict[str, Any]]:
    """How much each name mattered, as the dashboard asks for it."""
    kinds = {name: span for trial in study.trials for name, span in trial.distributions.items()}
    return [
        {"name": name, "importance": share, "distribution": type(kinds[name]).__name__}
        for name, share in shares.items()
        if name in kinds
    ]


def _knowing(app: App, shares: list[dict[str, Any]]) -> App:
    """The application, which tells what mattered of all candidates: it knew the complete alone."""
    told = json.dumps({"param_importances": [shares]}).encode()

    def answer(environ: Environ, start: Start) -> Iterable[bytes]:
        if not IMPORTANCES.fullmatch(environ.get("PATH_INFO", "")):
            return app(environ, start)
        start("200 OK", [("Content-Type", "application/json")])
        return [told]

    return answer


def guarded(app: App, port: int) -> App:
    """The application for those alone who ask this machine by its own name, from its own page."""
    hosts = {f"{name}:{port}" for name in (HOST, "localhost")}

    def answer(environ: Environ, start: Start) -> Iterable[bytes]:
        origin = environ.get("HTTP_ORIGIN", "")
        asked = environ.get("HTTP_HOST")
        if asked in hosts and (not origin or origin.removeprefix("http://") in hosts):
            return app(environ, start)
        start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"This dashboard answers its own page on this machine alone.\n"]

    return answer


def listening(app: App, port: int) -> WSGIServer:
    """A server of the application, which does not answer yet: `serve_forever` does.

    Args:
        app: To be guarded.
        port: 0 for any that is free.

    Raises:
        UsageError: The port is taken, or none.
    """
    try:
        made = make_server(HOST, port, app, server_class=_Server, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"`--port` must be a free port of this machine, got {port} ({error}); "
            "leave it out for any that is free."
        ) from error
    made.set_app(guarded(app, made.server_port))
    return made


class _Server(ThreadingMixIn, WSGIServer):
    """A page asks for several things at once."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """One that logs nothing."""

    def log_message(self, *_: Any) -> None:
        """Nothing."""
