"""Who may do what with logins, tokens, users, roles, rights and the audit log."""

from typing import Final

from tests.factories import PASSWORD
from tests.security.monolith.actors import (
    ADMINS,
    EVERYBODY,
    GROUP,
    OWNER,
    PEOPLE,
    RIGHTS,
    SCRIPT_OF_ADMIN,
    SERVICE_ADMINS,
    names,
    scripts,
)
from tests.security.monolith.rows import endpoint, open_to_all
from tests.security.walk import HIDDEN, SHOWN, Row, form, json_body

__all__ = ["ACCOUNT_ROWS"]

_NEW_PASSWORD: Final = "sunny walrus counts 41 teapots"
_SUPERUSER: Final = names("superuser")
_ACCOUNT_READERS: Final = names(OWNER, scripts("account:read"))
_STRANGERS: Final = names(PEOPLE, SCRIPT_OF_ADMIN)

_SESSIONS: Final = [
    *endpoint("api/auth/login/", POST={EVERYBODY: 400}, title="nothing sent"),
    *endpoint(
        "api/auth/login/",
        POST={EVERYBODY: 401},
        body=form(username="owner", password="guessed"),
        title="wrong password",
    ),
    *endpoint(
        "api/auth/login/",
        POST={EVERYBODY: 401},
        body=form(username="deactivated", password=PASSWORD),
        title="deactivated user",
    ),
    *endpoint(
        "api/auth/login/",
        POST={EVERYBODY: 200},
        body=form(username="owner", password=PASSWORD),
        title="right password",
    ),
    *endpoint(
        "api/auth/login/",
        POST={EVERYBODY: 403},
        body=form(username="owner", password=PASSWORD),
        headers={"Origin": "https://evil.example"},
        title="from another site's page",
    ),
    *endpoint("api/auth/logout/", POST={PEOPLE: 200}),
    *endpoint("api/auth/user/", marker="email", GET={_ACCOUNT_READERS: SHOWN, _STRANGERS: HIDDEN}),
    *endpoint("api/auth/check/", marker="email", GET={_ACCOUNT_READERS: SHOWN, _STRANGERS: HIDDEN}),
]

_TOKENS: Final = [
    *open_to_all(".well-known/jwks.json"),
    *endpoint("api/auth/token/refresh/", POST={EVERYBODY: 400}, title="nothing sent"),
    *endpoint(
        "api/auth/token/refresh/",
        POST={EVERYBODY: 401},
        body=json_body(refresh_token=lambda scene: scene.values["access token"]),
        title="an access token",
    ),
    *(
        row
        for token, ended in (
            ("refresh token of deactivated", frozenset()),
            ("refresh token of a login that ended", frozenset()),
            ("refresh token of a login that expired", frozenset()),
            ("refresh token of an earlier password", frozenset()),
            # Whoever used it first may have stolen it: that login ends.
            ("refresh token that was used", frozenset({"imputation_tokenfamily"})),
        )
        for row in endpoint(
            "api/auth/token/refresh/",
            POST={EVERYBODY: 401},
            body=json_body(refresh_token=lambda scene, token=token: scene.values[token]),
            writes=ended,
            title=f"a {token}",
        )
    ),
    *endpoint(
        "api/auth/token/refresh/",
        POST={EVERYBODY: 200},
        body=json_body(refresh_token=lambda scene: scene.values["refresh token"]),
    ),
    *endpoint(
        "api/auth/token/revoke/",
        POST={EVERYBODY: 200},
        body=json_body(token=lambda scene: scene.values["access token"]),
    ),
]

_CREDENTIALS: Final = [
    *endpoint(
        "api/auth/change-password/",
        POST={PEOPLE: 400},
        body=json_body(current_password=PASSWORD, new_password="x"),
        title="a weak one",
    ),
    *endpoint("api/auth/change-password/", POST={PEOPLE: 400}, title="nothing sent"),
    *endpoint(
        "api/auth/change-password/",
        POST={PEOPLE: 400},
        body=json_body(current_password="guessed", new_password=_NEW_PASSWORD),
        title="wrong password",
    ),
    *endpoint(
        "api/auth/change-password/",
        POST={PEOPLE: 200},
        body=json_body(current_password=PASSWORD, new_password=_NEW_PASSWORD),
    ),
    *endpoint("api/auth/api-tokens/", marker="script name", GET={OWNER: SHOWN, PEOPLE: HIDDEN}),
    *endpoint(
        "api/auth/api-tokens/",
        POST={PEOPLE: 201},
        body=json_body(name="nightly", scopes=["jobs:read"]),
    ),
    *endpoint("api/auth/api-tokens/<int:token_id>/", DELETE={OWNER: 204, PEOPLE: 404}),
]

