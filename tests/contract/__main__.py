"""`python -m tests.contract --url URL [--credentials FILE]`: judge a server by the contract.

Prints endpoint by outcome and then every difference, expected and got; nothing stops at the first.
Ends with 0 when the server agrees, 1 when it differs, 2 when it was not judged.
"""

import argparse
import contextlib
import ipaddress
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.contract.own_server import own_server
from tests.contract.recording import record
from tests.contract.report import as_json, table
from tests.contract.row import Row
from tests.contract.rows import ROWS
from tests.contract.runner import Outcome, run_all
from tests.contract.scene import Credentials, Scene, SceneError
from tests.servers import Servers

_NOT_JUDGED = 2


def main(arguments: Sequence[str]) -> int:
    """Run as the command line says; return the status."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract")
    parser.add_argument("--url", help="of the server; without it one of our own is started")
    parser.add_argument(
        "--credentials",
        type=Path,
        metavar="FILE",
        help="JSON: username and password of an administrator, perhaps owner and service; "
        "else CONTRACT_USERNAME and CONTRACT_PASSWORD of the environment",
    )
    parser.add_argument("--only", default="", metavar="WORD", help="endpoints that hold this word")
    parser.add_argument("--json", action="store_true", help="print the outcomes as JSON")
    parser.add_argument(
        "--nobody-else",
        action="store_true",
        help="nobody else uses the server: also run what changes what others use",
    )
    parser.add_argument(
        "--yes-this-writes",
        action="store_true",
        help="needed for a server on another machine: users and jobs are made there",
    )
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust instead of the usual")
    parser.add_argument(
        "--record", action="store_true", help="write the recorded examples anew (own server only)"
    )
    given = parser.parse_args(arguments)
    if given.record and given.url:
        parser.error("--record is for a server of our own: leave --url out")
    if given.url and not (given.yes_this_writes or _is_loopback(given.url)):
        parser.error(f"{given.url} is not on this machine; say --yes-this-writes to go on")
    rows = [row for row in ROWS if given.only in row.endpoint]
    try:
        outcomes, left = _judged(given, rows)
    except (OSError, ValueError, SceneError, requests.RequestException) as error:
        sys.stderr.write(f"Not judged: {error}\n")
        return _NOT_JUDGED
    if given.record:
        record(outcomes)
    sys.stdout.write(as_json(outcomes, left) if given.json else table(outcomes, left))
    return 1 if any(outcome.differences for outcome in outcomes) else 0


def _judged(given: argparse.Namespace, rows: Sequence[Row]) -> tuple[list[Outcome], list[str]]:
    with _server(given) as (url, credentials):
        scene = Scene(url=url, credentials=credentials, verify=given.ca or True)
        alone = given.nobody_else or not given.url
        scene.client("anonymous").send("GET", "/")  # somebody must be there
        try:
            outcomes = list(run_all(rows, scene, alone=alone))
        finally:
            left = scene.close()
    return outcomes, left


@contextlib.contextmanager
def _server(given: argparse.Namespace) -> Iterator[tuple[str, Credentials]]:
    if given.url:
        yield given.url.rstrip("/"), _credentials(given.credentials)
        return
    servers = Servers()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="contract-") as folder,
            own_server(servers.start(), Path(folder)) as own,
        ):
            yield own
    finally:
        servers.stop()


def _credentials(file: Path | None) -> Credentials:
    """What the file says, or the environment.

    Raises:
        OSError: The file cannot be read.
        ValueError: A name or a password is missing.
    """
    names = {"username": "CONTRACT_USERNAME", "password": "CONTRACT_PASSWORD"}
    told: dict[str, Any] = {name: os.environ.get(variable) for name, variable in names.items()}
    if file is not None:
        told |= json.loads(file.read_text(encoding="utf-8"))
    missing = [name for name in names if not told.get(name)]
    if missing:
        raise ValueError(f"no {' and no '.join(missing)} of an administrator was given")
    owner = told.get("owner")
    return Credentials(
        username=told["username"],
        password=told["password"],
        owner=(owner["username"], owner["password"]) if owner else None,
        service=told.get("service"),
    )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
