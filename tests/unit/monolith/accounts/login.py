"""A program that logs in and calls the API with tokens."""

from typing import Any

from django.test import Client

from tests.factories import PASSWORD

__all__ = ["CURRENT_USER", "delete", "get", "log_in", "opens", "post", "refresh"]

CURRENT_USER = "/api/auth/user/"


def get(path: str, *, token: str | None = None, client: Client | None = None) -> Any:
    return (client or Client()).get(path, headers=_headers(token))


def post(
    path: str,
    body: Any = None,
    *,
    token: str | None = None,
    client: Client | None = None,
    **headers: str,
) -> Any:
    """POST as a program does: without cookies, unless a client that has some is given."""
    return (client or Client()).post(
        path,
        {} if body is None else body,
        content_type="application/json",
        headers={**_headers(token), **headers},
    )


def delete(path: str, *, token: str | None = None) -> Any:
    return Client().delete(path, headers=_headers(token))


def log_in(client: Client | None = None, username: str = "ada", password: str = PASSWORD) -> Any:
    """The answer's body: the tokens, beside the user."""
    answer = post("/api/auth/login/", {"username": username, "password": password}, client=client)
    assert answer.status_code == 200
    return answer.json()


def refresh(token: str) -> Any:
    return post("/api/auth/token/refresh/", {"refresh_token": token})


def opens(token: str) -> bool:
    """Whether the token lets its bearer in; a refusal must be the 401 with a challenge."""
    answer = get(CURRENT_USER, token=token)
    if answer.status_code == 200:
        return True
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    return False


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}
