"""From what a user wants and what a service offers to what is submitted. Plain functions."""

import re
import secrets
import string
from dataclasses import dataclass
from typing import Final

from apps.federation.protocol import (
    Busy,
    Discovery,
    InputFile,
    OfferedPanel,
    Phasing,
    Rejected,
    Submission,
)

__all__ = ["Chosen", "Wish", "choose", "new_password"]

# Words by which services let a job skip the comparison of allele frequencies.
_NO_POPULATION: Final = ("off", "mixed")
# How a key ends that names a version: `apps@h3africa-v6hc-s@1.0.0`.
_VERSION: Final = re.compile(r"@v?\d[\w.-]*$")
_PASSWORD_LENGTH: Final = 32
_PASSWORD_ALPHABET: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the row of a job asks for.

    Attributes:
        panel: The panel's key, or its bare id.
        panel_build: The panel's own build, `hg19` or `hg38`; '' when it was never told.
        build: `hg19` or `hg38`.
        phasing: Whether the service shall phase.
        population: '' leaves it to the panel.
    """

    panel: str
    build: str
    phasing: bool
    population: str
    panel_build: str = ""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What is submitted, all of it offered by the service at this moment.

    Attributes:
        in_place_of: The key that was wanted, when the service has the panel in another version now.
    """

    panel: str
    build: str
    phasing: Phasing
    population: str
    in_place_of: str = ""

    def submission(self, *, tag: str, password: str, file: InputFile) -> Submission:
        return Submission(
            tag=tag,
            panel=self.panel,
            files=(file,),
            build=self.build,
            phasing=self.phasing,
            population=self.population,
            password=password,
        )


def choose(wish: Wish, offered: Discovery) -> Chosen:
    """What to submit for `wish` at a service that offers `offered`.

    Raises:
        Busy: The service is in maintenance.
        Rejected: It does not offer what is wanted; the sentence lists what it offers.
    """
    if offered.in_maintenance:
        raise Busy(offered.maintenance_message or "The service is in maintenance.")
    panel = _panel(wish, offered.panels)
    if offered.builds and wish.build not in offered.builds:
        raise _not_offered("build", wish.build, offered.builds)
    return Chosen(
        panel=panel.key,
        build=wish.build,
        phasing=_phasing(wanted=wish.phasing, offered=offered.phasings),
        population=_population(wish.population, panel.populations),
        in_place_of=wish.panel if _VERSION.search(wish.panel) and panel.key != wish.panel else "",
    )


def new_password() -> str:
    """A random password for result files that every service takes: 32 letters and digits."""
    return "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(_PASSWORD_LENGTH))


def _panel(wish: Wish, offered: tuple[OfferedPanel, ...]) -> OfferedPanel:
    """The panel with this key; a bare id finds `apps@<id>@<version>`, the last offered.

    Services put new versions of a panel in place of old ones. A key whose version is gone finds
    the same panel, on the same build, in the version that is there; the last offered.
    """
    wanted = wish.panel
    for panel in offered:
        if panel.key == wanted:
            return panel
    for panel in reversed(offered):
        if panel.key.split("@")[1:2] == [wanted]:
            return panel
    unversioned = _VERSION.sub("", wanted)
    for panel in reversed(offered) if unversioned != wanted else ():
        is_same_build = not (panel.build and wish.panel_build) or panel.build == wish.panel_build
        if _VERSION.sub("", panel.key) == unversioned and is_same_build:
            return panel
    raise _not_offered("reference panel", wanted, tuple(panel.key for panel in offered))


def _phasing(*, wanted: bool, offered: tuple[str, ...]) -> Phasing:
    if not wanted:
        return "no_phasing"
    if "eagle" in offered or not offered:
        return "eagle"
    if "beagle" in offered:
        return "beagle"
    raise _not_offered("phasing", "eagle or beagle", offered)


def _population(wanted: str, offered: tuple[str, ...]) -> str:
    if wanted:
        for population in offered:
            if population.lower() == wanted.lower():
                return population
        if offered:
            raise _not_offered("population", wanted, offered)
        return wanted
    for population in (*_NO_POPULATION, *offered):
        if population in offered:
            return population
    return "mixed"


def _not_offered(what: str, wanted: str, offered: tuple[str, ...]) -> Rejected:
    choices = ", ".join(offered) or "none"
    return Rejected(f"The service offers no {what} {wanted}; it offers: {choices}.", status=400)
