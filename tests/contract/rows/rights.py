"""Rights, groups and members at a service, and the caller's own accesses."""

from typing import Final

from tests.contract.matching import page
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
from tests.contract.rows.shapes import GROUP, RIGHT, USER_ACCESS

__all__ = ["ROWS"]

_MANAGERS: Final = ["admin", "service_admin"]
_SIGNED_IN: Final = [caller for caller in CALLERS if caller != "anonymous"]
_RIGHTS: Final = "services/{id}/permissions/"
_ONE_RIGHT: Final = "services/{id}/permissions/{permission_id}/"
_GROUPS: Final = "services/{id}/groups/"
_ONE_GROUP: Final = "services/{id}/groups/{group_id}/"
_AT_RIGHT: Final = {"id": "service", "permission_id": "new right"}
_AT_GROUP: Final = {"id": "service", "group_id": "new group"}
_NO_RIGHT: Final = {"id": "service", "permission_id": "no id"}
_NO_GROUP: Final = {"id": "service", "group_id": "no id"}
_GIVEN: Final = {"user": the("new user"), "permission": "view_jobs"}

_PERMISSION_ROWS: Final[list[Row]] = [
    success(
        f"GET {_RIGHTS}",
        "all at the service",
        at="service",
        by="service_admin",
        answer=page(RIGHT),
        first=[call(f"POST {_RIGHTS}", at="service", by="admin", json=_GIVEN, status=201)],
    ),
    success(
        f"GET {_RIGHTS}",
        "by who holds the right admin there",
        at="service",
        by="new user",
        first=[
            call(
                f"POST {_RIGHTS}",
                at="service",
                by="admin",
                json={**_GIVEN, "permission": "admin"},
                status=201,
            )
        ],
        answer=page(RIGHT, least=1),
    ),
    refusal(f"GET {_RIGHTS}", "an unknown service", at="no id", by="admin", status=404),
    *permissions(f"GET {_RIGHTS}", granted=_MANAGERS, at="service"),
    success(
        f"POST {_RIGHTS}",
        "a right until a moment with an offset",
        at="service",
        by="service_admin",
        json={**_GIVEN, "expires_at": "2999-01-01T02:00:00+02:00"},
        status=201,
        answer={**RIGHT, "permission": "view_jobs", "expires_at": "2999-01-01T00:00:00Z"},
        example="accounts/service-permission-given",
    ),
    *(
        invalid(f"POST {_RIGHTS}", title, field, at="service", by="admin", json={**_GIVEN, **sent})
        for title, field, sent in (
            ("a user that does not exist", "user", {"user": 2_000_000_000}),
            ("a right that does not exist", "permission", {"permission": "fly"}),
            ("an end that is over", "expires_at", {"expires_at": "2000-01-01T00:00:00Z"}),
            ("an end without an offset", "expires_at", {"expires_at": "2999-01-01T00:00:00"}),
        )
    ),
    refusal(
        f"POST {_RIGHTS}",
        "twice the same",
        at="service",
        by="admin",
        json=_GIVEN,
        status=400,
        first=[call(f"POST {_RIGHTS}", at="service", by="admin", json=_GIVEN, status=201)],
    ),
    *permissions(f"POST {_RIGHTS}", granted=_MANAGERS, status=201, at="service", json=_GIVEN),
    race(
        f"POST {_RIGHTS}",
        "the same right four times at once",
        *(
            call(f"POST {_RIGHTS}", at="service", by="admin", json=_GIVEN, status=201)
            for _ in range(4)
        ),
        answers=[{201: 1, 400: 3}],
    ),
    success(
        f"GET {_ONE_RIGHT}",
        "one",
        at=_AT_RIGHT,
        by="service_admin",
        answer={**RIGHT, "id": the("new right")},
    ),
    refusal(f"GET {_ONE_RIGHT}", "an unknown one", at=_NO_RIGHT, by="admin", status=404),
    refusal(
        f"GET {_ONE_RIGHT}",
        "at another service",
        by="admin",
        status=404,
        at={"id": "other service", "permission_id": "new right"},
    ),
    *permissions(f"GET {_ONE_RIGHT}", granted=_MANAGERS, at=_AT_RIGHT),
    *(
        row
        for verb in ("PUT", "PATCH")
        for row in (
            success(
                f"{verb} {_ONE_RIGHT}",
                "switched off",
                at=_AT_RIGHT,
                by="service_admin",
                json={"user": the("new user"), "permission": "view", "is_active": False},
                answer={**RIGHT, "is_active": False},
            ),
            invalid(
                f"{verb} {_ONE_RIGHT}",
                "a right that does not exist",
                "permission",
                at=_AT_RIGHT,
                by="admin",
                json={"user": the("new user"), "permission": "fly"},
            ),
            refusal(
                f"{verb} {_ONE_RIGHT}",
                "an unknown one",
                at=_NO_RIGHT,
                by="admin",
                status=404,
                json={"user": the("new user"), "permission": "view"},
            ),
            *permissions(
                f"{verb} {_ONE_RIGHT}",
                granted=_MANAGERS,
                at=_AT_RIGHT,
                json={"user": the("new user"), "permission": "view"},
            ),
        )
    ),
    success(
        f"DELETE {_ONE_RIGHT}",
        "taken away",
        at=_AT_RIGHT,
        by="service_admin",
        status=204,
        then=[call(f"GET {_ONE_RIGHT}", at=_AT_RIGHT, by="admin", status=404)],
    ),
    refusal(f"DELETE {_ONE_RIGHT}", "an unknown one", at=_NO_RIGHT, by="admin", status=404),
    *permissions(f"DELETE {_ONE_RIGHT}", granted=_MANAGERS, status=204, at=_AT_RIGHT),
]