_ROLES: Final = [
    *endpoint("api/roles/", GET={ADMINS: 200}),
    *endpoint("api/roles/", POST={ADMINS: 400}, body=json_body(name="admin"), title="it exists"),
    *endpoint(
        "api/roles/<int:role_id>/",
        GET={ADMINS: 200},
        PUT={ADMINS: 200},
        PATCH={ADMINS: 200},
        DELETE={ADMINS: 409},
        body=json_body(name="viewer", description="Looks"),
        title="a role that is held",
    ),
    *endpoint(
        "api/roles/<int:role_id>/",
        at={"role_id": "unheld role"},
        DELETE={ADMINS: 204},
        title="a role that nobody holds",
    ),
]

_NEW_USER: Final = {
    "username": "newcomer",
    "password": _NEW_PASSWORD,
    "password_confirm": _NEW_PASSWORD,
}
_OF_SUPERUSERS: Final = names(ADMINS - _SUPERUSER)

_USERS: Final = [
    *endpoint("api/users/", marker="email", GET={ADMINS: SHOWN}, query="?search=owner"),
    *endpoint("api/users/", POST={ADMINS: 201}, body=json_body(**_NEW_USER)),
    *endpoint(
        "api/users/",
        POST={ADMINS: 400},
        body=json_body(**{**_NEW_USER, "password": "x", "password_confirm": "x"}),
        title="with a weak password",
    ),
    *endpoint(
        "api/users/",
        POST={_SUPERUSER: 201, _OF_SUPERUSERS: 403},
        body=json_body(**_NEW_USER, is_superuser=True),
        title="a superuser",
    ),
    *endpoint(
        "api/users/<int:user_id>/",
        marker="email",
        GET={ADMINS: SHOWN},
        PUT={ADMINS: 200},
        PATCH={ADMINS: 200},
        DELETE={ADMINS: 204},
        body=json_body(username="owner", last_name="Lovelace"),
    ),
    *endpoint(
        "api/users/<int:user_id>/",
        PATCH={_SUPERUSER: 200, _OF_SUPERUSERS: 403},
        body=json_body(is_staff=True),
        title="who becomes staff",
    ),
    *endpoint(
        "api/users/<int:user_id>/",
        at={"user_id": "user superuser"},
        PATCH={_SUPERUSER: 200, _OF_SUPERUSERS: 403},
        body=json_body(email="mallory@example.org"),
        title="a superuser",
    ),
    *endpoint(
        "api/users/<int:user_id>/",
        at={"user_id": "user superuser"},
        PATCH={ADMINS: 403},
        DELETE={ADMINS: 403},
        body=json_body(is_active=False),
        title="a superuser, or oneself, to be deactivated or deleted",
    ),
    *endpoint("api/users/<int:user_id>/toggle_active/", POST={ADMINS: 200}),
    *endpoint(
        "api/users/<int:user_id>/toggle_active/",
        at={"user_id": "user superuser"},
        POST={ADMINS: 403},
        title="a superuser, or oneself",
    ),
    *endpoint(
        "api/users/<int:user_id>/reset_password/",
        POST={ADMINS: 200},
        body=json_body(new_password=_NEW_PASSWORD),
    ),
    *endpoint(
        "api/users/<int:user_id>/reset_password/",
        POST={ADMINS: 400},
        body=json_body(new_password="x"),
        title="a weak one",
    ),
    *endpoint(
        "api/users/<int:user_id>/reset_password/",
        at={"user_id": "user superuser"},
        POST={_SUPERUSER: 200, _OF_SUPERUSERS: 403},
        body=json_body(new_password=_NEW_PASSWORD),
        title="a superuser",
    ),
]


