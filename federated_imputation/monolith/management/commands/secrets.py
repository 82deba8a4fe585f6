"""`manage.py secrets list|rotate`: which keys stored secrets need, and moving all to the first."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from federated_imputation.monolith.accounts.operations import rotate_secrets
from federated_imputation.monolith.accounts.queries import EncryptedRow, count_secrets

__all__ = ["Command"]


class Command(BaseCommand):
    help = "List or rotate the encryption of stored secrets. No secret and no key is ever printed."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_subparsers(dest="which", required=True)
        for name, what in (
            ("list", "how many secrets each key of FIELD_ENCRYPTION_KEYS opens"),
            ("rotate", "encrypt every secret again with the first key"),
        ):
            which.add_parser(name, help=what).add_argument(
                "--json", action="store_true", help="print one JSON object"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Exits with 1, after telling all else, when a row cannot be decrypted."""
        report, lines, undecryptable = _list() if options["which"] == "list" else _rotate()
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            self.stdout.write("\n".join(lines))
        if undecryptable:
            raise CommandError(
                f"{len(undecryptable)} cannot be decrypted with any key, and were left as they "
                f"are: {', '.join(str(row) for row in undecryptable)}"
            )


def _list() -> tuple[dict[str, Any], list[str], tuple[EncryptedRow, ...]]:
    found = count_secrets()
    report = {
        "keys": [{"fingerprint": key, "secrets": count} for key, count in found.counts.items()],
        "undecryptable": [str(row) for row in found.undecryptable],
    }
    lines = [
        f"{key}  {count} {'secret' if count == 1 else 'secrets'}"
        for key, count in found.counts.items()
    ]
    lines[0] += "  (encrypts)"
    return report, lines, found.undecryptable


def _rotate() -> tuple[dict[str, Any], list[str], tuple[EncryptedRow, ...]]:
    done = rotate_secrets()
    report = {
        "rotated": done.rotated,
        "current": done.current,
        "undecryptable": [str(row) for row in done.undecryptable],
    }
    lines = [f"{done.rotated} rotated, {done.current} were under the first key already."]
    return report, lines, done.undecryptable