_GROUP_ROWS: Final[list[Row]] = [
    success(
        f"GET {_GROUPS}",
        "all at the service",
        at="service",
        by="service_admin",
        first=[
            call(
                f"POST {_GROUPS}",
                at="service",
                by="admin",
                json={"name": the("new name")},
                status=201,
            )
        ],
        answer=page(GROUP, least=1),
    ),
    refusal(f"GET {_GROUPS}", "an unknown service", at="no id", by="admin", status=404),
    *permissions(f"GET {_GROUPS}", granted=_MANAGERS, at="service"),
    success(
        f"POST {_GROUPS}",
        "with a right",
        at="service",
        by="service_admin",
        status=201,
        json={
            "name": the("new name"),
            "description": "Trainees",
            "permissions": [the("new right")],
        },
        answer={**GROUP, "name": the("new name"), "description": "Trainees"},
        example="accounts/service-group-made",
    ),
    invalid(f"POST {_GROUPS}", "no name", "name", at="service", by="admin", json={}),
    invalid(
        f"POST {_GROUPS}",
        "a name of 101 letters",
        "name",
        at="service",
        by="admin",
        json={"name": "x" * 101},
    ),
    refusal(
        f"POST {_GROUPS}",
        "a right of another service",
        at="other service",
        by="admin",
        json={"name": the("new name"), "permissions": [the("new right")]},
        status=400,
    ),
    refusal(
        f"POST {_GROUPS}",
        "a name that is taken",
        at="service",
        by="admin",
        status=400,
        first=[
            call(
                f"POST {_GROUPS}",
                at="service",
                by="admin",
                json={"name": the("new name")},
                status=201,
            )
        ],
        json={"name": the("new name")},
    ),
    *permissions(
        f"POST {_GROUPS}",
        granted=_MANAGERS,
        status=201,
        at="service",
        json={"name": the("new name")},
    ),
    edge(
        f"POST {_GROUPS}",
        "a name from right to left with emoji",
        at="service",
        by="admin",
        json={"name": the("new name from right to left")},
        status=201,
        answer={"name": the("new name from right to left")},
    ),
    race(
        f"POST {_GROUPS}",
        "one name four times at once",
        *(
            call(
                f"POST {_GROUPS}",
                at="service",
                by="admin",
                json={"name": the("new name")},
                status=201,
            )
            for _ in range(4)
        ),
        answers=[{201: 1, 400: 3}],
    ),
    success(
        f"GET {_ONE_GROUP}",
        "one",
        at=_AT_GROUP,
        by="service_admin",
        answer={**GROUP, "id": the("new group")},
        example="accounts/service-group",
    ),
    refusal(f"GET {_ONE_GROUP}", "an unknown one", at=_NO_GROUP, by="admin", status=404),
    refusal(
        f"GET {_ONE_GROUP}",
        "at another service",
        by="admin",
        status=404,
        at={"id": "other service", "group_id": "new group"},
    ),
    *permissions(f"GET {_ONE_GROUP}", granted=_MANAGERS, at=_AT_GROUP),
    *(
        row
        for verb in ("PUT", "PATCH")
        for row in (
            success(
                f"{verb} {_ONE_GROUP}",
                "another description",
                at=_AT_GROUP,
                by="service_admin",
                json={"name": the("new name"), "description": "Trainees"},
                answer={**GROUP, "name": the("new name"), "description": "Trainees"},
            ),
            invalid(
                f"{verb} {_ONE_GROUP}",
                "an empty name",
                "name",
                at=_AT_GROUP,
                by="admin",
                json={"name": ""},
            ),
            refusal(
                f"{verb} {_ONE_GROUP}",
                "an unknown one",
                at=_NO_GROUP,
                by="admin",
                json={"name": "x"},
                status=404,
            ),
            *permissions(
                f"{verb} {_ONE_GROUP}",
                granted=_MANAGERS,
                at=_AT_GROUP,
                json={"name": the("new name")},
            ),
        )
    ),
    success(
        f"DELETE {_ONE_GROUP}",
        "gone",
        at=_AT_GROUP,
        by="service_admin",
        status=204,
        then=[call(f"GET {_ONE_GROUP}", at=_AT_GROUP, by="admin", status=404)],
    ),
    refusal(f"DELETE {_ONE_GROUP}", "an unknown one", at=_NO_GROUP, by="admin", status=404),
    *permissions(f"DELETE {_ONE_GROUP}", granted=_MANAGERS, status=204, at=_AT_GROUP),
]

