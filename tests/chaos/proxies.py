"""A proxy on loopback between the platform and a service: slow, or broken at a byte."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

__all__ = ["Proxy"]

_BLOCK = 1 << 14


class Proxy:
    """Passes bytes on, both ways, at most `rate` a second each way and connection.

    `hold_at(n)` lets the next connection's request pass up to its n-th byte and waits there; `held`
    is set then, and `release` lets it go on.

    Attributes:
        url: Of the proxy.
        passed: Bytes of requests and of answers so far.
    """

    def __init__(self, target: str, *, port: int, rate: int | None = None) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.rate = rate
        self.passed = 0
        self.held = threading.Event()
        self._go_on = threading.Event()
        self._go_on.set()
        self._hold_at: int | None = None
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._listener.settimeout(0.1)
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._go_on.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def hold_at(self, byte: int) -> None:
        self.held.clear()
        self._go_on.clear()
        self._hold_at = byte

    def release(self) -> None:
        self._hold_at = None
        self._go_on.set()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                server = socket.create_connection(self._target, timeout=30)
            except OSError:  # the service is down: so is the way to it
                client.close()
                continue
            for source, sink, is_request in ((client, server, True), (server, client, False)):
                source.settimeout(0.1)
                thread = threading.Thread(target=self._pass, args=(source, sink, is_request))
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        passed = 0
        try:
            while not self._ending.is_set():
                most = _BLOCK
                if is_request and self._hold_at is not None:
                    most = min(most, self._hold_at - passed)
                    if most <= 0:
                        self.held.set()
                        self._go_on.wait()
                        continue
                try:
                    block = source.recv(most)
                except TimeoutError:
                    continue
                if not block:
                    break
                _send_all(sink, block)
                passed += len(block)
                self.passed += len(block)
                if self.rate is not None:
                    time.sleep(len(block) / self.rate)
        except OSError:
            pass  # one side is gone, and the other hears of it below
        finally:
            for end in (sink, source):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR if end is sink else socket.SHUT_RD)
            sink.close()


def _send_all(sink: socket.socket, block: bytes) -> None:
    view = memoryview(block)
    while view:
        try:
            view = view[sink.send(view) :]
        except TimeoutError:
            continue
