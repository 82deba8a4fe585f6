"""Roles, users, profiles and the audit log."""

from typing import Final

from tests.contract.matching import ANY, Each, Text, page
from tests.contract.row import (
    CALLERS,
    Row,
    call,
    edge,
    invalid,
    permissions,
    race,
    refusal,
    success,
    the,
)
from tests.contract.rows.shapes import AUDIT_ENTRY, PROFILE, ROLE, USER

__all__ = ["ROWS"]

_ADMIN: Final = ["admin"]
_SIGNED_IN: Final = [caller for caller in CALLERS if caller != "anonymous"]
_UNKNOWN: Final = {"detail": str}

_ROLES: Final[list[Row]] = [
    success(
        "GET roles/", "all roles", by="admin", answer=page(ROLE, least=5), example="accounts/roles"
    ),
    refusal("GET roles/", "a page that is none", by="admin", query={"page": "x"}, status=404),
    *permissions("GET roles/", granted=_ADMIN),
    success(
        "GET roles/{id}/",
        "one",
        at="role viewer",
        by="admin",
        answer={**ROLE, "name": "viewer"},
        example="accounts/role",
    ),
    refusal(
        "GET roles/{id}/", "an unknown one", at="no id", by="admin", status=404, answer=_UNKNOWN
    ),
    *permissions("GET roles/{id}/", granted=_ADMIN, at="role viewer"),
    success(
        "POST roles/",
        "a role that was deleted",
        by="administrator",
        alone=True,
        status=201,
        first=[
            call(
                "PATCH profiles/{id}/",
                at="profile of service_user",
                by="administrator",
                json={"role_id": the("role viewer")},
                status=200,
            ),
            call("DELETE roles/{id}/", at="role service_user", by="administrator", status=204),
        ],
        json={
            "name": "service_user",
            "description": "Submits imputation jobs",
            "permissions_list": ["view_imputationservice"],
        },
        answer={**ROLE, "name": "service_user", "permissions_list": ["view_imputationservice"]},
        then=[
            call(
                "PATCH profiles/{id}/",
                at="profile of service_user",
                by="administrator",
                json={"role_id": the("role now of service_user")},
                status=200,
            ),
        ],
    ),
    invalid("POST roles/", "a name that exists", "name", by="admin", json={"name": "viewer"}),
    invalid("POST roles/", "a name that is no role", "name", by="admin", json={"name": "king"}),
    invalid("POST roles/", "no name", "name", by="admin", json={}),
    invalid(
        "POST roles/",
        "a permission that does not exist",
        "permissions_list",
        by="admin",
        json={"name": "viewer", "permissions_list": ["fly_to_the_moon"]},
        answer=ANY,
    ),
    *permissions("POST roles/", granted={"admin": 400}, json={"name": "viewer"}),
    *(
        row
        for verb in ("PUT", "PATCH")
        for row in (
            success(
                f"{verb} roles/{{id}}/",
                "its description",
                at="role viewer",
                by="admin",
                json={"name": "viewer", "description": "Sees the imputation services"},
                answer={**ROLE, "description": "Sees the imputation services"},
            ),
            invalid(
                f"{verb} roles/{{id}}/",
                "another name",
                "name",
                at="role viewer",
                by="admin",
                json={"name": "admin"},
            ),
            refusal(
                f"{verb} roles/{{id}}/",
                "an unknown one",
                at="no id",
                by="admin",
                status=404,
                json={"name": "viewer"},
            ),
            *permissions(
                f"{verb} roles/{{id}}/",
                granted=_ADMIN,
                at="role viewer",
                json={"name": "viewer", "description": "Sees the imputation services"},
            ),
        )
    ),
    success(
        "DELETE roles/{id}/",
        "a role that nobody has",
        at="role service_user",
        by="administrator",
        alone=True,
        status=204,
        first=[
            call(
                "PATCH profiles/{id}/",
                at="profile of service_user",
                by="administrator",
                json={"role_id": the("role viewer")},
                status=200,
            )
        ],
        then=[
            call("POST roles/", by="administrator", json={"name": "service_user"}, status=201),
            call(
                "PATCH profiles/{id}/",
                at="profile of service_user",
                by="administrator",
                json={"role_id": the("role now of service_user")},
                status=200,
            ),
        ],
    ),
    refusal(
        "DELETE roles/{id}/",
        "a role that somebody has",
        at="role viewer",
        by="admin",
        first=[call("GET auth/user/", by="viewer", status=200)],
        status=409,
        answer={"detail": str},
    ),
    refusal("DELETE roles/{id}/", "an unknown one", at="no id", by="admin", status=404),
    *permissions(
        "DELETE roles/{id}/",
        granted={"admin": 409},
        at="role researcher",
        first=[call("GET auth/user/", by="researcher", status=200)],
    ),
]

