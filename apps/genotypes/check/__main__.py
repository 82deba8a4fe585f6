"""The check as a process of its own: `python -m apps.genotypes.check FILE --name NAME …`.

Standard output is JSON, one object a line: `{"stage": 1, "progress": 0}` and so on, and at the end
`{"report": {…}}`. The exit status is 0 whenever there is a report, whatever it finds; else 1, and a
sentence on standard error says why. Whoever starts it sets its limits; SIGTERM ends it at once,
since it writes nothing that could be left half-done.
"""

import argparse
import ctypes
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from apps.genotypes.builds import BUILDS
from apps.genotypes.check.beside_panel import PanelChoice
from apps.genotypes.check.run import Choices, check_file
from apps.genotypes.rules import JobLimits, PanelRules
from apps.genotypes.sites import SitesError

__all__ = ["main"]

_M_TRIM_THRESHOLD: Final = -1  # malloc.h of glibc
_M_MMAP_THRESHOLD: Final = -3
_KEPT: Final = 32 * 1024 * 1024


class _BadChoice(ValueError):
    """An argument is not what it must be; the text says which and why."""


def main(arguments: Sequence[str]) -> int:
    """Check one file and print the report."""
    options = _parser().parse_args(arguments)
    try:
        choices = _choices(options)
        report = check_file(options.file, name=options.name, choices=choices, progress=_tell)
    except (OSError, SitesError, _BadChoice) as error:
        sys.stderr.write(f"{options.name}: {error}\n")
        return 1
    except MemoryError:
        sys.stderr.write(f"{options.name}: There is not enough memory for the check.\n")
        return 1
    _say({"report": report.to_json()})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apps.genotypes.check", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--name", required=True, help="how the report calls the file")
    parser.add_argument(
        "--panel",
        action="append",
        default=[],
        metavar="KEY=FOLDER",
        help="a panel and the folder of its site tables; nothing behind the = when not known",
    )
    parser.add_argument("--build", choices=BUILDS, help="of the positions, as the person chose")
    parser.add_argument("--phasing", choices=["yes", "no"], help="whether to be phased")
    parser.add_argument("--stage", type=int, choices=[1, 2, 3], default=3, help="where to stop")
    parser.add_argument(
        "--rules",
        default="{}",
        metavar="JSON",
        help='{"limits": {"min_samples": 20, …}, "panels": {"KEY": {"build": "hg38", '
        '"overlap": 0.5, "min_snps": 3, …}}}; what is left out is the usual',
    )
    return parser


def _choices(options: argparse.Namespace) -> Choices:
    try:
        rules = json.loads(options.rules)
        limits = JobLimits(**rules.get("limits", {}))
        of_panels: Mapping[str, Mapping[str, Any]] = rules.get("panels", {})
        panels = [_panel(text, of_panels) for text in options.panel]
    except (ValueError, TypeError, AttributeError) as error:
        raise _BadChoice(f"--rules or --panel is not what it must be ({error}).") from error
    return Choices(
        build=options.build,
        phasing=None if options.phasing is None else options.phasing == "yes",
        panels=panels,
        limits=limits,
        last_stage=options.stage,
    )


def _panel(text: str, rules: Mapping[str, Mapping[str, Any]]) -> PanelChoice:
    key, equals, folder = text.rpartition("=")
    if not equals:
        raise _BadChoice(f"--panel {text!r} has no =")
    own = dict(rules.get(key, {}))
    build = own.pop("build", None)
    return PanelChoice(
        key=key, tables=Path(folder) if folder else None, build=build, rules=PanelRules(**own)
    )


def _tell(stage: int, percent: int) -> None:
    _say({"stage": stage, "progress": percent})


def _say(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
    sys.stdout.flush()


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next piece of the text (mallopt(3)).

    It would give each megabyte back to the kernel and ask for it again, and a quarter of the time
    would go into its pages. Elsewhere than with glibc this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


if __name__ == "__main__":
    _keep_freed_memory()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