def _privileged(**fields: object) -> list[Row]:
    """A field of the profile that nobody may write for himself."""
    return endpoint(
        "api/profiles/<int:profile_id>/",
        PATCH={OWNER: 403, ADMINS: 200, PEOPLE: 404},
        body=json_body(**fields),
        title=f"its {', '.join(fields)}",
    )


_PROFILES: Final = [
    *endpoint(
        "api/profiles/",
        marker="institution",
        GET={names(OWNER, ADMINS): SHOWN, PEOPLE: HIDDEN},
    ),
    *endpoint(
        "api/profiles/",
        POST={names("without a profile", "staff"): 201, PEOPLE: 400},
        body=json_body(institution="Bamako"),
        title="one's own",
    ),
    *endpoint(
        "api/profiles/",
        POST={ADMINS: 400, PEOPLE: 403},
        body=json_body(role_id=lambda scene: scene.values["role admin"]),
        title="one's own, with a role",
    ),
    *endpoint(
        "api/profiles/",
        POST={
            names("without a profile"): 201,
            ADMINS: 201,
            PEOPLE: 403,
        },
        body=json_body(user=lambda scene: scene.values["user without a profile"]),
        title="somebody's",
    ),
    *endpoint(
        "api/profiles/<int:profile_id>/",
        marker="institution",
        GET={names(OWNER, ADMINS): SHOWN, PEOPLE: 404},
        PUT={names(OWNER, ADMINS): 200, PEOPLE: 404},
        PATCH={names(OWNER, ADMINS): 200, PEOPLE: 404},
        DELETE={ADMINS: 204, OWNER: 403, PEOPLE: 404},
        body=json_body(institution="Bamako"),
    ),
    *endpoint(
        "api/profiles/<int:profile_id>/",
        at={"profile_id": "profile of superuser"},
        PUT={_SUPERUSER: 200, _OF_SUPERUSERS: 403, PEOPLE: 404},
        PATCH={_SUPERUSER: 200, _OF_SUPERUSERS: 403, PEOPLE: 404},
        DELETE={_SUPERUSER: 204, _OF_SUPERUSERS: 403, PEOPLE: 404},
        body=json_body(institution="Bamako"),
        title="a superuser's",
    ),
    *_privileged(role_id=lambda scene: scene.values["role admin"]),
    *_privileged(is_verified=True),
    *_privileged(verification_date="2026-01-01T00:00:00Z"),
    *_privileged(monthly_job_limit=10_000),
    *_privileged(monthly_jobs_used=0),
    *_privileged(storage_limit_gb="900.00"),
    *_privileged(storage_used_gb="0.00"),
    *endpoint("api/profiles/<int:profile_id>/reset_quota/", POST={ADMINS: 200}),
    *endpoint("api/profiles/<int:profile_id>/verify_user/", POST={ADMINS: 200}),
]

_AUDIT: Final = [
    *endpoint("api/audit-logs/", GET={ADMINS: 200}),
    *endpoint("api/audit-logs/<int:audit_id>/", GET={ADMINS: 200}),
]

_MANAGERS: Final = names(ADMINS, SERVICE_ADMINS, RIGHTS["admin"], GROUP["admin"])
_AT: Final = "api/services/<int:service_id>"


