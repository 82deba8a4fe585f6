"""`manage.py genotypes …`: files of genotypes, without a server, a database or settings.

One module for each command; its `add_parser` adds the command and names the function to run.
"""

import argparse
from collections.abc import Sequence

from apps.genotypes.commands import check, repair

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status: 0 done, 1 refused, 2 asked wrongly."""
    parser = argparse.ArgumentParser(
        prog="manage.py genotypes", description="Look after files of genotypes."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check.add_parser(commands)
    repair.add_parser(commands)
    given = parser.parse_args(arguments)
    status: int = given.run(given)
    return status
