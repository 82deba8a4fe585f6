"""`manage.py keys list|rotate|revoke`: the keys that sign tokens."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from federated_imputation.monolith.accounts.models import SigningKey
from federated_imputation.monolith.accounts.operations.keys import (
    UnknownKey,
    ensure_keys,
    revoke_key,
    rotate_keys,
)
from federated_imputation.monolith.accounts.queries.keys import list_keys

__all__ = ["Command"]


class Command(BaseCommand):
    help = "List, rotate or revoke the keys that sign tokens. No private key is ever printed."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_subparsers(dest="which", required=True)
        for name, what in (
            ("list", "all keys, the newest first"),
            ("rotate", "sign with the next key from now on; tokens stay valid"),
            ("revoke", "delete a key that leaked: all tokens that it signed end at once"),
        ):
            command = which.add_parser(name, help=what)
            command.add_argument("--json", action="store_true", help="print one JSON object")
            if name == "revoke":
                command.add_argument("kid", metavar="KID", help="the key's name, as `list` tells")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["which"] == "list":
            ensure_keys(now=now)
        elif options["which"] == "rotate":
            rotate_keys(now=now)
        else:
            try:
                revoke_key(kid=options["kid"], now=now)
            except UnknownKey:
                raise CommandError(f"There is no key {options['kid']}.") from None
        keys = list_keys()
        if options["json"]:
            self.stdout.write(json.dumps({"keys": [_report(key) for key in keys]}))
        else:
            for key in keys:
                since = key.retired_at or key.activated_at or key.created_at
                self.stdout.write(f"{key.kid}  {key.state:8}  since {since:%Y-%m-%d %H:%M:%S} UTC")


def _report(key: SigningKey) -> dict[str, str | None]:
    return {
        "kid": key.kid,
        "state": key.state,
        **{
            name: None if moment is None else moment.isoformat()
            for name, moment in (
                ("created_at", key.created_at),
                ("activated_at", key.activated_at),
                ("retired_at", key.retired_at),
            )
        },
    }