_ADD: Final = f"POST {_ONE_GROUP}add_user/"
_REMOVE: Final = f"POST {_ONE_GROUP}remove_user/"
_MEMBER_ROWS: Final[list[Row]] = [
    success(
        _ADD,
        "a user, twice is once",
        at=_AT_GROUP,
        by="service_admin",
        json={"user_id": the("new user")},
        then=[
            call(
                _ADD,
                at=_AT_GROUP,
                by="service_admin",
                json={"user_id": the("new user")},
                status=200,
            )
        ],
        answer={"message": str},
        example="accounts/service-group-member-added",
    ),
    invalid(_ADD, "nobody", "user_id", at=_AT_GROUP, by="admin", json={}),
    refusal(
        _ADD,
        "a user that does not exist",
        at=_AT_GROUP,
        by="admin",
        json={"user_id": 2_000_000_000},
        status=(400, 404),
    ),
    refusal(
        _ADD,
        "an unknown group",
        at=_NO_GROUP,
        by="admin",
        json={"user_id": the("new user")},
        status=404,
    ),
    *permissions(_ADD, granted=_MANAGERS, at=_AT_GROUP, json={"user_id": the("new user")}),
    race(
        _ADD,
        "one user four times at once",
        *(
            call(_ADD, at=_AT_GROUP, by="admin", json={"user_id": the("new user")}, status=200)
            for _ in range(4)
        ),
        answers=[{200: 4}],
    ),
    success(
        _REMOVE,
        "a member",
        at=_AT_GROUP,
        by="service_admin",
        json={"user_id": the("new member")},
        answer={"message": str},
        then=[
            call(
                _REMOVE,
                at=_AT_GROUP,
                by="service_admin",
                json={"user_id": the("new member")},
                status=404,
            )
        ],
    ),
    refusal(
        _REMOVE,
        "who is no member",
        at=_AT_GROUP,
        by="admin",
        json={"user_id": the("new user")},
        status=404,
    ),
    invalid(_REMOVE, "nobody", "user_id", at=_AT_GROUP, by="admin", json={}),
    *permissions(_REMOVE, granted=_MANAGERS, at=_AT_GROUP, json={"user_id": the("new member")}),
]

_ACCESS_ROWS: Final[list[Row]] = [
    success(
        "GET user-access/",
        "one's own",
        by="researcher",
        answer=page(USER_ACCESS),
        example="accounts/user-access",
    ),
    refusal(
        "GET user-access/",
        "a page beyond the end",
        by="researcher",
        query={"page": 9_999},
        status=404,
    ),
    *permissions("GET user-access/", granted=_SIGNED_IN),
]

ROWS: Final[list[Row]] = [*_PERMISSION_ROWS, *_GROUP_ROWS, *_MEMBER_ROWS, *_ACCESS_ROWS]
