"""`manage.py platform …`: the commands with which people run the embedded platform.

Exit status: 0 when the command did what it says, 1 when it could not, 2 for a mistake in the
command line, 130 when it was interrupted.
"""

import argparse
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from federated_imputation import deployments
from federated_imputation.platform import lifecycle
from federated_imputation.platform.environment import read_environment
from federated_imputation.platform.layout import Layout, LayoutError, decide_layout
from federated_imputation.platform.logs import follow, last_lines
from federated_imputation.platform.state import PlatformState
from federated_imputation.platform.status import as_json, as_table, read_status

__all__ = ["main"]

_DEMO: Final = "federated_imputation.platform.demo"
_NO_PLATFORM: Final = "There is no platform yet; `manage.py platform up` makes it."


class _Refused(Exception):
    """The command cannot do what was asked; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Run one command of the platform and return its exit status."""
    options = _parser(arguments).parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (_Refused, LayoutError, lifecycle.PlatformError, OSError) as error:
        print(f"platform {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="manage.py platform", description="The whole platform on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    add("up", _up, "start everything that is not running, and print the addresses")
    add("down", _down, "stop everything")
    status = add("status", _status, "show what runs and how it is")
    status.add_argument("--json", action="store_true", help="for programs")
    logs = add("logs", _logs, "show the end of a log; without a name, list the logs")
    logs.add_argument("name", nargs="?", help="a process, as `status` names it")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    logs.add_argument("-n", "--lines", type=int, default=100, help="how many (default 100)")
    dsn = add("dsn", _dsn, "print the address of a deployment's database, password included")
    dsn.add_argument("name", help="a deployment")
    add("password", _password, "print the password of the administrator, `admin`")
    reset = add("reset", _reset, "stop everything and delete all databases, files and secrets")
    reset.add_argument("--yes", action="store_true", help="yes, delete them")
    if importlib.util.find_spec(_DEMO) is not None:
        demo = add("demo", _demo, "impute a study on the nodes and print the results")
        if arguments[:1] == ["demo"]:  # its imports are slow
            importlib.import_module(_DEMO).add_arguments(demo)
    return parser


def _up(options: argparse.Namespace) -> int:
    state = PlatformState.of_checkout()
    layout = decide_layout(
        os.environ, remembered_offset=state.port_offset if state.root.exists() else None
    )
    lifecycle.bring_up(state, layout, given=os.environ, tell=_say)
    _say(as_table(read_status(state, layout)))
    monolith = layout.url(deployments.by_name("monolith"))
    _say(f"\nAPI {monolith}/api/docs/ · administration {monolith}/admin/ as admin, password:")
    _say("`manage.py platform password`. Logs: `manage.py platform logs`.")
    return 0


def _down(options: argparse.Namespace) -> int:
    state = PlatformState.of_checkout()
    was_running = state.root.exists() and lifecycle.bring_down(state)
    _say("The platform is stopped." if was_running else "The platform was not running.")
    return 0


def _status(options: argparse.Namespace) -> int:
    state = PlatformState.of_checkout()
    status = read_status(state, _layout(state))
    print(json.dumps(as_json(status)) if options.json else as_table(status))
    return 0


def _logs(options: argparse.Namespace) -> int:
    state = PlatformState.of_checkout()
    logs = {path.stem: path for path in sorted((state.root / "logs").glob("*.log"))}
    if not logs:
        raise _Refused(_NO_PLATFORM)
    if options.name is None:
        for name, path in logs.items():
            print(f"{name:28} {path.stat().st_size / 1000:9.1f} kB  {path}")
        return 0
    if options.name not in logs:
        raise _Refused(f"There is no log {options.name!r}; there are: {', '.join(logs)}.")
    path = logs[options.name]
    _say(last_lines(path, options.lines))
    if options.follow:
        for text in follow(path):
            print(text, end="", flush=True)
    return 0


def _dsn(options: argparse.Namespace) -> int:
    try:
        deployment = deployments.by_name(options.name)
    except LookupError as error:
        raise _Refused(error.args[0]) from error
    if deployment.database is None:
        raise _Refused(f"{deployment.name} has no database.")
    variables = read_environment(PlatformState.of_checkout(), deployment.name)
    dsn = variables.get(f"{deployment.env_prefix}_DATABASE_URL")
    if dsn is None:
        raise _Refused(_NO_PLATFORM)
    print(dsn)
    return 0


def _password(options: argparse.Namespace) -> int:
    path = PlatformState.of_checkout().admin_password
    if not path.is_file():
        raise _Refused("No administrator was seeded here; `manage.py platform up` does it.")
    print(path.read_text().strip())
    return 0


def _reset(options: argparse.Namespace) -> int:
    if not options.yes:
        raise _Refused("This deletes all databases, files and secrets; say it with --yes.")
    state = PlatformState.of_checkout()
    if state.root.exists():
        lifecycle.bring_down(state)
    state.remove()
    _say("The platform is stopped and deleted.")
    return 0


def _demo(options: argparse.Namespace) -> int:
    status: int = importlib.import_module(_DEMO).run(options)
    return status


def _layout(state: PlatformState) -> Layout:
    offset = state.port_offset if state.root.exists() else None
    return decide_layout(
        {"PORT_OFFSET": os.environ.get("PORT_OFFSET", "")} if offset is None else {},
        remembered_offset=offset,
    )


def _say(text: str) -> None:
    print(text, flush=True)
