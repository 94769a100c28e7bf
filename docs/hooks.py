"""What MkDocs fills in as it builds the pages, so that no page can say what the code does not do.

A fenced block of the language `source` holds the dotted name of something in the package, or
`tests/FILE.py:NAME`, and perhaps a second line, `FIRST ... LAST`, with words of the first and of
the last line that are wanted. It becomes those lines of code, under the name of their file. A block
of the language `generated` holds a name in `GENERATED`, and becomes what that gives.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src"
BLOCK = re.compile(r"^```(source|generated)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


class Lines(NamedTuple):
    """Lines of a file: its name in the repository, the number of the first, and their text."""

    file: str
    first: int
    text: str


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its blocks filled in."""
    return BLOCK.sub(lambda found: FILLED[found[1]](found[2]), markdown)


def lines(wanted: str) -> Lines:
    """The lines of code that a block of the language `source` asks for.

    Raises:
        LookupError: There are none.
    """
    name, _, stretch = wanted.partition("\n")
    path, parts = _place(name.strip())
    text = path.read_text(encoding="utf-8").splitlines()
    first, last = _extent(ast.parse("\n".join(text)), parts, name)
    if stretch:
        first, last = _stretch(text, range(first, last + 1), stretch)
    found = "\n".join(_outdented(text[first - 1 : last]))
    return Lines(str(path.relative_to(ROOT)), first, found)


