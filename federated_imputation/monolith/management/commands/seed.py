"""`manage.py seed legacy|demo`: first data for an empty database of our own."""

import os
import secrets
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.federation.protocol import FederationError
from federated_imputation.monolith.seeds.demo import BadNodeFile, read_node, register_node
from federated_imputation.monolith.seeds.legacy import NotOurDatabase, is_seeded, seed_legacy

__all__ = ["Command"]


class Command(BaseCommand):
    help = "Load first data into an empty database; harmless when repeated."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_subparsers(dest="which", required=True)
        legacy = which.add_parser("legacy", help="services, panels, roles and users")
        legacy.add_argument(
            "--admin-password-file",
            type=Path,
            required=True,
            metavar="PATH",
            help="holds the administrator's password; made with a random one when missing",
        )
        demo = which.add_parser("demo", help="local imputation nodes as services")
        demo.add_argument(
            "--node",
            type=Path,
            action="append",
            required=True,
            metavar="FILE",
            help="JSON that the node wrote: name, title, url, username, token",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["which"] == "legacy":
            self._legacy(options["admin_password_file"])
        else:
            self._demo(options["node"])

    def _legacy(self, password_file: Path) -> None:
        try:
            done = seed_legacy(
                admin_password=lambda: _password_of(password_file), now=timezone.now()
            )
        except NotOurDatabase as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            "Seeded 5 services, 14 panels, 5 roles and 2 users."
            if done
            else "The database was seeded before; nothing was changed."
        )

    def _demo(self, files: list[Path]) -> None:
        if not is_seeded():
            raise CommandError("Only a database that `seed legacy` filled gets demonstration data.")
        try:
            for node in [read_node(file) for file in files]:
                service, done = register_node(node=node, now=timezone.now())
                self.stdout.write(
                    f"{service.name}: {len(done.added)} panels added, {len(done.changed)} changed,"
                    f" {len(done.withdrawn)} withdrawn."
                )
        except (BadNodeFile, FederationError) as error:
            raise CommandError(str(error)) from None


def _password_of(path: Path) -> str:
    """The password in the file; a new one (0600) is written there when there is no file."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            password = secrets.token_urlsafe(18)
            file.write(f"{password}\n")
            return password
    except FileExistsError:
        password = path.read_text().strip()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    if not password:
        raise CommandError(f"{path} is empty.")
    return password
