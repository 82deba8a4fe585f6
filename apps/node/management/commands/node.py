"""`manage.py node …`: panels, users, tokens, the demonstration's data, maintenance."""

import getpass
import secrets
import sys
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils import timezone

from apps.node import queries, workspaces
from apps.node.credentials import Credentials, read_credentials, write_credentials
from apps.node.kit_panels import POPULATIONS, write_kit_panel
from apps.node.management.panel_commands import add_panel_commands
from apps.node.models import User
from apps.node.operations.accounts import create_api_token, create_user
from apps.node.operations.jobs import set_maintenance
from apps.node.pipeline.panels import PanelError
from apps.node.tokens import TokenRejected

_PLATFORM: Final = "platform"
_YEAR: Final = timedelta(days=365)


class Command(BaseCommand):
    help = "Manage an imputation node."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(required=True, metavar="COMMAND")
        add_panel_commands(commands.add_parser("panel", help="reference panels"))

        user = commands.add_parser("user", help="users")
        user_commands = user.add_subparsers(required=True, metavar="COMMAND")
        add = user_commands.add_parser("add", help="add a user; asks for the password")
        add.add_argument("name")
        add.add_argument("--full-name", default="")
        add.add_argument("--mail", default="")
        add.add_argument("--admin", action="store_true")
        add.set_defaults(run=self._add_user)

        token = commands.add_parser("token", help="issue a user's API token and show it once")
        token.add_argument("name")
        token.add_argument("--days", type=int, default=30)
        token.set_defaults(run=self._issue_token)

        seed = commands.add_parser("seed", help="a SIMULATED panel, and a user for the platform")
        seed.add_argument("--kit", required=True, choices=POPULATIONS)
        seed.add_argument("--credentials", required=True, type=Path, metavar="FILE")
        seed.add_argument("--url", default="")
        seed.set_defaults(run=self._seed)

        maintenance = commands.add_parser(
            "maintenance", help="let only administrators reach jobs, or everybody again"
        )
        maintenance.add_argument("switch", choices=["on", "off"])
        maintenance.set_defaults(run=self._switch_maintenance)

    def handle(self, *args: Any, **options: Any) -> None:
        if (run_panel := options.get("run_panel")) is not None:
            run_panel(options, self.stdout)
            return
        try:
            options["run"](options)
        except PanelError as error:
            raise CommandError(str(error)) from error

    def _add_user(self, options: dict[str, Any]) -> None:
        password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        if not password:
            raise CommandError("A user needs a password; type it, or give it on standard input.")
        try:
            create_user(
                username=options["name"],
                password=password,
                full_name=options["full_name"],
                mail=options["mail"],
                role=User.Role.ADMIN if options["admin"] else User.Role.USER,
            )
        except IntegrityError as error:
            raise CommandError(f"There is a user {options['name']!r} already.") from error
        self.stdout.write(f"User {options['name']} can log in.")

    def _issue_token(self, options: dict[str, Any]) -> None:
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['name']!r}.")
        if options["days"] < 1:
            raise CommandError("A token lives at least one day.")
        life = timedelta(days=options["days"])
        self.stdout.write(create_api_token(user=user, life=life, now=timezone.now()))

    def _seed(self, options: dict[str, Any]) -> None:
        panel = write_kit_panel(workspaces.panels_root(), options["kit"])
        path: Path = options["credentials"]
        user = User.objects.filter(username=_PLATFORM).first()
        if user is None:
            user = create_user(
                username=_PLATFORM,
                password=secrets.token_urlsafe(32),
                full_name="Federated Genomic Imputation Platform",
            )
        known = read_credentials(path)
        if known is not None and _is_valid(known):
            token = known.token
        else:
            token = create_api_token(user=user, life=_YEAR, now=timezone.now())
        credentials = Credentials(
            name=settings.DEPLOYMENT,
            title=settings.NODE_TITLE,
            url=options["url"] or (known.url if known is not None else ""),
            token=token,
            username=_PLATFORM,
        )
        if credentials != known:
            write_credentials(path, credentials)
        self.stdout.write(f"{panel.name} is there; {path} holds the platform's token.")

    def _switch_maintenance(self, options: dict[str, Any]) -> None:
        on = options["switch"] == "on"
        set_maintenance(on=on)
        self.stdout.write(
            "Submissions are refused, and only administrators reach jobs; those that run go on."
            if on
            else "Submissions are accepted."
        )


def _is_valid(credentials: Credentials) -> bool:
    try:
        user, _ = queries.get_token_owner(credentials.token, now=timezone.now())
    except TokenRejected:
        return False
    return user.username == _PLATFORM
