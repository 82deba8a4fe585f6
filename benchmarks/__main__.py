"""`python -m benchmarks [NAME …]`: measure, print, and write `docs/reference/benchmarks.md`.

Without names everything is measured. The page has one section for each benchmark, so that
measuring one again leaves the others as they were.
"""

import argparse
import importlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import Row

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "benchmarks.md"
BENCHMARKS: Final = tuple(
    sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if not path.stem.startswith("_") and "\ndef run(" in path.read_text()
    )
)

INTRODUCTION: Final = """\
# Benchmarks

Written by `make bench`; to measure one section again, `.venv/bin/python -m benchmarks NAME`.
A figure that misses its bar is shown as missed: timing fails no test, since a busy machine is slow
without being wrong.
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args(arguments).names or list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    for name in names:
        module = importlib.import_module(f"benchmarks.{name}")
        run: Callable[[], list[Row]] = module.run
        print(f"{name} …", flush=True)
        rows = run()
        print(as_table(rows), end="\n\n", flush=True)
        title = (module.__doc__ or name).strip().split("\n", 1)[0]
        body = f"{title}\n\n{circumstances()}\n\n{as_table(rows)}\n"
        page = PAGE.read_text() if PAGE.is_file() else INTRODUCTION
        PAGE.write_text(with_section(page, name, body))
    return 0


def as_table(rows: Sequence[Row]) -> str:
    """A Markdown table, aligned so that it reads well as plain text too."""
    cells = [("figure", "value", "bar", "", "note")]
    cells += [
        (row.figure, _value(row), row.bar, {True: "✓", False: "✗", None: ""}[row.holds], row.note)
        for row in rows
    ]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(5)]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])


def with_section(page: str, name: str, body: str) -> str:
    """`page` with the section called `name` replaced, or added in alphabetical order."""
    head, *parts = re.split(r"(?m)^## ", page)
    sections = {part.split("\n", 1)[0]: part.split("\n", 1)[1].strip() for part in parts}
    sections[name] = body.strip()
    return head.rstrip() + "\n" + "".join(f"\n## {n}\n\n{sections[n]}\n" for n in sorted(sections))


def circumstances() -> str:
    """Date, commit and machine in one line."""
    today = datetime.now(UTC).date().isoformat()
    load = os.getloadavg()[0]
    return (
        f"{today}, commit {_commit()}, {os.cpu_count()} x {_processor()}, "
        f"Python {platform.python_version()}, load {load:.1f} when it ended."
    )


def _value(row: Row) -> str:
    if row.value is None:
        return "not measured"
    number = f"{row.value:.4f}" if row.unit == "" else f"{row.value:,.1f}"
    return f"{number} {row.unit}".rstrip()


def _commit() -> str:
    def git(*words: str) -> str:
        command = ["git", *words]
        done = subprocess.run(command, cwd=PAGE.parent, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":!/docs")
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{' with changes' if changed else ''}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
