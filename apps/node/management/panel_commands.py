"""`manage.py node panel …`: what an operator does with reference panels."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError
from django.utils import timezone

from apps.node import panel_building, queries, workspaces
from apps.node.example import RealDataMissing
from apps.node.pipeline.panels import (
    Panel,
    PanelError,
    Population,
    offer_again,
    read_panels,
    retire_panel,
    write_panel,
)
from apps.node.pipeline.site_lists import open_site_list

__all__ = ["add_panel_commands"]

_OFF = Population(id="off", name="Skip", samples=-1)


def add_panel_commands(parser: ArgumentParser) -> None:
    """Add `list`, `add`, `build` and `retire`.

    Each sets `run_panel`, to be called with the options and the stream to write to.
    """
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str, run: Callable[[Mapping[str, Any], TextIO], None]):  # type: ignore[no-untyped-def]
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--json", action="store_true", help="answer in JSON")
        made.set_defaults(run_panel=_told(run))
        return made

    command("list", "list the panels of this node, retired ones included", _list)

    add = command("add", "make a panel from phased VCF files", _add)
    add.add_argument("--id", required=True)
    add.add_argument("--panel-version", required=True, metavar="X.Y.Z")
    add.add_argument("--name", required=True)
    add.add_argument("--build", required=True, choices=["hg19", "hg38"])
    add.add_argument(
        "--population",
        action="append",
        default=[],
        metavar="ID:NAME:SAMPLES",
        help="of the allele-frequency check; `off:Skip:-1` is always there",
    )
    add.add_argument("--genotypes", action="append", required=True, metavar="CHROMOSOME=FILE")
    add.add_argument("--map", action="append", default=[], metavar="CHROMOSOME=FILE")
    add.add_argument("--simulated", action="store_true", help="label it SIMULATED")

    build = command("build", "make a panel without files of your own", _build)
    kind = build.add_mutually_exclusive_group(required=True)
    kind.add_argument(
        "--simulate", action="store_true", help="a SIMULATED one of any size; needs msprime"
    )
    kind.add_argument(
        "--real",
        action="store_true",
        help="300 Europeans of the 1000 Genomes Project, chr20:1-4 Mb, hg19; fetched from Debian",
    )
    build.add_argument("--id", help="simulated-afr or 1000g-eur when left out")
    build.add_argument("--panel-version", default="1.0.0", metavar="X.Y.Z")
    simulated = build.add_argument_group("of a simulated panel")
    simulated.add_argument("--population", choices=panel_building.POPULATIONS, default="AFR")
    simulated.add_argument("--samples", type=int, default=500, help="people, 500 when left out")
    simulated.add_argument("--chromosome", default="20", help="1 to 22")
    simulated.add_argument("--start", type=int, default=40_000_000, help="first base pair")
    simulated.add_argument("--length", type=int, default=5_000_000, help="in base pairs")
    simulated.add_argument("--seed", type=int, default=1, help="same seed, same panel")

    retire = command("retire", "offer a panel to no new job; jobs that have it keep it", _retire)
    retire.add_argument("key", help="as `panel list` shows it")


def _told(
    run: Callable[[Mapping[str, Any], TextIO], None],
) -> Callable[[Mapping[str, Any], TextIO], None]:
    """`run`, where what can go wrong with files is told as one sentence."""

    def told(options: Mapping[str, Any], out: TextIO) -> None:
        try:
            run(options, out)
        except (PanelError, panel_building.CannotSimulate, RealDataMissing) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{error.filename or workspaces.panels_root()}: {error.strerror or error}"
            ) from error

    return told


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """A panel and how many jobs need it."""

    panel: Panel
    jobs: int

    def json(self) -> dict[str, object]:
        panel = self.panel
        return {
            "key": panel.key,
            "name": panel.name,
            "build": panel.build,
            "simulated": panel.simulated,
            "samples": panel.samples,
            "sites": panel.sites,
            "chromosomes": list(panel.names),
            "populations": [each.id for each in panel.populations],
            "retired_at": None if panel.retired_at is None else panel.retired_at.isoformat(),
            "jobs": self.jobs,
            "folder": str(panel.folder),
        }

    def line(self) -> str:
        panel = self.panel
        words = [
            panel.key,
            panel.name,
            panel.build,
            f"chromosome {', '.join(panel.names)}",
            f"{panel.samples:,} samples",
            f"{panel.sites:,} sites",
        ]
        if panel.simulated:
            words.append("SIMULATED")
        if panel.retired_at is not None:
            words.append(f"retired {panel.retired_at:%Y-%m-%d}, needed by {self.jobs} job(s)")
        return "  ".join(words)


def _list(options: Mapping[str, Any], out: TextIO) -> None:
    uses = queries.panel_uses()
    shown = [
        _Shown(panel=panel, jobs=uses[panel.key]) for panel in read_panels(workspaces.panels_root())
    ]
    if options["json"]:
        out.write(json.dumps({"panels": [each.json() for each in shown]}) + "\n")
        return
    for each in shown:
        out.write(each.line() + "\n")


def _add(options: Mapping[str, Any], out: TextIO) -> None:
    panel = write_panel(
        workspaces.panels_root(),
        id=options["id"],
        version=options["panel_version"],
        name=options["name"],
        build=options["build"],
        populations=[*(_population(text) for text in options["population"]), _OFF],
        genotypes=_by_chromosome(options["genotypes"]),
        maps=_by_chromosome(options["map"]),
        simulated=options["simulated"],
    )
    _finish(panel, options, out)


def _build(options: Mapping[str, Any], out: TextIO) -> None:
    root = workspaces.panels_root()
    if options["real"]:
        panel = panel_building.build_real(
            root,
            id=options["id"] or "1000g-eur",
            version=options["panel_version"],
            say=None if options["json"] else lambda text: _say(out, text),
        )
    else:
        panel = panel_building.build_simulated(
            root,
            id=options["id"] or f"simulated-{options['population'].lower()}",
            version=options["panel_version"],
            plan=panel_building.Plan(
                population=options["population"],
                samples=options["samples"],
                chromosome=options["chromosome"],
                start=options["start"],
                length=options["length"],
                seed=options["seed"],
            ),
        )
    _finish(panel, options, out)


def _finish(panel: Panel, options: Mapping[str, Any], out: TextIO) -> None:
    """Offer the panel, with what clients may ask of it made ready, and say so."""
    for name in panel.names:
        open_site_list(panel, name)
    panel = offer_again(panel)
    if options["json"]:
        out.write(json.dumps(_Shown(panel=panel, jobs=0).json()) + "\n")
        return
    out.write(f"{panel.key} is there: {panel.samples} samples, {panel.sites} sites.\n")


def _retire(options: Mapping[str, Any], out: TextIO) -> None:
    key = options["key"]
    found = [p for p in read_panels(workspaces.panels_root()) if p.key == key]
    if not found:
        raise CommandError(f"There is no panel {key}; `node panel list` shows the keys.")
    panel = retire_panel(found[0], now=timezone.now())
    jobs = queries.panel_uses()[key]
    if options["json"]:
        out.write(json.dumps(_Shown(panel=panel, jobs=jobs).json()) + "\n")
        return
    out.write(f"{key} is offered no more.\n")
    if jobs:
        out.write(f"{jobs} job(s) still need it; keep {panel.folder} until they have ended.\n")
    else:
        out.write(f"No job needs it: {panel.folder} may be deleted.\n")


def _say(out: TextIO, text: str) -> None:
    out.write(text + "\n")


def _population(text: str) -> Population:
    parts = text.split(":")
    if len(parts) != 3 or not parts[2].removeprefix("-").isdecimal():
        raise CommandError(f"Population {text!r} is not ID:NAME:SAMPLES.")
    return Population(id=parts[0], name=parts[1], samples=int(parts[2]))


def _by_chromosome(texts: Sequence[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for text in texts:
        chromosome, separator, path = text.partition("=")
        if not separator:
            raise CommandError(f"{text!r} is not CHROMOSOME=FILE.")
        if not Path(path).is_file():
            raise CommandError(f"There is no file {path}.")
        if chromosome in files:
            raise CommandError(f"Chromosome {chromosome} is given twice.")
        files[chromosome] = Path(path)
    return files
