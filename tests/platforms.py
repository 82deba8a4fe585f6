"""A whole platform of its own, beside any other: own state, own ports, removed at the end."""

import os
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from federated_imputation.platform.environment import inherited_variables
from federated_imputation.platform.layout import Layout, LayoutError, refuse_taken_ports
from federated_imputation.platform.state import CHECKOUT

__all__ = ["OwnPlatform", "own_platform"]

_UP_SECONDS: Final = 240.0
_DOWN_SECONDS: Final = 120.0
_OFFSETS: Final = range(1_000, 16_000, 10)


@dataclass(frozen=True, kw_only=True)
class OwnPlatform:
    """Attributes:
    environment: All that its commands see of the caller's environment.
    """

    environment: dict[str, str]

    def manage(self, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run `manage.py platform …` and return what it said, whatever its exit status."""
        return subprocess.run(
            [sys.executable, str(CHECKOUT / "manage.py"), "platform", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `manage.py platform …` and return at once; what it says comes in one stream."""
        return subprocess.Popen(
            [sys.executable, str(CHECKOUT / "manage.py"), "platform", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A test run in the background of a shell ignores Ctrl-C, and its children would too.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def hold(self, step: str) -> None:
        """Let the nodes wait at `step` of every job, a minute at most, until the next `up`."""
        OwnPlatform(environment={**self.environment, "NODE_HOLD": step}).up()

    def up(self) -> None:
        """Start what is not running.

        Raises:
            AssertionError: It did not come up; with all that it said.
        """
        done = self.manage("up", seconds=_UP_SECONDS)
        if done.returncode != 0:
            raise AssertionError(f"`platform up` failed:\n{done.stdout}{done.stderr}")


@contextmanager
def own_platform(**settings: str) -> Iterator[OwnPlatform]:
    """A platform that was never up, on free ports; what it left behind is removed afterwards.

    Args:
        settings: Environment variables for its commands and processes.
    """
    platform = OwnPlatform(
        environment={
            **inherited_variables(os.environ),
            "PLATFORM_STATE": f".platform-test-{secrets.token_hex(4)}",
            "PORT_OFFSET": str(_free_offset()),
            **settings,
        }
    )
    try:
        yield platform
    finally:
        platform.manage("reset", "--yes", seconds=_DOWN_SECONDS)


def _free_offset() -> int:
    while True:
        offset = random.SystemRandom().choice(_OFFSETS)
        try:
            refuse_taken_ports(Layout(offset=offset))
        except LayoutError:
            continue
        return offset
