"""`manage.py user create|deactivate|unlock`: accounts, from the server's shell."""

import json
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rest_framework.serializers import ValidationError

from apps.shared.api.origin import SHELL
from federated_imputation.monolith.accounts.api.users import UserEdit
from federated_imputation.monolith.accounts.models import UserRole
from federated_imputation.monolith.accounts.operations.login import LimitsAway, unlock_user
from federated_imputation.monolith.accounts.operations.refusals import Conflict, InvalidFields
from federated_imputation.monolith.accounts.operations.users import create_user, update_user
from federated_imputation.monolith.accounts.queries.people import find_user, roles
from federated_imputation.monolith.accounts.rights import SYSTEM

__all__ = ["Command"]


class Command(BaseCommand):
    help = "Make a user, deactivate one, or let one log in again who guessed too often."
    stealth_options = ("stdin",)

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_subparsers(dest="which", required=True)
        for name, what in (
            ("create", "make a user who can log in"),
            ("deactivate", "shut a user out: sessions and tokens end for good"),
            ("unlock", "forget the wrong passwords that lock a user out"),
        ):
            command = which.add_parser(name, help=what)
            command.add_argument("username", metavar="USERNAME")
            command.add_argument("--json", action="store_true", help="print one JSON object")
            if name == "create":
                command.add_argument("--email", default="", metavar="ADDRESS")
                command.add_argument(
                    "--role", required=True, choices=UserRole.Name.values, help="what they may do"
                )
                command.add_argument(
                    "--password-stdin",
                    action="store_true",
                    help="read the password from the first line of the standard input; "
                    "without it a random one is made, and printed this once",
                )

    def handle(self, *args: Any, **options: Any) -> None:
        """Exits with 1 when it refuses; nothing is changed then."""
        act = {
            "create": self._create,
            "deactivate": self._deactivate,
            "unlock": self._unlock,
        }[options["which"]]
        try:
            report, line = act(options)
        except Conflict as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(json.dumps(report) if options["json"] else line)

    def _create(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        given = UserEdit(data={"username": options["username"], "email": options["email"]})
        if not given.is_valid():
            raise CommandError(_told(given.errors))
        role = roles().filter(name=options["role"]).first()
        if role is None:
            raise CommandError(f"There is no role {options['role']} in this database.")
        made = None if options["password_stdin"] else secrets.token_urlsafe(18)
        try:
            user = create_user(
                wanted=given.validated_data,
                password=made or _first_line(options.get("stdin") or sys.stdin),
                profile={"role_id": role.pk},
                by=SYSTEM,
                origin=SHELL,
                now=timezone.now(),
            )
        except InvalidFields as refused:
            raise CommandError(_told(refused.errors)) from None
        except ValidationError as refused:
            raise CommandError(_told(refused.detail)) from None
        report = {"id": user.pk, "username": user.username, "email": user.email, "role": role.name}
        line = f"Made user {user.username} ({user.pk}), {role.name}."
        if made is None:
            return report, line
        return {**report, "password": made}, f"{line} Password, shown this once: {made}"

    def _deactivate(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        user = _user(options["username"])
        report = {"id": user.pk, "username": user.username, "changed": user.is_active}
        if not user.is_active:
            return report, f"{user.username} was not active; nothing was changed."
        wanted = {"is_active": False}
        update_user(user.pk, wanted=wanted, by=SYSTEM, origin=SHELL, now=timezone.now())
        return report, f"Deactivated {user.username}; sessions and tokens have ended."

    def _unlock(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        user = _user(options["username"])
        try:
            forgotten = unlock_user(user.pk, by=SYSTEM, origin=SHELL, now=timezone.now())
        except LimitsAway as error:
            raise CommandError(str(error)) from None
        report = {"id": user.pk, "username": user.username, "forgotten": forgotten}
        return report, f"{user.username} may log in; wrong passwords forgotten: {forgotten}."


def _user(username: str) -> User:
    user = find_user(username=username)
    if user is None:
        raise CommandError(f"There is no user {username}.")
    return user


def _first_line(stdin: IO[str]) -> str:
    password = stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("The standard input has no password.")
    return password


def _told(errors: Any) -> str:
    """`username: This field …` for each message of each field, a line each."""
    return "\n".join(_lines(errors))


def _lines(errors: Mapping[str, Iterable[object]]) -> Iterator[str]:
    for field, messages in errors.items():
        yield from (f"{field}: {message}" for message in messages)