_NEW_USER: Final = {
    "username": the("new name"),
    "email": "ada@example.org",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "password": the("new password"),
    "password_confirm": the("new password"),
}

_USERS: Final[list[Row]] = [
    success("GET users/", "all users", by="admin", answer=page(USER, least=1)),
    success(
        "GET users/",
        "those that a search finds",
        by="admin",
        query={"search": the("username of researcher")},
        answer={**page(USER, least=1), "count": 1},
        example="accounts/users",
    ),
    refusal(
        "GET users/",
        "a filter that is none",
        by="admin",
        query={"is_active": "perhaps"},
        status=400,
    ),
    *permissions("GET users/", granted=_ADMIN),
    success(
        "GET users/{id}/",
        "one",
        at="user researcher",
        by="admin",
        answer={**USER, "id": the("user researcher")},
        example="accounts/user",
    ),
    refusal("GET users/{id}/", "an unknown one", at="no id", by="admin", status=404),
    *permissions("GET users/{id}/", granted=_ADMIN, at="user researcher"),
    success(
        "POST users/",
        "a user with a profile",
        by="admin",
        json={**_NEW_USER, "profile": {"role_id": the("role viewer"), "institution": "Bamako"}},
        status=201,
        answer={
            **USER,
            "username": the("new name"),
            "is_active": True,
            "is_staff": False,
            "profile": {**PROFILE, "institution": "Bamako"},
        },
        example="accounts/user-created",
    ),
    success(
        "POST users/",
        "a user without one",
        by="admin",
        json=_NEW_USER,
        status=201,
        answer={**USER, "username": the("new name")},
    ),
    *(
        invalid(
            "POST users/", title, field, by="admin", json={**_NEW_USER, **sent}, example=example
        )
        for title, field, sent, example in (
            ("a name that is taken", "username", {"username": the("username of researcher")}, ""),
            ("a name with a space", "username", {"username": "ada lovelace"}, ""),
            ("a name of 151 letters", "username", {"username": "a" * 151}, ""),
            ("an empty name", "username", {"username": ""}, ""),
            (
                "a short password",
                "password",
                {"password": "x", "password_confirm": "x"},
                "accounts/user-refused",
            ),
            (
                "passwords that differ",
                "password_confirm",
                {"password_confirm": "another one 41"},
                "",
            ),
            ("no e-mail address", "email", {"email": "ada"}, ""),
        )
    ),
    refusal(
        "POST users/",
        "a profile with an unknown role",
        by="admin",
        json={**_NEW_USER, "profile": {"role_id": 2_000_000_000}},
        status=400,
    ),
    refusal("POST users/", "a list of users", by="admin", json=[_NEW_USER], status=400),
    refusal(
        "POST users/",
        "a superuser, by one who is none",
        by="admin",
        json={**_NEW_USER, "is_superuser": True},
        status=403,
    ),
    *permissions("POST users/", granted={"admin": 201}, json=_NEW_USER),
    edge(
        "POST users/",
        "letters that combine are stored in their one form (NFKC)",
        by="admin",
        json={**_NEW_USER, "username": the("name with a combining letter")},
        status=201,
        answer={"username": the("the same name composed")},
    ),
    edge(
        "POST users/",
        "names from right to left, and emoji where they may be",
        by="admin",
        json={
            **_NEW_USER,
            "first_name": "\u0639\u0628\u062f \u0627\u0644\u0644\u0647",
            "last_name": "\U0001f9ec",
        },
        status=201,
        answer={
            "last_name": "\U0001f9ec",
            "first_name": "\u0639\u0628\u062f \u0627\u0644\u0644\u0647",
        },
    ),
    edge(
        "POST users/",
        "an emoji in the username",
        by="admin",
        json={**_NEW_USER, "username": "\U0001f9ec"},
        status=400,
        answer={"username": ANY},
    ),
    edge(
        "POST users/",
        "a NUL in a name",
        by="admin",
        json={**_NEW_USER, "first_name": "A\0a"},
        status=400,
        answer={"first_name": ANY},
    ),
    edge(
        "POST users/",
        "half of a surrogate pair",
        by="admin",
        body=b'{"username": "\\ud83d", "password": "x", "password_confirm": "x"}',
        headers={"Content-Type": "application/json"},
        status=400,
    ),
    race(
        "POST users/",
        "four at once with one name",
        *(call("POST users/", by="admin", json=_NEW_USER, status=201) for _ in range(4)),
        answers=[{201: 1, 400: 3}],
    ),
    *(
        row
        for verb in ("PUT", "PATCH")
        for row in (
            success(
                f"{verb} users/{{id}}/",
                "a name",
                at="new user",
                by="admin",
                json={"username": the("name of new user"), "last_name": "Hopper"},
                answer={**USER, "last_name": "Hopper", "id": the("new user")},
            ),
            invalid(
                f"{verb} users/{{id}}/",
                "a username that is taken",
                "username",
                at="new user",
                by="admin",
                json={"username": the("username of researcher")},
            ),
            invalid(
                f"{verb} users/{{id}}/",
                "no e-mail address",
                "email",
                at="new user",
                by="admin",
                json={"username": the("new name"), "email": "ada"},
            ),
            refusal(
                f"{verb} users/{{id}}/",
                "an unknown one",
                at="no id",
                by="admin",
                status=404,
                json={"username": the("new name")},
            ),
            *permissions(
                f"{verb} users/{{id}}/",
                granted=_ADMIN,
                at="new user",
                json={"username": the("name of new user"), "last_name": "Hopper"},
            ),
        )
    ),
    refusal(
        "PATCH users/{id}/",
        "oneself, to be deactivated",
        at="user admin",
        by="admin",
        json={"is_active": False},
        status=403,
    ),
    race(
        "PATCH users/{id}/",
        "two changes of two fields: none is lost",
        call(
            "PATCH users/{id}/", at="new user", by="admin", json={"first_name": "Grace"}, status=200
        ),
        call(
            "PATCH users/{id}/",
            at="new user",
            by="administrator",
            json={"last_name": "Hopper"},
            status=200,
        ),
        answers=[{200: 2}],
        then=[
            call(
                "GET users/{id}/",
                at="new user",
                by="admin",
                status=200,
                answer={"first_name": "Grace", "last_name": "Hopper"},
            )
        ],
    ),
    success(
        "DELETE users/{id}/",
        "nobody sees them, nothing lets them in, and the name is free",
        at="new user",
        by="admin",
        status=204,
        first=[call("GET auth/user/", by="new user", status=200)],
        then=[
            call("GET users/{id}/", at="new user", by="admin", status=404),
            call("GET auth/user/", by="new user", status=403),
            call(
                "POST auth/login/",
                by="anonymous",
                status=401,
                json={"username": the("name of new user"), "password": the("password of new user")},
            ),
            call(
                "POST users/",
                by="admin",
                status=201,
                json={**_NEW_USER, "username": the("name of new user")},
            ),
        ],
    ),
    refusal("DELETE users/{id}/", "an unknown one", at="no id", by="admin", status=404),
    refusal("DELETE users/{id}/", "oneself", at="user admin", by="admin", status=403),
    *permissions("DELETE users/{id}/", granted={"admin": 204}, at="new user"),
    race(
        "DELETE users/{id}/",
        "two at once: one of them was first",
        call("DELETE users/{id}/", at="new user", by="admin", status=(204, 404)),
        call("DELETE users/{id}/", at="new user", by="administrator", status=(204, 404)),
        answers=[{204: 1, 404: 1}],
        then=[call("GET users/{id}/", at="new user", by="admin", status=404)],
    ),
    success(
        "POST users/{id}/reset_password/",
        "the new one opens, the old one does not",
        at="new user",
        by="admin",
        json={"new_password": the("new password")},
        first=[call("GET users/{id}/", at="new user", by="admin", status=200)],
        answer={"message": str},
        then=[
            call(
                "POST auth/login/",
                by="anonymous",
                status=200,
                json={"username": the("name of new user"), "password": the("new password")},
            ),
            call(
                "POST auth/login/",
                by="anonymous",
                status=401,
                json={"username": the("name of new user"), "password": the("password of new user")},
            ),
        ],
        example="accounts/password-reset",
    ),
    invalid(
        "POST users/{id}/reset_password/",
        "nothing",
        "new_password",
        at="new user",
        by="admin",
        json={},
    ),
    invalid(
        "POST users/{id}/reset_password/",
        "a short one",
        "new_password",
        at="new user",
        by="admin",
        json={"new_password": "x"},
        answer=ANY,
    ),
    refusal(
        "POST users/{id}/reset_password/",
        "an unknown user",
        at="no id",
        by="admin",
        json={"new_password": the("new password")},
        status=404,
    ),
    *permissions(
        "POST users/{id}/reset_password/",
        granted=_ADMIN,
        at="new user",
        json={"new_password": the("new password")},
    ),
    success(
        "POST users/{id}/toggle_active/",
        "off and on again",
        at="new user",
        by="admin",
        answer={"message": str, "is_active": False},
        then=[
            call(
                "POST users/{id}/toggle_active/",
                at="new user",
                by="admin",
                status=200,
                answer={"is_active": True},
            )
        ],
        example="accounts/user-deactivated",
    ),
    success(
        "POST users/{id}/toggle_active/",
        "a session of the user ends",
        at="new user",
        by="admin",
        first=[call("GET auth/user/", by="new user", status=200)],
        then=[call("GET auth/user/", by="new user", status=403)],
    ),
    refusal("POST users/{id}/toggle_active/", "oneself", at="user admin", by="admin", status=403),
    refusal("POST users/{id}/toggle_active/", "an unknown one", at="no id", by="admin", status=404),
    *permissions("POST users/{id}/toggle_active/", granted=_ADMIN, at="new user"),
]

