"""Where the sites of panels come from, and what stays when they cannot be had."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.federation.protocol import Unreachable
from apps.genotypes.sites import read_site_manifest
from federated_imputation.monolith.files.models import PanelSites
from federated_imputation.monolith.files.operations.genotypes import sweep_genotypes
from federated_imputation.monolith.files.operations.panel_sites import fetch_sites, install_sites
from tests.bgzf import bgzf
from tests.factories import NOW, make_panel, make_service
from tests.genotype_files import vcf
from tests.job_world import Clock

pytestmark = pytest.mark.django_db(transaction=True)


class Publisher:
    """A service whose answer to the question for sites is `answer`."""

    def __init__(self, answer: Callable[[Path], tuple[Path, ...]]) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self, **_: Any) -> Any:
        return self

    def panel_sites(self, panel: str, folder: Path) -> tuple[Path, ...]:
        self.asked += 1
        return self.answer(folder)


def publishes(*positions: int) -> Callable[[Path], tuple[Path, ...]]:
    def answer(folder: Path) -> tuple[Path, ...]:
        file = folder / "20.vcf.gz"
        file.write_bytes(bgzf(vcf(positions=positions)))
        return (file,)

    return answer


def fails(folder: Path) -> tuple[Path, ...]:
    raise Unreachable("The service does not answer.")


@pytest.fixture
def panel():
    return make_panel(make_service(api_key_required=False))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fetch(panel, clock: Clock, answer) -> Publisher:
    publisher = Publisher(answer)
    fetch_sites(panel.pk, clock=clock, connect=publisher)
    return publisher


def sites_of(panel, root: Path) -> int:
    manifest = read_site_manifest(root / PanelSites.objects.get(panel=panel).folder)
    assert manifest is not None
    return manifest.chromosomes["20"].sites


def test_list_of_a_service_becomes_tables_and_is_asked_for_once(panel, clock, root):
    assert fetch(panel, clock, publishes(10, 20, 30)).asked == 1
    assert fetch(panel, clock, fails).asked == 0

    row = PanelSites.objects.get(panel=panel)
    assert (row.source, row.fetched_at, row.message) == ("service", NOW, "")
    assert list(row.sources) == ["20.vcf.gz"]
    assert sites_of(panel, root) == 3
    assert not list((root / "making").iterdir())


def test_tables_stay_while_the_service_fails(panel, clock, root):
    fetch(panel, clock, publishes(10, 20))
    clock.move(timedelta(days=8))

    assert fetch(panel, clock, fails).asked == 1

    assert PanelSites.objects.get(panel=panel).message == "The service does not answer."
    assert sites_of(panel, root) == 2
    assert fetch(panel, clock, fails).asked == 0
    clock.move(timedelta(minutes=10))
    assert fetch(panel, clock, publishes(10, 20, 30)).asked == 1
    assert sites_of(panel, root) == 3


def test_service_that_publishes_nothing_is_asked_again_in_a_week(panel, clock):
    fetch(panel, clock, lambda folder: ())

    row = PanelSites.objects.get(panel=panel)
    assert (row.source, row.folder) == ("", "")
    assert "publishes no list" in row.message
    clock.move(timedelta(days=6))
    assert fetch(panel, clock, publishes(1)).asked == 0
    clock.move(timedelta(days=1))
    assert fetch(panel, clock, publishes(1)).asked == 1


def test_list_that_is_none_is_told_and_leaves_nothing(panel, clock, root):
    def garbage(folder: Path) -> tuple[Path, ...]:
        file = folder / "20.vcf.gz"
        file.write_bytes(b"<html>")
        return (file,)

    fetch(panel, clock, garbage)

    assert "20.vcf.gz" in PanelSites.objects.get(panel=panel).message
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_what_an_operator_installs_is_not_replaced(panel, clock, root, tmp_path):
    public = tmp_path / "public.vcf"
    public.write_bytes(vcf(positions=(5, 6, 7, 8)))
    fetch(panel, clock, publishes(10))
    clock.move(timedelta(days=8))

    call_command("panel", "sites", str(panel.pk), str(public))

    assert fetch(panel, clock, publishes(10)).asked == 0
    assert PanelSites.objects.get(panel=panel).source == "operator"
    assert sites_of(panel, root) == 4


def test_operator_who_comes_during_a_fetch_wins(panel, clock, root, tmp_path):
    public = tmp_path / "public.vcf"
    public.write_bytes(vcf(positions=(5, 6)))

    def slow(folder: Path) -> tuple[Path, ...]:
        install_sites(panel.pk, [public], now=clock())
        return publishes(10, 20, 30)(folder)

    fetch(panel, clock, slow)

    assert PanelSites.objects.get(panel=panel).source == "operator"
    assert sites_of(panel, root) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no vcf\n", "bad.vcf, line 1"), (vcf(positions=(20, 10)), "bad.vcf, line 6")],
)
def test_bad_list_changes_nothing_and_names_its_line(panel, tmp_path, content, words):
    bad = tmp_path / "bad.vcf"
    bad.write_bytes(content)

    with pytest.raises(CommandError, match=words):
        call_command("panel", "sites", str(panel.pk), str(bad))

    assert not PanelSites.objects.exists()


def test_panel_that_is_not_there_gets_no_sites(tmp_path):
    with pytest.raises(CommandError, match="There is no panel 4711"):
        call_command("panel", "sites", "4711", str(tmp_path / "any.vcf"))


def test_tables_that_were_replaced_go_a_day_later(panel, clock, root):
    fetch(panel, clock, publishes(10))
    before = root / PanelSites.objects.get(panel=panel).folder
    clock.move(timedelta(days=8))
    fetch(panel, clock, publishes(10, 20))

    assert read_site_manifest(before) is not None
    sweep_genotypes(now=clock.now + timedelta(days=20000))
    assert not before.exists()
    assert sites_of(panel, root) == 2
