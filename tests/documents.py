"""The pages a person reads: their blocks of code and commands, and what runs each of them.

A block in fences says its language. An indented one, as the README has them, is of commands, of
TOML or of Python, whichever it can be read as. Comments that no reader sees stand before a block:

    <!-- not run: why -->                    its commands are only parsed, its Python only compiled
    <!-- output -->                          it is what a program printed
    <!-- in the test: A -> B -->             A, which must be there, is B as the block is run

The last may have several lines; those without an arrow are Python that runs before. The blocks of
a page run in its order, in one directory and one namespace.
"""

import ast
import contextlib
import io
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

import typer.main

from fleetgrad import Space, cli
from fleetgrad.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCED = re.compile(r"^``` ?\{?\.?(\w+)([^\n]*)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(
    r"<!-- (not run|in the test|output):?\s*((?:(?!-->).)*?)\s*-->\s*\Z", re.DOTALL
)
PROGRAMS = ("dask", "fleetgrad", "make", "pip", "python")
SHOWN = ("text", "generated", "source")  # languages of what is looked at


@dataclass(frozen=True)
class Block:
    """One block: its language, its text, the line it begins at, and what the comment says."""

    language: str
    text: str
    line: int
    title: str = ""
    note: str = ""
    said: str = ""

    @property
    def runs(self):
        return self.note != "not run" and self.language not in SHOWN

    @property
    def tried(self):
        """The text as it is run."""
        text = self.text
        for change in self._said(arrow=True):
            shown, _, taken = change.partition(" -> ")
            assert shown in text, f"`{shown}` is not in the block"
            text = text.replace(shown, taken)
        return text

    @property
    def before(self):
        """Python that runs before it."""
        return "\n".join(self._said(arrow=False))

    def _said(self, *, arrow):
        lines = self.said.splitlines() if self.note == "in the test" else ()
        return [line for line in lines if line.strip() and (" -> " in line) == arrow]


def blocks(text):
    """All blocks of a page, in order."""
    found = []
    for at, language, title, code in [*_fenced(text), *_indented(text)]:
        line = text.count("\n", 0, at) + 1
        comment = COMMENT.search(text[:at])
        note, said = comment.groups() if comment else ("", "")
        kind = "text" if note == "output" else language or language_of(code)
        found.append(Block(kind, code, line, title, note, said))
    return sorted(found, key=lambda block: block.line)


def _fenced(text):
    for match in FENCED.finditer(text):
        title = re.search(r'title="([^"]*)"', match[2])
        yield match.start(), match[1], title[1] if title else "", match[3]


def _indented(text):
    """Paragraphs of four spaces, with the blank lines inside them, outside fences and lists."""
    plain = FENCED.sub(lambda match: re.sub(r"[^\n]", "-", match[0]), text)
    for match in re.finditer(r"(?<=\n\n)(?: {4}[^\n]*\n+)+", plain):
        code = re.sub(r"^ {4}", "", match[0].rstrip(), flags=re.MULTILINE)
        yield match.start(), "", "", code


def language_of(code):
    """What an unnamed block holds."""
    if code.split()[0] in PROGRAMS:
        return "sh"
    for language, read, error in (("toml", tomllib.loads, tomllib.TOMLDecodeError),
                                  ("python", ast.parse, SyntaxError)):  # fmt: skip
        with contextlib.suppress(error):
            read(code)
            return language
    raise AssertionError(f"a block that is no code wants `<!-- output -->` before it: {code[:80]}")


def commands(text):
    """The command lines of a block, without prompts, comments and broken lines."""
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.split("#")[0].strip()]


class Page:
    """A page as its blocks are run: one namespace, in the current directory.

    Args:
        elsewhere: Words of commands that are only parsed.
    """

    def __init__(self, elsewhere=()):
        self.names = {"__name__": "page"}
        self.elsewhere = set(elsewhere)

    def run(self, block):
        """Run a block, or check what can be checked of one that is not run."""
        exec(block.before, self.names)
        LANGUAGES[block.language](self, block)

    def _python(self, block):
        code = compile("\n" * block.line + block.tried, "a page", "exec")
        if block.runs:
            exec(code, self.names)

    def _sh(self, block):
        for line in commands(block.tried):
            words, file = _words(line)
            here = block.runs and not self.elsewhere & set(words)
            if here and words[0] == "fleetgrad":
                spoken(words[1:], file)
            else:
                CHECKED[words[0]](words[1:])

    def _toml(self, block):
        path = Path(block.title or "space.toml")
        path.write_text(block.text)
        Space.from_toml(path)

    def _shown(self, block):
        """Nothing: the build fills it in, or it is what a program printed."""


LANGUAGES = {"python": Page._python, "sh": Page._sh, "toml": Page._toml} | dict.fromkeys(
    SHOWN, Page._shown
)


def _words(line):
    """A command's words, and the file that its output goes to."""
    words = shlex.split(line, comments=True)
    if ">" in words:
        at = words.index(">")
        return words[:at], Path(words[at + 1])
    return words, None


def spoken(words, file=None):
    """Run one of our commands; it must end well, and say something."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(words)
    assert status == 0, f"fleetgrad {shlex.join(words)}: {err.getvalue()}"
    assert out.getvalue().strip()
    if file:
        file.write_text(out.getvalue())


def parsed(words):
    """Let the command line read one of our commands, without running it."""
    command, context = typer.main.get_command(app), None
    while hasattr(command, "commands") and words:
        context = command.make_context(command.name, [], parent=context, resilient_parsing=True)
        command, words = command.get_command(context, words[0]), words[1:]
    command.make_context(command.name, list(words), parent=context)


def _of_make(words):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {word for word in words if "=" not in word} <= set(targets)


def _of_pip(words):
    """What is installed, and the extras that are asked for."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert words[0] == "install"
    for word in words[1:]:
        named = re.fullmatch(r"(?:\.|fleetgrad)\[([\w,]+)\]", word)
        assert not named or set(named[1].split(",")) <= set(known["optional-dependencies"])


def _of_python(words):
    """A script of ours and its options, a module, or a line of code."""
    if words[0] == "-c":
        compile(words[1], "a command", "exec")
    elif words[0] != "-m":
        script = ROOT / words[0]
        options = {word for word in words[1:] if word.startswith("--")}
        assert options <= set(re.findall(r"--[\w-]+", script.read_text()))


CHECKED = {  # what is said of a program's command where it is not run
    "dask": lambda words: None,  # its own documentation's
    "fleetgrad": parsed,
    "make": _of_make,
    "pip": _of_pip,
    "python": _of_python,
}