_OWN: Final = "profile of researcher"
_PROFILES: Final[list[Row]] = [
    success(
        "GET profiles/",
        "one's own alone",
        by="researcher",
        answer={**page(PROFILE, least=1), "count": 1},
        example="accounts/profiles",
    ),
    success("GET profiles/", "all of them", by="admin", answer=page(PROFILE, least=2)),
    refusal(
        "GET profiles/", "a page beyond the end", by="researcher", query={"page": 2}, status=404
    ),
    *permissions("GET profiles/", granted=_SIGNED_IN),
    success(
        "GET profiles/{id}/",
        "one's own",
        at=_OWN,
        by="researcher",
        answer=PROFILE,
        example="accounts/profile",
    ),
    refusal("GET profiles/{id}/", "an unknown one", at="no id", by="admin", status=404),
    *permissions("GET profiles/{id}/", granted=["researcher", "admin"], others=404, at=_OWN),
    success(
        "POST profiles/",
        "one's own, by who has none",
        by="new bare user",
        status=201,
        json={"institution": "Bamako", "country": "Mali"},
        answer={**PROFILE, "institution": "Bamako", "role": None},
        example="accounts/profile-created",
    ),
    refusal("POST profiles/", "a second one", by="researcher", json={}, status=400),
    refusal(
        "POST profiles/",
        "one's own, with a role",
        by="new bare user",
        json={"role_id": the("role admin")},
        status=403,
    ),
    invalid(
        "POST profiles/",
        "a country of 101 letters",
        "country",
        by="new bare user",
        json={"country": "x" * 101},
    ),
    *permissions(
        "POST profiles/",
        granted={"admin": 201},
        others=403,
        json={"user": the("new bare user")},
        title="somebody else's",
    ),
    race(
        "POST profiles/",
        "twice at once",
        *(call("POST profiles/", by="new bare user", json={}, status=201) for _ in range(2)),
        answers=[{201: 1, 400: 1}],
    ),
    *(
        row
        for verb in ("PUT", "PATCH")
        for row in (
            success(
                f"{verb} profiles/{{id}}/",
                "one's own",
                at=_OWN,
                by="researcher",
                json={"institution": "Universit\u00e9 de Bamako", "timezone": "Africa/Bamako"},
                answer={**PROFILE, "institution": "Universit\u00e9 de Bamako"},
            ),
            invalid(
                f"{verb} profiles/{{id}}/",
                "a switch that is text",
                "email_notifications",
                at=_OWN,
                by="researcher",
                json={"email_notifications": "maybe"},
            ),
            refusal(
                f"{verb} profiles/{{id}}/",
                "an unknown one",
                at="no id",
                by="admin",
                json={},
                status=404,
            ),
            *(
                refusal(
                    f"{verb} profiles/{{id}}/",
                    f"one's own {name}",
                    at=_OWN,
                    by="researcher",
                    json={name: value},
                    status=403,
                )
                for name, value in (
                    ("role_id", the("role admin")),
                    ("is_verified", True),
                    ("monthly_job_limit", 20_000),
                    ("storage_limit_gb", "900.00"),
                )
            ),
            *permissions(
                f"{verb} profiles/{{id}}/",
                granted=["researcher", "admin"],
                others=404,
                at=_OWN,
                json={"position": "Professor"},
            ),
        )
    ),
    edge(
        "PATCH profiles/{id}/",
        "a number that is text in JSON",
        at="new profile",
        by="admin",
        json={"monthly_job_limit": "5"},
        status=400,
        answer={"monthly_job_limit": ANY},
    ),
    edge(
        "PATCH profiles/{id}/",
        "a number in a form, where all is text",
        at="new profile",
        by="admin",
        form={"monthly_job_limit": "5"},
        answer={"monthly_job_limit": 5},
    ),
    edge(
        "PATCH profiles/{id}/",
        "a NUL",
        at=_OWN,
        by="researcher",
        json={"country": "M\0li"},
        status=400,
        answer={"country": ANY},
    ),
    edge(
        "PATCH profiles/{id}/",
        "an emoji and letters that combine",
        at=_OWN,
        by="researcher",
        json={"department": "Ge\u0301nomique \U0001f9ec"},
        answer={"department": "Ge\u0301nomique \U0001f9ec"},
    ),
    race(
        "PATCH profiles/{id}/",
        "two changes of two fields: none is lost",
        call(
            "PATCH profiles/{id}/",
            at="new profile",
            by="admin",
            json={"position": "Professor"},
            status=200,
        ),
        call(
            "PATCH profiles/{id}/",
            at="new profile",
            by="administrator",
            json={"monthly_job_limit": 41},
            status=200,
        ),
        answers=[{200: 2}],
        then=[
            call(
                "GET profiles/{id}/",
                at="new profile",
                by="admin",
                status=200,
                answer={"position": "Professor", "monthly_job_limit": 41},
            )
        ],
    ),
    success(
        "DELETE profiles/{id}/",
        "another's",
        at="new profile",
        by="admin",
        status=204,
        then=[call("GET profiles/{id}/", at="new profile", by="admin", status=404)],
    ),
    refusal("DELETE profiles/{id}/", "one's own", at=_OWN, by="researcher", status=403),
    refusal("DELETE profiles/{id}/", "an unknown one", at="no id", by="admin", status=404),
    *permissions("DELETE profiles/{id}/", granted={"admin": 204}, others=404, at="new profile"),
    *(
        row
        for action, changed in (
            ("reset_quota", {"monthly_jobs_used": 0}),
            ("verify_user", {"is_verified": True}),
        )
        for row in (
            success(
                f"POST profiles/{{id}}/{action}/",
                "another's",
                at="new profile",
                by="admin",
                answer={"message": str},
                then=[
                    call(
                        "GET profiles/{id}/",
                        at="new profile",
                        by="admin",
                        status=200,
                        answer=changed,
                    )
                ],
                example=f"accounts/profile-{action.replace('_', '-')}",
            ),
            refusal(
                f"POST profiles/{{id}}/{action}/",
                "an unknown one",
                at="no id",
                by="admin",
                status=404,
            ),
            *permissions(f"POST profiles/{{id}}/{action}/", granted=_ADMIN, at="new profile"),
        )
    ),
]

