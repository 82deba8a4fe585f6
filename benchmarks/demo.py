"""`make demo` after the installation: a fresh platform, started, to the table of results."""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from apps.node.pipeline.phasing_programs import installed_phasings
from benchmarks import Row
from tests.platforms import OwnPlatform, own_platform

__all__ = ["run"]

_SECONDS = 600.0
_BAR = 60.0


def run() -> list[Row]:
    with own_platform() as platform:
        first, study = _demo(platform, "--no-unphased")
        second, _ = _demo(platform, "--no-unphased")
        unphased = _demo(platform)[0] if installed_phasings() else None
    return [
        Row(
            figure="make demo, the first time",
            value=first,
            unit="s",
            bar=f"≤ {_BAR:.0f} s",
            holds=first <= _BAR,
            note=f"databases created, study fetched and prepared; {study}",
        ),
        Row(
            figure="make demo, again",
            value=second,
            unit="s",
            bar=f"≤ {_BAR:.0f} s",
            holds=second <= _BAR,
            note="on the platform that is up",
        ),
        Row(
            figure="make demo, with a study without phase",
            value=unphased,
            unit="s",
            note="on the platform that is up; one job more, phased by Eagle or Beagle",
        ),
    ]


def _demo(platform: OwnPlatform, *options: str) -> tuple[float, str]:
    """Seconds from the command to the results, and the study's label."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "demo.json"
        started = time.monotonic()
        platform.up()
        done = platform.manage("demo", *options, "--json", str(report), seconds=_SECONDS)
        seconds = time.monotonic() - started
        if done.returncode != 0:
            raise RuntimeError(f"The demonstration failed:\n{done.stdout}{done.stderr}")
        return seconds, json.loads(report.read_text())["study"]
