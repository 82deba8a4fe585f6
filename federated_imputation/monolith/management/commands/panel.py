"""`manage.py panel sites PANEL FILE…`: the sites of a reference panel, from a public list."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.genotypes.sites import SitesError
from federated_imputation.monolith.files.operations.panel_sites import install_sites
from federated_imputation.monolith.registry.queries import UnknownPanel

__all__ = ["Command"]


class Command(BaseCommand):
    help = "Tell the platform which sites a reference panel has, so that files can be checked."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_subparsers(dest="which", required=True)
        sites = which.add_parser(
            "sites", help="make tables of VCF files that together have the panel's sites"
        )
        sites.add_argument("panel", type=int, metavar="PANEL", help="id of the panel here")
        sites.add_argument("files", type=Path, nargs="+", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        panel_id = options["panel"]
        try:
            sites = install_sites(panel_id, options["files"], now=timezone.now())
        except UnknownPanel:
            raise CommandError(f"There is no panel {panel_id}.") from None
        except (SitesError, OSError) as error:
            raise CommandError(str(error)) from None
        for chromosome, number in sites.items():
            self.stdout.write(f"chromosome {chromosome}: {number:,} sites")
