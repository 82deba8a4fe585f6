"""Looking for secrets where none may be: in logs, databases, messages, command lines and files.

A collector returns what a place holds, as it is; `find` tells which secrets are in it, also when
they are encoded in one of the ways in which programs write text inside of other text.
"""

import base64
import gzip
import json
import re
import socket
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import psutil
import psycopg
import redis
from psycopg import sql

__all__ = [
    "Canary",
    "Evidence",
    "Messages",
    "command_lines",
    "databases",
    "dump",
    "files",
    "find",
    "stored_messages",
]

_SHORTEST: Final = 10  # shorter ones would be found by chance
_GZIP: Final = b"\x1f\x8b"
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{40,}={0,2}")


@dataclass(frozen=True, kw_only=True)
class Canary:
    """A secret, or a piece of data as good as one, by the name that a report may hold."""

    name: str
    value: str = field(repr=False)

    def __post_init__(self) -> None:
        assert len(self.value) >= _SHORTEST, f"{self.name} is too short to be told from chance"

    @property
    def forms(self) -> set[bytes]:
        """The value as it is, in a URL, in JSON, in hexadecimal and inside of base64."""
        raw = self.value.encode()
        inside_base64 = {
            # Whatever comes before it, the middle of it is written in one of three ways.
            base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4]
            for shift in range(3)
        }
        forms = {
            raw,
            quote(self.value, safe="").encode(),
            json.dumps(self.value)[1:-1].encode(),
            json.dumps(json.dumps(self.value)[1:-1])[1:-1].encode(),
            raw.hex().encode(),
            *inside_base64,
            *(form.translate(bytes.maketrans(b"+/", b"-_")) for form in inside_base64),
        }
        # PostgreSQL's COPY writes a backslash twice.
        return forms | {form.replace(b"\\", b"\\\\") for form in forms}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was found at a place."""

    place: str
    content: bytes = field(repr=False)


def find(evidence: Iterable[Evidence], canaries: Iterable[Canary]) -> set[tuple[str, str]]:
    """(name of the canary, place) for every canary in the evidence."""
    forms = [(canary.name, canary.forms) for canary in canaries]
    return {
        (name, piece.place)
        for piece in evidence
        for content in [_unpacked(piece.content)]
        for name, written in forms
        if any(form in content for form in written)
    }


def _unpacked(content: bytes) -> bytes:
    """`content`, and what is inside of its base64 (the bodies of Celery's messages) or gzip."""
    inside = []
    if content.startswith(_GZIP):
        with suppress(EOFError, zlib.error, gzip.BadGzipFile):
            inside.append(gzip.decompress(content))
    for packed in _BASE64.findall(content):
        with suppress(ValueError):
            inside.append(
                base64.b64decode(packed + b"==", altchars=b"-_" if b"-" in packed else None)
            )
    return b"\n".join([content, *inside])


def files(*folders: Path) -> Iterator[Evidence]:
    """Every file below the folders, with its name."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                place = f"{folder.name}/{path.relative_to(folder)}"
                yield Evidence(place=place, content=place.encode())
                with suppress(FileNotFoundError):  # removed meanwhile
                    yield Evidence(place=place, content=path.read_bytes())


def databases(server: str) -> list[str]:
    """Names of the databases of a server that hold data of ours, by the superuser's DSN."""
    with psycopg.connect(server, connect_timeout=5) as connection:
        return [
            str(row[0])
            for row in connection.execute(
                "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname"
            )
        ]


def dump(dsn: str) -> Iterator[Evidence]:
    """Every row of every table of a database, as text; bytes are in hexadecimal."""
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        tables = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'm')"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
        ).fetchall()
        for schema, table in tables:
            statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, table))
            with connection.cursor().copy(statement) as rows:
                yield Evidence(place=f"{schema}.{table}", content=b"".join(bytes(r) for r in rows))


def command_lines(root: int) -> Iterator[Evidence]:
    """The command lines of a process and of all that it started."""
    process = psutil.Process(root)
    for member in (process, *process.children(recursive=True)):
        with suppress(OSError):  # it has ended
            line = Path(f"/proc/{member.pid}/cmdline").read_bytes()
            yield Evidence(place=f"command line of {member.pid}", content=line)


def stored_messages(url: str) -> Iterator[Evidence]:
    """Every key of a Redis-protocol server with its value."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(count=1_000):
            kind = client.type(key)
            values: object = {
                b"string": client.get,
                b"list": lambda name: client.lrange(name, 0, -1),
                b"hash": client.hgetall,
                b"set": client.smembers,
                b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
                b"stream": client.xrange,
            }[kind](key)
            yield Evidence(place=f"key {key!r}", content=repr(values).encode())


class Messages:
    """Everything that is said to a Redis-protocol server while the context is open."""

    def __init__(self, *, port: int, password: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._heard: list[bytes] = []
        self._socket.sendall(f"AUTH {password}\r\nMONITOR\r\n".encode())
        while b"".join(self._heard).count(b"+OK\r\n") < 2:
            self._heard.append(self._socket.recv(65_536))
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        self._socket.close()

    def evidence(self) -> Evidence:
        return Evidence(place="messages", content=b"".join(self._heard))

    def _listen(self) -> None:
        with suppress(OSError):
            while heard := self._socket.recv(65_536):
                self._heard.append(heard)
