"""`manage.py secrets list|rotate|empty-legacy`: the keys of stored secrets, and old plaintext."""

import json
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from federated_imputation.monolith.accounts.operations import empty_legacy_secrets, rotate_secrets
from federated_imputation.monolith.accounts.queries import EncryptedRow, count_secrets

__all__ = ["Command"]

_MOST_TOLD: Final = 20


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
        empty = which.add_parser(
            "empty-legacy",
            help="compare plaintext of the legacy system with what is encrypted, and empty it",
        )
        empty.add_argument("--json", action="store_true", help="print one JSON object")
        empty.add_argument("--yes", action="store_true", help="empty it; else only compare")
        empty.add_argument(
            "--also-unequal",
            action="store_true",
            help="empty that, too, whose owner has another secret encrypted",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Exits with 1, after telling all else, when a row cannot be decrypted or emptied."""
        if options["which"] == "empty-legacy":
            self._empty_legacy(options)
            return
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

    def _empty_legacy(self, options: dict[str, Any]) -> None:
        done = empty_legacy_secrets(for_good=options["yes"], also_unequal=options["also_unequal"])
        left = [f"{secret} is {standing}" for secret, standing in done.left]
        if options["json"]:
            self.stdout.write(
                json.dumps({"found": dict(done.counts), "emptied": done.emptied, "left": left})
            )
        else:
            found = ", ".join(f"{number} {name}" for name, number in sorted(done.counts.items()))
            self.stdout.write(f"Plaintext beside its encrypted row: {found or 'none'}.")
            self.stdout.write(
                f"{done.emptied} emptied for good."
                if options["yes"]
                else "Nothing was emptied: say --yes for that."
            )
        if left:
            raise CommandError(
                f"{len(left)} must not be emptied as they stand: {', '.join(left[:_MOST_TOLD])}"
                f"{' …' if len(left) > _MOST_TOLD else ''}. `backfill run credentials` encrypts "
                "what is missing; --also-unequal gives up what is unequal."
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
