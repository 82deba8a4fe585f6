"""Django's session table behind a look at the cookie: the engine named by `SESSION_ENGINE`."""

import re

from django.contrib.sessions.backends import db

__all__ = ["SessionStore"]

_KEY = re.compile(r"[a-z0-9]{8,40}")


class SessionStore(db.SessionStore):
    """A cookie that holds no session key is no cookie.

    A quoted cookie may hold any character, and for one with a NUL the database has an error in
    place of an answer.
    """

    def __init__(self, session_key: str | None = None) -> None:
        well_formed = session_key is not None and _KEY.fullmatch(session_key)
        super().__init__(session_key if well_formed else None)