_LOOK: Final = call("GET audit-logs/{id}/", at="audit row", by="admin", status=200)
_AUDIT: Final[list[Row]] = [
    success("GET audit-logs/", "newest first", by="admin", answer=page(AUDIT_ENTRY, least=1)),
    success(
        "GET audit-logs/",
        "of one user and action",
        by="admin",
        query={"user_id": the("user researcher"), "action": "login"},
        first=[call("GET auth/user/", by="researcher", status=200)],
        answer=page({**AUDIT_ENTRY, "action": "login"}, least=1),
        example="accounts/audit-logs",
    ),
    *(
        refusal("GET audit-logs/", title, by="admin", query=query, status=400)
        for title, query in (
            ("a day that is none", {"start_date": "2026-02-31"}),
            ("a word for a day", {"end_date": "yesterday"}),
            ("a user who is no number", {"user_id": "ada"}),
        )
    ),
    *permissions("GET audit-logs/", granted=_ADMIN),
    edge(
        "GET audit-logs/",
        "a page has 20 rows, and says where the next one is",
        by="admin",
        first=[_LOOK] * 21,
        answer={
            "next": Text(r"[?&]page=2\b"),
            "previous": None,
            "results": Each(ANY, least=20, most=20),
        },
    ),
    edge(
        "GET audit-logs/",
        "the second page says where the first one is",
        by="admin",
        first=[_LOOK] * 21,
        query={"page": 2},
        answer={"previous": str, "results": Each(AUDIT_ENTRY, least=1, most=20)},
    ),
    edge(
        "GET audit-logs/",
        "one moment in two zones bounds alike",
        by="admin",
        first=[_LOOK],
        query={"start_date": "2999-01-01T02:00:00+02:00", "end_date": "2999-01-01T00:00:00Z"},
        answer={"count": 0},
    ),
    edge(
        "GET audit-logs/",
        "from a moment with an offset that is over",
        by="admin",
        query={"start_date": "2000-01-01T00:00:00+02:00"},
        answer=page(AUDIT_ENTRY, least=1),
    ),
    edge(
        "GET audit-logs/",
        "until a moment with an offset, before anything happened",
        by="admin",
        query={"end_date": "2000-01-01T05:00:00-05:00"},
        answer={"count": 0, "results": []},
    ),
    edge(
        "GET audit-logs/",
        "from a day that will come",
        by="admin",
        query={"start_date": "2999-01-01"},
        answer={"count": 0, "results": []},
    ),
    edge(
        "GET audit-logs/",
        "an action that nobody did",
        by="admin",
        query={"action": "\u0627\u0644\u0644\u0647"},
        answer={"count": 0},
    ),
    edge("GET audit-logs/", "a NUL in a filter", by="admin", query={"action": "a\0b"}, status=400),
    success(
        "GET audit-logs/{id}/",
        "one",
        at="audit row",
        by="admin",
        answer={**AUDIT_ENTRY, "id": the("audit row")},
    ),
    refusal("GET audit-logs/{id}/", "an unknown one", at="no id", by="admin", status=404),
    *permissions("GET audit-logs/{id}/", granted=_ADMIN, at="audit row"),
    *(
        edge(
            f"{verb} audit-logs/{{id}}/",
            "nobody writes it",
            at="audit row",
            by="admin",
            json={},
            status=405,
            answer={"detail": str},
            carries={"Allow": str},
        )
        for verb in ("PUT", "PATCH", "DELETE")
    ),
]

ROWS: Final[list[Row]] = [*_ROLES, *_USERS, *_PROFILES, *_AUDIT]
