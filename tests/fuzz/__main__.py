"""`python -m tests.fuzz [--examples N] [--seed N] [--only PATH] [--keep FOLDER] [actor …]`.

Fuzzes the API as each actor, by default as all three. Prints what was found, then for each
operation and actor how often which status was answered; ends non-zero on any finding.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.run import ACTORS, fuzz, table
from tests.servers import Servers


def main(arguments: Sequence[str]) -> int:
    """Run as the command line says; return the status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("actors", nargs="*", metavar="actor", help=f"of {', '.join(ACTORS)}")
    parser.add_argument("--examples", type=int, default=200, help="for each operation")
    parser.add_argument("--seed", type=int, help="repeats a run")
    parser.add_argument("--phases", help="of examples,coverage,fuzzing,stateful; all by default")
    parser.add_argument("--only", help="operations whose path matches this expression")
    parser.add_argument("--keep", type=Path, help="a new folder for events, logs and data")
    given = parser.parse_args(arguments)
    options = [f"--max-examples={given.examples}"]
    options += [f"--seed={given.seed}"] if given.seed is not None else []
    options += [f"--phases={given.phases}"] if given.phases else []
    options += [f"--include-path-regex={given.only}"] if given.only else []
    servers = Servers()
    with tempfile.TemporaryDirectory() as temporary:
        try:
            outcomes = fuzz(
                given.actors or ACTORS,
                options=options,
                environment=servers.start(),
                folder=given.keep or Path(temporary),
            )
        finally:
            servers.stop()
    for outcome in outcomes:
        sys.stdout.write(f"── {outcome.actor} ──\n{outcome.output}\n")
    sys.stdout.write(table(outcomes))
    return 0 if all(outcome.succeeded for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
