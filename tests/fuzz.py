"""Fuzzing led by Atheris, which sees what branches an input takes and changes what takes new ones.

    python tests/fuzz.py                        100,000 inputs of every reader
    python tests/fuzz.py idx study.db           of these
    python tests/fuzz.py --inputs 1000000

Each reader has a process of its own; the first input that breaks a limit of `readers.py`, or brings
anything but a refusal, is kept in a file and ends it. Atheris comes with the extra `fuzz`.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

INPUTS = 100_000
LONGEST = 4  # times the longest seed
INSTRUMENTED = ["fleetgrad", "csv", "gzip", "json", "pickle", "tomllib", "zipfile"]


def main():
    """Fuzz one reader after the other; the exit status says whether all held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("readers", nargs="*", metavar="READER")
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        fuzz(options.readers[0], options.inputs)
    failed = []
    for name in options.readers or names():
        command = [sys.executable, __file__, name, "--one", "--inputs", str(options.inputs)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        told = "held" if done.returncode == 0 else f"broke\n{done.stdout[-4000:]}"
        sys.stdout.write(f"{name}: {options.inputs:,} inputs, {told}\n")
        sys.stdout.flush()
        failed += [name] * (done.returncode != 0)
    return 1 if failed else 0


def names():
    from readers import READERS

    return list(READERS)


def fuzz(name, inputs):
    """Fuzz a reader; ends the process."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from readers import READERS, tried

    reader, folder = READERS[name], Path(tempfile.mkdtemp())
    seeds = reader.seeds()
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(seeds):
        (corpus / str(number)).write_bytes(content)
    scratch = folder / "scratch"
    scratch.mkdir()
    most = LONGEST * max(map(len, seeds))
    flags = [f"-atheris_runs={inputs}", f"-max_len={most}", "-rss_limit_mb=0", str(corpus)]
    atheris.Setup([sys.argv[0], *flags], lambda content: tried(reader, content, scratch))
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
