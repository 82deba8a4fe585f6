"""Where the embedded platform keeps its secrets, databases and logs.

For an ordinary user that is `.platform/` in the checkout. PostgreSQL refuses to run as root and
its unprivileged user cannot enter root's home, so for root `.platform` is a link to a folder
under the system's state directory: a fresh clone gets a fresh one, and folders whose checkout is
gone are swept.
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["CHECKOUT", "PlatformState"]

CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SYSTEM_STATE: Final = Path("/var/lib/federated-imputation")


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

    @property
    def postgres(self) -> Path:
        """Folder that PostgreSQL's user can enter: data directory, and for root the binaries."""
        return (
            self.root.resolve().parent / "postgres"
            if os.geteuid() == 0
            else (self.root / "postgres")
        )

    def create(self) -> None:
        """Make the folder, for root as a link; harmless when it is there."""
        if self.root.exists():
            return
        if os.geteuid() != 0:
            self.root.mkdir(mode=0o700, parents=True)
            return
        _SYSTEM_STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._sweep_orphans()
        home = _SYSTEM_STATE / f"{CHECKOUT.name}-{secrets.token_hex(4)}"
        home.mkdir(mode=0o711)
        (home / "checkout").write_text(f"{self.root}\n")
        target = home / "state"
        target.mkdir(mode=0o700)
        self.root.unlink(missing_ok=True)  # a link whose target was removed by hand
        self.root.symlink_to(target)

    def remove(self) -> None:
        """Delete everything the platform keeps. It must not be running."""
        if not self.root.is_symlink():
            shutil.rmtree(self.root, ignore_errors=True)
            return
        home = self.root.resolve().parent
        self.root.unlink()
        if home.parent == _SYSTEM_STATE:
            shutil.rmtree(home)

    @staticmethod
    def _sweep_orphans() -> None:
        for home in _SYSTEM_STATE.iterdir():
            note = home / "checkout"
            if not note.is_file():
                continue
            link = Path(note.read_text().strip())
            postmaster = home / "postgres" / "data" / "postmaster.pid"
            if link.resolve() != home / "state" and not postmaster.exists():
                shutil.rmtree(home, ignore_errors=True)
