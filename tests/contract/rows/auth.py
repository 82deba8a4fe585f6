"""Logins, and who is asking."""

from typing import Final

from tests.contract.matching import ANY, Each, Maybe
from tests.contract.row import (
    ANONYMOUS,
    CALLERS,
    Row,
    call,
    edge,
    permissions,
    race,
    refusal,
    success,
    the,
)
from tests.contract.rows.shapes import CURRENT_USER, LOGIN

__all__ = ["ROWS"]

_LOGIN: Final = "POST auth/login/"
_LOGOUT: Final = "POST auth/logout/"
_RIGHT: Final = {
    "username": the("username of researcher"),
    "password": the("password of researcher"),
}
_SIGNED_IN: Final = [caller for caller in CALLERS if caller != "anonymous"]

ROWS: Final[list[Row]] = [
    success(
        _LOGIN,
        "the right password, in JSON",
        by="anonymous",
        json=_RIGHT,
        answer={**LOGIN, "user": {**LOGIN["user"], "username": the("username of researcher")}},
        carries={"Set-Cookie": str},
        example="accounts/login",
    ),
    success(_LOGIN, "the right password, as a form", by="anonymous", form=_RIGHT, answer=LOGIN),
    *(
        refusal(
            _LOGIN,
            title,
            by="anonymous",
            json=sent,
            status=400,
            answer={"error": "Username and password are required"},
            example=example,
        )
        for title, sent, example in (
            ("nothing", {}, "accounts/login-refused-incomplete"),
            ("no password", {"username": "ada"}, ""),
            ("no username", {"password": "x"}, ""),
            ("an empty password", {"username": "ada", "password": ""}, ""),
            ("a list for a name", {"username": ["ada"], "password": "x"}, ""),
        )
    ),
    refusal(
        _LOGIN,
        "a wrong password",
        by="anonymous",
        json={**_RIGHT, "password": "guessed"},
        status=401,
        answer={"error": "Invalid credentials"},
        example="accounts/login-refused",
    ),
    refusal(
        _LOGIN,
        "an unknown user gets the same answer",
        by="anonymous",
        json={"username": the("new name"), "password": "guessed"},
        status=401,
        answer={"error": "Invalid credentials"},
    ),
    refusal(
        _LOGIN,
        "a deactivated user gets the same answer",
        by="anonymous",
        first=[
            call(
                "PATCH users/{id}/",
                at="new user",
                by="administrator",
                json={"is_active": False},
                status=200,
            )
        ],
        json={"username": the("name of new user"), "password": the("password of new user")},
        status=401,
        answer={"error": "Invalid credentials"},
    ),
    refusal(
        _LOGIN,
        "broken JSON",
        by="anonymous",
        body=b'{"username": ',
        headers={"Content-Type": "application/json"},
        status=400,
    ),
    refusal(
        _LOGIN,
        "another type of body",
        by="anonymous",
        body=b"username=ada",
        headers={"Content-Type": "text/plain"},
        status=415,
        answer={"detail": str},
    ),
    *permissions(
        _LOGIN,
        granted=CALLERS,
        callers=["anonymous", "fresh viewer", "fresh admin"],
        title="everybody may, logged in or not",
        json={"username": "", "password": ""},
        status=400,
        others=400,
    ),
    edge(
        _LOGIN,
        "a name with NUL",
        by="anonymous",
        json={"username": "a\0da", "password": "x"},
        status=400,
    ),
    edge(
        _LOGIN,
        "a name of combining letters and emoji",
        by="anonymous",
        json={"username": "e\u0301 \u202e \U0001f9ec", "password": "\U0001f511"},
        status=401,
    ),
    race(
        _LOGIN,
        "four logins of one user",
        *(call(_LOGIN, by="anonymous", json=_RIGHT, status=200) for _ in range(4)),
        answers=[{200: 4}],
    ),
    success(
        _LOGOUT,
        "ends the session",
        by="fresh researcher",
        answer={"message": str},
        then=[call("GET auth/user/", by="fresh researcher", status=403, answer=ANONYMOUS)],
        example="accounts/logout",
    ),
    refusal(_LOGOUT, "who is not logged in", by="anonymous", status=403, answer=ANONYMOUS),
    *permissions(
        _LOGOUT,
        granted=[f"fresh {caller}" for caller in _SIGNED_IN],
        callers=["anonymous", *(f"fresh {caller}" for caller in _SIGNED_IN)],
    ),
    race(
        _LOGOUT,
        "twice at once",
        *(call(_LOGOUT, by="fresh other", status=200) for _ in range(2)),
        first=[call("GET auth/user/", by="fresh other", status=200)],
        answers=[{200: 2}, {200: 1, 403: 1}],
    ),
    *(
        row
        for endpoint in ("GET auth/user/", "GET auth/check/")
        for row in (
            success(
                endpoint,
                "the caller",
                by="researcher",
                answer={
                    **CURRENT_USER,
                    "user": {**CURRENT_USER["user"], "id": the("user researcher")},
                },
                example="accounts/current-user" if "user/" in endpoint else "",
            ),
            success(
                endpoint,
                "a user without a profile",
                by="new bare user",
                answer={**CURRENT_USER, "user": {**CURRENT_USER["user"], "profile": Maybe(ANY)}},
            ),
            refusal(
                endpoint,
                "a token that is none",
                by="anonymous",
                status=401,
                headers={"Authorization": "Bearer nonsense"},
                carries={"WWW-Authenticate": str},
            ),
            *permissions(endpoint, granted=_SIGNED_IN),
        )
    ),
    edge(
        "GET auth/user/",
        "the API version v1",
        by="researcher",
        headers={"API-Version": "v1"},
    ),
    edge(
        "GET auth/user/",
        "an API version that does not exist",
        by="researcher",
        headers={"API-Version": "v9"},
        status=400,
        answer={"error": str, "supported_versions": Each(str, least=2)},
    ),
]
