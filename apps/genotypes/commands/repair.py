"""`manage.py genotypes repair | convert`: a repaired copy of a file; the original stays."""

import argparse
import json
import signal
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Final

from apps.genotypes.builds import BUILDS
from apps.genotypes.commands.panels import site_tables
from apps.genotypes.repair.orders import Order, Outcome, Repair
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.run import repair
from apps.genotypes.repair.words import end_tidily, outcome_json, parse_repairs
from apps.genotypes.sites import SitesError

__all__ = ["add_parser"]

_STOPPED: Final = 128 + signal.SIGINT
# What a person should look at after a repair that decides something.
_LOOK_AT: Final = {
    Repair.SWAP: "Compare allele frequencies with the panel's: the check shows outliers.",
    Repair.FLIP: "Compare allele frequencies with the panel's: a site that was on the right strand "
    "stands out.",
    Repair.RENAME: "Make sure that the positions are of the build: names do not change them.",
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands `repair` and `convert`."""
    mend = commands.add_parser("repair", help="write a repaired copy of a file")
    _add_arguments(mend)
    mend.add_argument(
        "--do",
        type=parse_repairs,
        required=True,
        metavar="REPAIR,…",
        help=f"what to do: {', '.join(one.value for one in Repair)}",
    )
    mend.set_defaults(run=_run)
    convert = commands.add_parser(
        "convert", help="write a BCF, a PLINK set or a BGEN as a VCF with its index"
    )
    _add_arguments(convert)
    convert.set_defaults(run=_run, do=frozenset({Repair.CONVERT, Repair.INDEX}))


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="VCF, BCF, .bed of a PLINK set, zip of one, BGEN")
    parser.add_argument(
        "--into", type=Path, required=True, metavar="FOLDER", help="where results go; made if new"
    )
    parser.add_argument("--build", choices=BUILDS, help="when the header does not tell it")
    parser.add_argument(
        "--panel",
        type=Path,
        metavar="SITES",
        help="the panel to bring REF and ALT to: its VCF or site list, or a folder of site tables",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _run(given: argparse.Namespace) -> int:
    end_tidily()
    try:
        with nullcontext() if given.panel is None else site_tables(given.panel) as panel:
            order = Order(
                file=given.file,
                name=given.file.name,
                into=given.into,
                repairs=given.do,
                build=given.build,
                panel=panel,
            )
            outcome = repair(order, _show_progress)
    except Refused as refused:
        _end_progress()
        if given.json:
            _write(json.dumps({"refused": asdict(refused.finding(given.file.name))}))
        else:
            line = f", line {refused.line}" if refused.line else ""
            sys.stderr.write(f"{given.file}{line}: {refused}\nNothing was made.\n")
        return 1
    except (OSError, SitesError) as error:
        _end_progress()
        sys.stderr.write(f"{error}\nNothing was made.\n")
        return 1
    except KeyboardInterrupt:
        _end_progress()
        sys.stderr.write("Stopped; nothing was made.\n")
        return _STOPPED
    _end_progress()
    _write(json.dumps(outcome_json(outcome)) if given.json else _as_text(given, outcome))
    return 0


def _as_text(given: argparse.Namespace, outcome: Outcome) -> str:
    width = max((len(done.repair.value) for done in outcome.done), default=0)
    lines = [f"{given.file} is unchanged. What was done to its copy:"]
    lines += [f"  {done.repair.value.ljust(width)}  {done.text}" for done in outcome.done]
    lines.append("Made:")
    lines += [
        f"  {given.into / file.name}  {file.size:,} bytes  SHA-256 {file.sha256}"
        for file in outcome.made
    ]
    lines.append("Look at:")
    lines += [f"  {text}" for one, text in _LOOK_AT.items() if one in given.do]
    lines += [
        f"  manage.py genotypes check {given.into / file.name}"
        for file in outcome.made
        if not file.name.endswith(".tbi")
    ]
    return "\n".join(lines)


def _show_progress(percent: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{percent} %")
        sys.stderr.flush()


def _end_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r     \r")


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