_SERVICE_RIGHTS: Final = [
    *endpoint(f"{_AT}/permissions/", GET={_MANAGERS: 200}),
    *endpoint(
        f"{_AT}/permissions/",
        POST={_MANAGERS: 201},
        body=json_body(user=lambda scene: scene.values["user viewer"], permission="view"),
    ),
    *endpoint(
        f"{_AT}/permissions/<int:permission_id>/",
        GET={_MANAGERS: 200},
        PUT={_MANAGERS: 200},
        PATCH={_MANAGERS: 200},
        DELETE={_MANAGERS: 204},
        body=json_body(user=lambda scene: scene.values["user viewer"], permission="view"),
    ),
    *endpoint(
        f"{_AT}/permissions/<int:permission_id>/",
        at={"permission_id": "foreign right"},
        GET={_MANAGERS: 404},
        PATCH={_MANAGERS: 404},
        DELETE={_MANAGERS: 404},
        body=json_body(is_active=False),
        title="of another service",
    ),
    *endpoint(f"{_AT}/groups/", marker="group name", GET={_MANAGERS: SHOWN}),
    *endpoint(f"{_AT}/groups/", POST={_MANAGERS: 201}, body=json_body(name="newcomers")),
    *endpoint(
        f"{_AT}/groups/",
        POST={_MANAGERS: 400},
        body=json_body(name="newcomers", permissions=lambda scene: [scene.values["foreign right"]]),
        title="with a right of another service",
    ),
    *endpoint(
        f"{_AT}/groups/<int:group_id>/",
        marker="group name",
        GET={_MANAGERS: SHOWN},
        PUT={_MANAGERS: 200},
        PATCH={_MANAGERS: 200},
        DELETE={_MANAGERS: 204},
        body=json_body(name="renamed"),
    ),
    *endpoint(
        f"{_AT}/groups/<int:group_id>/",
        at={"group_id": "foreign group"},
        GET={_MANAGERS: 404},
        PATCH={_MANAGERS: 404},
        DELETE={_MANAGERS: 404},
        body=json_body(name="renamed"),
        title="of another service",
    ),
    *endpoint(
        f"{_AT}/groups/<int:group_id>/add_user/",
        POST={_MANAGERS: 200},
        body=json_body(user_id=lambda scene: scene.values["user viewer"]),
    ),
    *endpoint(
        f"{_AT}/groups/<int:group_id>/add_user/",
        at={"group_id": "foreign group"},
        POST={_MANAGERS: 404},
        body=json_body(user_id=lambda scene: scene.values["user viewer"]),
        title="of another service",
    ),
    *endpoint(
        f"{_AT}/groups/<int:group_id>/remove_user/",
        POST={_MANAGERS: 200},
        body=json_body(user_id=lambda scene: scene.values["member"]),
    ),
    *endpoint(
        f"{_AT}/groups/<int:group_id>/remove_user/",
        POST={_MANAGERS: 404},
        body=json_body(user_id=lambda scene: scene.values["user viewer"]),
        title="who is no member",
    ),
    *endpoint(
        f"{_AT}/groups/<int:group_id>/remove_user/",
        at={"group_id": "foreign group"},
        POST={_MANAGERS: 404},
        body=json_body(user_id=lambda scene: scene.values["foreign member"]),
        title="of another service",
    ),
]

_SERVICE_ACCESS: Final = [
    *endpoint(
        "api/user-access/",
        marker="quota",
        GET={_ACCOUNT_READERS: SHOWN, _STRANGERS: HIDDEN},
    ),
    *endpoint(
        "api/user-access/",
        marker="quota",
        query="?managed=true",
        GET={
            names(_MANAGERS, SCRIPT_OF_ADMIN): SHOWN,
            names(PEOPLE, scripts("account:read")): HIDDEN,
        },
        title="those that the caller may write",
    ),
    *endpoint(
        "api/user-access/",
        POST={_MANAGERS: 201},
        body=json_body(
            user=lambda scene: scene.values["user viewer"],
            service=lambda scene: scene.values["here"],
            has_access=False,
            api_key="a token",
        ),
    ),
    *endpoint(
        "api/user-access/<int:access_id>/",
        marker="quota",
        GET={names(_MANAGERS, _ACCOUNT_READERS, SCRIPT_OF_ADMIN): SHOWN, PEOPLE: 404},
    ),
    *endpoint(
        "api/user-access/<int:access_id>/",
        PATCH={_MANAGERS: 200, OWNER: 403, PEOPLE: 404},
        DELETE={_MANAGERS: 204, OWNER: 403, PEOPLE: 404},
        body=json_body(quota_limit=None),
    ),
]

ACCOUNT_ROWS: Final = (
    *_SESSIONS,
    *_TOKENS,
    *_CREDENTIALS,
    *_ROLES,
    *_USERS,
    *_PROFILES,
    *_AUDIT,
    *_SERVICE_RIGHTS,
    *_SERVICE_ACCESS,
)
