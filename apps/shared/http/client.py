"""The one outgoing client of the platform; every call of it is guarded, timed and capped."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from apps.shared.http import transport as wire
from apps.shared.http.errors import (
    Cut,
    NotConnected,
    OutgoingError,
    Refused,
    TimedOut,
    TooLarge,
)
from apps.shared.http.guard import Guard, Target
from apps.shared.http.keeping import Connections
from apps.shared.http.transport import Exchange, GuardedAdapter, Limits

__all__ = ["LIMITS", "Answer", "Body", "GuardedClient", "Kind", "OpenAnswer"]

Kind = Literal["call", "upload", "download", "probe"]

HOUR: Final = 3600.0
LIMITS: Final[Mapping[Kind, Limits]] = MappingProxyType(
    {
        "call": Limits(connect=10, write=30, idle=30, total=120, answer=64 * 2**20),
        "upload": Limits(connect=10, write=60, idle=300, total=12 * HOUR, answer=2**20),
        "download": Limits(connect=10, write=30, idle=60, total=12 * HOUR, answer=2**38),
        "probe": Limits(connect=3, write=3, idle=5, total=5, answer=2**18),
    }
)
_BLOCK = 1 << 18


class Body(Protocol):
    """A request body that is read in blocks; `len` is its size in bytes."""

    @property
    def len(self) -> int: ...

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class OpenAnswer:
    """An answer whose body is still to be read.

    Attributes:
        status: Of the answer.
        headers: Names in lower case.
    """

    def __init__(self, response: requests.Response, exchange: Exchange, cap: int) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {k.lower(): v for k, v in response.headers.items()}
        self._raw = response.raw
        self._exchange = exchange
        self._cap = cap

    def blocks(self) -> Iterator[bytes]:
        """The body as it came over the wire, in blocks of at most 256 KiB.

        Raises:
            NoWholeAnswer: It ended early (as far as its framing tells), took too long, or is larger
                than its cap.
        """
        announced = self.headers.get("content-length", "")
        too_large = TooLarge(f"{self._exchange.target} answered more than {self._cap:,} bytes.")
        if announced.isdecimal() and int(announced) > self._cap:
            raise too_large
        received = 0
        stream = self._raw.stream(_BLOCK, decode_content=False)
        while True:
            failure: OutgoingError | None = None
            try:
                block = next(stream, b"")
            except (HTTPError, OSError) as error:
                failure = _failure(error, self._exchange)
            if failure is not None:
                raise failure
            if not block:
                return
            received += len(block)
            if received > self._cap:
                raise too_large
            yield block


class GuardedClient:
    """Makes outgoing calls as `apps.shared.http.guard` allows them.

    Certificates are verified, always. Environment proxies, netrc and certificate variables are not
    read, cookies are neither kept nor sent, redirects are not followed, nothing is repeated, and no
    content encoding is asked for or undone. Safe to share between threads.

    Args:
        allow: Targets (`host:port`) that may be private and may be called by plain http.
        transport: A transport adapter of `requests` to use in place of the network.
        request_id: Gives the id of the request being served, sent along as `X-Request-ID`.
        ca_file: Certificates to trust in place of the public ones.
        limits: The table of time-outs and caps.
        kept: Connections that short reads may share; without it, each call makes its own.
        resolve, dial, clock: Name service, connections and monotonic seconds.
    """

    def __init__(
        self,
        *,
        allow: frozenset[str] = frozenset(),
        transport: BaseAdapter | None = None,
        request_id: Callable[[], str] = str,
        ca_file: Path | None = None,
        limits: Mapping[Kind, Limits] = LIMITS,
        kept: Connections | None = None,
        resolve: wire.Resolve = wire.resolve,
        dial: wire.Dial = wire.dial,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = Guard(frozenset(target.lower() for target in allow))
        self._transport = transport
        self._request_id = request_id
        self._verify: bool | str = True if ca_file is None else str(ca_file)
        self._limits = limits
        self._kept = kept
        self._resolve = resolve
        self._dial = dial
        self._clock = clock

    def __repr__(self) -> str:
        return "GuardedClient()"

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        credentials: Mapping[str, str] = MappingProxyType({}),
        body: bytes | Body | None = None,
        kind: Kind = "call",
        confidential: bool = True,
    ) -> Answer:
        """Like `open`, with the whole body read."""
        with self.open(
            method,
            url,
            headers=headers,
            credentials=credentials,
            body=body,
            kind=kind,
            confidential=confidential,
        ) as answer:
            whole = b"".join(answer.blocks())
            return Answer(status=answer.status, headers=answer.headers, body=whole)

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        credentials: Mapping[str, str] = MappingProxyType({}),
        body: bytes | Body | None = None,
        kind: Kind = "call",
        confidential: bool = True,
        largest: int | None = None,
    ) -> Iterator[OpenAnswer]:
        """Send one request and give its answer, whatever its status.

        Args:
            method: `GET`, `POST`, …
            url: Absolute.
            headers: Without secrets.
            credentials: Headers that prove who we are.
            body: Bytes, or something that is read in blocks.
            kind: Row of the table of limits.
            confidential: Whether the URL or the answer is nobody else's business. False permits
                plain http to a public address, if there are no credentials and no body.
            largest: Cap of the answer in place of the table's.

        Raises:
            NotSent: Nothing was received there.
            NoWholeAnswer: It may have been received.
        """
        kept = self._kept if (method, kind, body) == ("GET", "call", None) else None
        prepared = self._prepare(method, url, {**headers, **credentials}, body, kept=kept)
        plain_http = not confidential and not credentials and body is None
        self._guard.target(url, plain_http=plain_http)  # as given, before requests mends it
        target = self._guard.target(str(prepared.url), plain_http=plain_http)
        limits = self._limits[kind]
        with ExitStack() as closing:
            try:
                response, exchange = self._exchange(prepared, target, limits, kept, closing)
            except _Stale:
                response, exchange = self._exchange(prepared, target, limits, None, closing)
            yield OpenAnswer(response, exchange, largest or limits.answer)

    def _exchange(
        self,
        prepared: requests.PreparedRequest,
        target: Target,
        limits: Limits,
        kept: Connections | None,
        closing: ExitStack,
    ) -> tuple[requests.Response, Exchange]:
        """Send the request; `closing` ends what was opened for it.

        Raises:
            _Stale: A kept connection gave no answer.
        """
        exchange = Exchange(
            target=target,
            limits=limits,
            kept=kept,
            resolve=self._resolve,
            dial=self._dial,
            clock=self._clock,
        )
        adapter = self._transport or GuardedAdapter(exchange)
        # Only our own adapter knows better: from another one, anything may have gone out.
        exchange.connected = self._transport is not None
        if adapter is not self._transport:
            closing.callback(adapter.close)
        response = self._send(adapter, prepared, exchange)
        closing.callback(response.close)
        return response, exchange

    def _prepare(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | Body | None,
        *,
        kept: Connections | None,
    ) -> requests.PreparedRequest:
        sent = {
            "User-Agent": "federated-imputation",
            "Accept-Encoding": "identity",
            "Connection": "close" if kept is None else "keep-alive",
            **headers,
        }
        if request_id := self._request_id():
            sent["X-Request-ID"] = request_id
        data: Any = body
        failed = False
        try:
            for value in sent.values():
                value.encode("latin-1")  # as http.client will, with the value in its complaint
            # Piece by piece: `Request.prepare` would look for cookies and for a login in the URL.
            prepared = requests.PreparedRequest()
            prepared.prepare_method(method)
            prepared.prepare_url(url, None)
            prepared.prepare_headers(sent)
            prepared.prepare_body(data, None)
        except (requests.RequestException, UnicodeError, ValueError):
            failed = True  # the exception holds the URL or the header, so it ends here
        if failed:
            raise Refused("The address or a header of the call is not valid.")
        return prepared

    def _send(
        self, adapter: BaseAdapter, prepared: requests.PreparedRequest, exchange: Exchange
    ) -> requests.Response:
        limits = exchange.limits
        failure: OutgoingError
        try:
            return adapter.send(
                prepared,
                stream=True,
                timeout=(limits.connect, limits.idle),
                verify=self._verify,
                cert=None,
                proxies={},
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            failure = _failure(error, exchange)
        if exchange.reused and isinstance(failure, Cut):
            raise _Stale
        raise failure  # outside, so that the exception that names the URL is not its context


class _Stale(Exception):
    """The other side had closed a kept connection, so its request is made again."""


def _failure(error: Exception, exchange: Exchange) -> OutgoingError:
    target = exchange.target
    if not exchange.connected:
        if isinstance(error, requests.exceptions.SSLError):
            return NotConnected(f"{target} has no valid certificate.")
        return NotConnected(f"No connection to {target}.")
    if _is_timeout(error):
        return TimedOut(f"{target} did not answer in time.")
    return Cut(f"The connection to {target} broke.")


def _is_timeout(error: object) -> bool:
    """Whether a time-out is the error or, as the libraries wrap it, one of its arguments."""
    return isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError) or (
        isinstance(error, Exception) and any(map(_is_timeout, error.args))
    )
