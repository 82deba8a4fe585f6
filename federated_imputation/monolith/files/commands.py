"""Which program does a run, and with which arguments. Plain functions.

The programs are `apps.genotypes.check` and `apps.genotypes.repair`; each prints JSON lines and ends
with its report.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["Command", "check_command", "repair_command"]

_CHECK: Final = "apps.genotypes.check"
_REPAIR: Final = "apps.genotypes.repair"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A module and what it is given."""

    module: str
    arguments: tuple[str, ...]


def check_command(
    parameters: Mapping[str, Any],
    *,
    file: Path,
    name: str,
    tables: Mapping[int, Path],
    builds: Mapping[int, str],
) -> Command:
    """The check that `parameters` ask for.

    Args:
        tables: Folders of the site tables of those panels that have some.
        builds: Of those panels whose build is known: `hg19` or `hg38`.
    """
    arguments = [str(file), f"--name={name}"]
    panels = parameters["panels"]
    arguments += [f"--panel={panel}={tables.get(panel, '')}" for panel in panels]
    if builds:
        rules = {"panels": {str(panel): {"build": build} for panel, build in builds.items()}}
        arguments.append(f"--rules={json.dumps(rules)}")
    if parameters.get("build"):
        arguments.append(f"--build={parameters['build']}")
    if parameters.get("phasing") is not None:
        arguments.append(f"--phasing={'yes' if parameters['phasing'] else 'no'}")
    return Command(module=_CHECK, arguments=tuple(arguments))


def repair_command(
    parameters: Mapping[str, Any], *, file: Path, name: str, into: Path, tables: Path | None
) -> Command:
    """The repair that `parameters` ask for, with the tables of its panel."""
    arguments = [str(file), f"--name={name}", f"--into={into}"]
    arguments.append(f"--do={','.join(parameters['repairs'])}")
    if parameters.get("build"):
        arguments.append(f"--build={parameters['build']}")
    if tables is not None:
        arguments.append(f"--panel={tables}")
    return Command(module=_REPAIR, arguments=tuple(arguments))
