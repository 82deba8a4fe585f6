"""Where the embedded platform keeps its secrets, databases and logs.

For an ordinary user that is `.platform/` in the checkout. PostgreSQL refuses to run as root and
its unprivileged user cannot enter root's home, so for root `.platform` is a link to a folder
under the system's state directory: a fresh clone gets a fresh one, and folders whose checkout is
gone are swept.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["CHECKOUT", "PlatformState", "write_private"]

CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SYSTEM_STATE: Final = Path("/var/lib/federated-imputation")
_FOLDERS: Final = ("data", "env", "logs", "nodes", "run", "secrets")


@dataclass(frozen=True)
class PlatformState:
    """The folder of one platform; two checkouts, or a test run beside a platform, have two.

    Attributes:
        root: `.platform` of the checkout (0700), or the one that `$PLATFORM_STATE` names.
    """

    root: Path

    @classmethod
    def of_checkout(cls) -> "PlatformState":
        return cls(CHECKOUT / os.environ.get("PLATFORM_STATE", ".platform"))

    def environment_file(self, deployment: str) -> Path:
        """File (0600) with every environment variable of `deployment`."""
        return self.root / "env" / f"{deployment}.env"

    def log(self, process: str) -> Path:
        """File that takes the output of `process`."""
        return self.root / "logs" / f"{process}.log"

    def data(self, deployment: str) -> Path:
        """Folder for the files of `deployment`."""
        return self.root / "data" / deployment

    def credentials(self, node: str) -> Path:
        """File (0600) with which the monolith's demonstration data register `node`."""
        return self.root / "nodes" / f"{node}.json"

    def heartbeat(self, process: str) -> Path:
        """File that a process without a port touches to show that it works."""
        return self.root / "run" / f"{process}.heartbeat"

    @property
    def admin_password(self) -> Path:
        """File (0600) with the password of the seeded administrator."""
        return self.root / "admin-password"

    @property
    def node_hold(self) -> Path:
        """File that names the step at which the nodes hold their jobs; usually absent."""
        return self.root / "node-hold"

    @property
    def postgres(self) -> Path:
        """Folder that PostgreSQL's user can enter: data directory, and for root the binaries."""
        return (
            self.root.resolve().parent / "postgres"
            if os.geteuid() == 0
            else (self.root / "postgres")
        )

    @property
    def port_offset(self) -> int | None:
        """What the last `up` added to every port; None before the first."""
        path = self.root / "port-offset"
        return int(path.read_text()) if path.is_file() else None

    def remember_port_offset(self, offset: int) -> None:
        write_private(self.root / "port-offset", f"{offset}\n")

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(36)) -> str:
        """The secret called `name`, made with `make` the first time and kept in a 0600 file."""
        path = self.root / "secrets" / name
        if not path.is_file():
            write_private(path, make())
        return path.read_text()

    def lock(self) -> int | None:
        """Take the platform for this process and those that inherit the returned descriptor.

        Returns:
            A descriptor; the lock ends when every process that has it has closed it. None when
            another process holds it: the platform is running, or another command is at work.
        """
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def create(self) -> None:
        """Make the folder, for root behind a link; harmless when it is there."""
        if not self.root.exists():
            if os.geteuid() == 0:
                self._create_behind_a_link()
            else:
                self.root.mkdir(mode=0o700, parents=True)
        for name in _FOLDERS:
            (self.root / name).mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:  # the server's user walks through it
            self.postgres.mkdir(exist_ok=True)
            self.postgres.chmod(0o711)

    def remove(self) -> None:
        """Delete everything the platform keeps. It must not be running."""
        if not self.root.is_symlink():
            if self.root.exists():
                shutil.rmtree(self.root)
            return
        home = self.root.resolve().parent
        self.root.unlink()
        if home.parent == _SYSTEM_STATE and home.exists():
            shutil.rmtree(home)

    def _create_behind_a_link(self) -> None:
        _SYSTEM_STATE.mkdir(parents=True, exist_ok=True)
        _SYSTEM_STATE.chmod(0o755)
        turn = os.open(_SYSTEM_STATE, os.O_RDONLY)  # nobody sweeps what is not yet linked
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            self._sweep_orphans()
            home = _SYSTEM_STATE / f"{CHECKOUT.name}-{secrets.token_hex(4)}"
            home.mkdir()
            home.chmod(0o711)
            (home / "checkout").write_text(f"{self.root}\n")
            target = home / "state"
            target.mkdir(mode=0o700)
            self.root.unlink(missing_ok=True)  # a link whose target was removed by hand
            self.root.symlink_to(target)
        finally:
            os.close(turn)

    @staticmethod
    def _sweep_orphans() -> None:
        for home in _SYSTEM_STATE.iterdir():
            note = home / "checkout"
            if not note.is_file():
                continue
            link = Path(note.read_text().strip())
            if link.resolve() != home / "state" and not _holds_a_running_server(home):
                shutil.rmtree(home, ignore_errors=True)


def _holds_a_running_server(home: Path) -> bool:
    lock = home / "postgres" / "data" / "postmaster.pid"
    return lock.is_file() and Path("/proc", lock.read_text().split("\n", 1)[0]).exists()


def write_private(path: Path, text: str) -> None:
    """Replace `path` by a file with `text` that only its owner can read, in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