def _place(name: str) -> tuple[Path, list[str]]:
    """The file that a name lies in, and what follows in it."""
    if ":" in name:
        file, _, inside = name.partition(":")
        return ROOT / file, inside.split(".")
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = PACKAGE.joinpath(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file, parts[length:]
    raise LookupError(f"no module holds `{name}`")


def _extent(tree: Any, parts: list[str], name: str) -> tuple[int, int]:
    """The first and the last line of what is named, decorators included; all of a module."""
    for part in parts:
        inside = [node for node in ast.iter_child_nodes(tree) if _is_named(node, part)]
        if not inside:
            raise LookupError(f"`{name}` is not there")
        tree = inside[-1]
    if isinstance(tree, ast.Module):
        return 1, tree.body[-1].end_lineno or 1
    decorators = [one.lineno for one in getattr(tree, "decorator_list", ())]
    return min([tree.lineno, *decorators]), tree.end_lineno


def _is_named(node: Any, name: str) -> bool:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name == name
    targets = [*getattr(node, "targets", ()), getattr(node, "target", None)]
    return any(isinstance(one, ast.Name) and one.id == name for one in targets)


def _stretch(text: list[str], inside: range, wanted: str) -> tuple[int, int]:
    """The lines from the first with some words to the next with others."""
    begin, end = (words.strip() for words in wanted.split("..."))
    first = next((line for line in inside if begin in text[line - 1]), None)
    last = next((line for line in inside if line >= (first or 0) and end in text[line - 1]), None)
    if first is None or last is None:
        raise LookupError(f"no lines from `{begin}` to `{end}`")
    return first, last


def _outdented(text: list[str]) -> Iterator[str]:
    margin = min(len(line) - len(line.lstrip()) for line in text if line.strip())
    return (line[margin:] for line in text)


def _source(wanted: str) -> str:
    found = lines(wanted)
    return f'```python title="{found.file}" linenums="{found.first}"\n{found.text}\n```'


def _commands() -> str:
    """All commands, as the command line itself describes them."""
    import typer.main  # noqa: PLC0415 - not for other pages

    from fleetgrad.cli import app  # noqa: PLC0415 - not for other pages

    return "\n\n".join(_command(one, name) for one, name in _leaves(typer.main.get_command(app)))


def _leaves(command: Any, name: str = "fleetgrad") -> Iterator[tuple[Any, str]]:
    subcommands = getattr(command, "commands", {})
    if not subcommands:
        yield command, name
    for sub in subcommands.values():
        yield from _leaves(sub, f"{name} {sub.name}")


def _command(command: Any, name: str) -> str:
    kinds = {kind: [one for one in command.params if one.param_type_name == kind and one.name
                    != "help"] for kind in ("argument", "option")}  # fmt: skip
    arguments = [one.metavar or one.name.upper() for one in kinds["argument"]]
    usage = " ".join([name, *arguments, *(["[OPTIONS]"] if kinds["option"] else [])])
    rows = [f"| `{one.metavar}` | {one.help} |" for one in kinds["argument"] if one.help]
    rows += [f"| `{_spelled(one)}` | {one.help} |" for one in kinds["option"]]
    table = "\n".join(["| argument | what it does |", "| --- | --- |", *rows])
    return "\n\n".join([f"## {name}", command.help.strip(), f"```text\n{usage}\n```", table])


def _spelled(option: Any) -> str:
    names = ", ".join(option.opts)
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


def _hyperparameters() -> str:
    """Every hyperparameter: its default, and its values."""
    from fleetgrad import settings  # noqa: PLC0415 - not for other pages

    rows = ["| name | default | values |", "| --- | --- | --- |"]
    for field in fields(settings.Settings):
        if field.name in settings.NAMES:
            default = "none" if field.name == "augment" else _toml(field.default)
            rows.append(f"| `{field.name}` | `{default}` | {_values(field.name)} |")
    return "\n".join(rows)


def _values(name: str) -> str:
    from fleetgrad import settings  # noqa: PLC0415 - not for other pages

    if name in settings._NAMED:  # noqa: SLF001 - the table of what is allowed
        return ", ".join(f"`{one}`" for one in settings._NAMED[name])  # noqa: SLF001
    if name in settings._COUNTS:  # noqa: SLF001
        return f"whole, at least {settings._COUNTS[name]}"  # noqa: SLF001
    if name in settings._RANGES:  # noqa: SLF001
        low, high, excluded = settings._RANGES[name]  # noqa: SLF001
        least = f"above {low:g}" if excluded else f"at least {low:g}"
        return least if high == float("inf") else f"{least}, below {high:g}"
    shown = {"hidden": "lists of widths", "augment": "see above"}
    return shown.get(name, "`true`, `false`")


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return str(list(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _presets() -> str:
    """The default spaces, each as the file that it is."""
    parts = []
    for path in sorted((PACKAGE / "fleetgrad/space/presets").glob("*.toml")):
        text = path.read_text(encoding="utf-8").strip()
        tomllib.loads(text)
        shown = text[text.index("\n\n") :].strip()
        title = text.splitlines()[0].strip("# .")
        parts.append(f'### {title}\n\n```toml title="{path.stem}.toml"\n{shown}\n```')
    return "\n\n".join(parts)


def floors() -> list[list[str]]:
    """The modules on each floor of the house, as the test of the plan has them."""
    path = ROOT / "tests/test_layers.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = next(node for node in tree.body if _is_named(node, "FLOORS"))
    assert isinstance(found, ast.Assign)
    return [str(names).split() for names in ast.literal_eval(found.value)]


def _house() -> str:
    """The plan of the house: each floor, from the ground, and what each module is."""
    parts = []
    for number, names in enumerate(floors()):
        rows = [f"| `{name}` | {_sentence(name)} |" for name in sorted(names)]
        head = [f"### Floor {number}\n", "| module | what it is |", "| --- | --- |"]
        parts.append("\n".join([*head, *rows]))
    return "\n\n".join(parts)


def _sentence(module: str) -> str:
    """The first sentence of a module's docstring."""
    path, _ = _place(f"fleetgrad.{module}")
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(told.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) ", first)[0].replace("|", "\\|").replace("<", "&lt;")


GENERATED: dict[str, Callable[[], str]] = {
    "commands": _commands,
    "house": _house,
    "hyperparameters": _hyperparameters,
    "presets": _presets,
}
FILLED: dict[str, Callable[[str], str]] = {
    "source": _source,
    "generated": lambda name: GENERATED[name.strip()](),
}
