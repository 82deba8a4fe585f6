"""What can go wrong with an outgoing call, by what the caller may conclude::

    OutgoingError
    ├── NotSent              nothing of the request was received there: safe to repeat
    │   ├── Refused          the guard's no, before any connection
    │   └── NotConnected     no address, no connection, or no valid certificate
    └── NoWholeAnswer        it may have been received, but no whole answer came back
        ├── TimedOut         silence, or too slow for the whole call
        ├── Cut              the connection broke
        └── TooLarge         the answer is larger than its cap

`str()` names at most the host and port, never a path, a header or a body: those may be secret.
"""

__all__ = [
    "Cut",
    "NoWholeAnswer",
    "NotConnected",
    "NotSent",
    "OutgoingError",
    "Refused",
    "TimedOut",
    "TooLarge",
]


class OutgoingError(Exception):
    """Base of all."""


class NotSent(OutgoingError):
    pass


class Refused(NotSent):
    pass


class NotConnected(NotSent):
    pass


class NoWholeAnswer(OutgoingError):
    pass


class TimedOut(NoWholeAnswer):
    pass


class Cut(NoWholeAnswer):
    pass


class TooLarge(NoWholeAnswer):
    pass
