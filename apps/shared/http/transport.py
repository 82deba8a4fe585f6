"""Carries one exchange over a connection whose real address the guard has admitted.

The name is resolved once and the socket is connected to one of the admitted addresses, so what a
name server answers a moment later cannot matter; TLS still verifies the certificate for the name.
An exchange has its own connection, which is closed with it: a request is never written into a
connection that has died meanwhile, so "nothing was sent" and "may have been received" are known.
Short reads, of which both may be true without harm, can share connections (`keeping`).
"""

import io
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from apps.shared.http.errors import NotConnected
from apps.shared.http.guard import Target
from apps.shared.http.keeping import Connections

__all__ = ["Dial", "Exchange", "GuardedAdapter", "Limits", "Resolve", "dial", "resolve"]

Resolve = Callable[[str, int], list[str]]
Dial = Callable[[str, int, float], socket.socket]
_LONGEST_LINE = 1 << 16

# It writes whole URLs into its debug and warning lines, and a path may be the key to a file.
logging.getLogger("urllib3").setLevel(logging.ERROR)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, in the system's order of preference.

    Raises:
        OSError: There is none.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def dial(address: str, port: int, timeout: float) -> socket.socket:
    """A socket connected to the numeric `address`.

    Raises:
        OSError: Nobody listens there, or not within `timeout` seconds.
    """
    return socket.create_connection((address, port), timeout)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long one kind of call may take, in seconds, and how much it may answer, in bytes.

    Attributes:
        connect: For one address, and for the TLS handshake.
        write: For one block of the body.
        idle: Between two pieces of the answer, and before its first.
        total: For everything.
        answer: Largest body.
    """

    connect: float
    write: float
    idle: float
    total: float
    answer: int


class Exchange:
    """One request and its answer: where it may go, how long it may take, how far it came.

    Args:
        kept: Where its connection may come from and goes to; without it, one is made and closed.

    Attributes:
        connected: Whether the connection stood, TLS included, so that bytes may have gone out.
        reused: Whether the connection had carried another exchange.
    """

    def __init__(
        self,
        *,
        target: Target,
        limits: Limits,
        kept: Connections | None = None,
        resolve: Resolve = resolve,
        dial: Dial = dial,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.limits = limits
        self.kept = kept
        self.connected = False
        self.reused = False
        self._resolve = resolve
        self._dial = dial
        self._clock = clock
        self._deadline = clock() + limits.total

    def patience(self, seconds: float) -> float:
        """`seconds`, or what is left of the whole call if that is less.

        Raises:
            TimeoutError: Nothing is left.
        """
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        return min(seconds, left)

    def connect(self) -> socket.socket:
        """A socket connected to an admitted address of the target.

        Raises:
            Refused: None of its addresses is admitted.
            NotConnected: No address, or none answers.
        """
        try:
            addresses = self._resolve(self.target.host, self.target.port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise NotConnected(f"The name of {self.target} is not known.")
        for address in self.target.admitted(addresses):
            try:
                return self._dial(address, self.target.port, self.patience(self.limits.connect))
            except OSError:
                continue
        raise NotConnected(f"{self.target} does not accept connections.")


class GuardedAdapter(HTTPAdapter):
    """Transport adapter of `requests` for one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange
        self._pool: HTTPConnectionPool | None = None

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> HTTPConnectionPool:
        where, tls = self.build_connection_pool_key_attributes(request, verify, cert)
        host, port = where["host"], self._exchange.target.port
        if where["scheme"] == "https":
            self._pool = _HTTPSPool(host, port, exchange=self._exchange, **tls)
        else:
            self._pool = _HTTPPool(host, port, exchange=self._exchange)
        return self._pool

    def close(self) -> None:
        super().close()
        if self._pool is not None:
            self._pool.close()


class _Paced(io.RawIOBase):
    """The bytes of a socket, each piece within the patience of the exchange."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._exchange.patience(self._exchange.limits.idle))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Lines(io.BufferedReader):
    """Whole lines only, none without end.

    `http.client` takes a connection that ends among the headers for the end of the headers, and
    urllib3 asks for the line before a chunk without a limit.
    """

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(_LONGEST_LINE + 1 if size is None or size < 0 else size)
        if not line.endswith(b"\n") and len(line) <= _LONGEST_LINE:
            raise ConnectionAbortedError
        return line


class _PacedSocket:
    """What `http.client.HTTPResponse` needs of a socket."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock = sock
        self._exchange = exchange

    def makefile(self, mode: str) -> io.BufferedReader:
        return _Lines(_Paced(self._sock, self._exchange), 1 << 16)


class _Connection(HTTPConnection):
    def __init__(self, *args: Any, exchange: Exchange, **kwargs: Any) -> None:
        super().__init__(*args, blocksize=1 << 17, **kwargs)
        self._exchange = exchange

    def carry(self, exchange: Exchange) -> None:
        """Belong to `exchange` from now on."""
        self._exchange = exchange
        exchange.connected = exchange.reused = True

    def _new_conn(self) -> socket.socket:
        return self._exchange.connect()

    def connect(self) -> None:
        super().connect()
        self._exchange.connected = True

    def send(self, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self._exchange.patience(self._exchange.limits.write))
        super().send(data)

    def response_class(self, sock: socket.socket, **kwargs: Any) -> HTTPResponse:  # type: ignore[override]
        return HTTPResponse(_PacedSocket(sock, self._exchange), **kwargs)  # type: ignore[arg-type]


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    """Gives the one connection of an exchange, and takes it back after a whole answer."""

    def __init__(self, host: str, port: int, *, exchange: Exchange, **tls: Any) -> None:
        super().__init__(host, port, exchange=exchange, **tls)
        self._exchange = exchange
        self._kind = (exchange.target, tuple(sorted(tls.items())))

    def _get_conn(self, timeout: float | None = None) -> Any:
        if self._exchange.kept is not None:
            connection = self._exchange.kept.take(self._kind)
            if isinstance(connection, _Connection):
                connection.carry(self._exchange)
                return connection
        return super()._get_conn(timeout)

    def _put_conn(self, conn: Any) -> None:
        # Without a socket it was closed, by the answer's own words or because it failed.
        if self._exchange.kept is not None and conn is not None and conn.sock is not None:
            self._exchange.kept.put(self._kind, conn)
        else:
            super()._put_conn(conn)


class _HTTPPool(_Pool):
    ConnectionCls = _Connection


class _HTTPSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection
