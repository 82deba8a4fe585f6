"""Permissions, groups and members at single services, and one's own accesses."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.shared.api.origin import Origin
from apps.shared.identity.permissions import SCOPES
from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.operations.api_tokens import create_api_token
from federated_imputation.monolith.accounts.queries import count_accessible_services, find_rights
from tests.factories import NOW, make_service, make_user

pytestmark = pytest.mark.django_db
LATER = "2099-01-01T00:00:00Z"


@pytest.fixture
def service():
    return make_service()


@pytest.fixture
def other_service():
    return make_service("MALI node")


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def manager(client):
    """A service administrator, logged in."""
    user = make_user("grace", role="service_admin")
    client.force_login(user)
    return user


@pytest.fixture
def permission(service, ada):
    return ServicePermission.objects.create(service=service, user=ada, permission="view_jobs")


@pytest.fixture
def foreign(other_service, ada):
    """A permission at another service."""
    return ServicePermission.objects.create(service=other_service, user=ada, permission="view_jobs")


@pytest.fixture
def group(service):
    return ServiceUserGroup.objects.create(service=service, name="Team")


def permissions(service, permission=None):
    path = f"/api/services/{service.pk}/permissions/"
    return path if permission is None else f"{path}{permission.pk}/"


def groups(service, group=None, act=""):
    path = f"/api/services/{service.pk}/groups/"
    return path if group is None else f"{path}{group.pk}/{act}"


def send(client, method, path, body=None):
    return getattr(client, method)(path, body, content_type="application/json")


def test_permission_is_given(client, manager, service, ada):
    body = {"user": ada.pk, "permission": "submit_jobs", "expires_at": LATER}
    answer = send(client, "post", permissions(service), body)
    assert answer.status_code == 201
    given = answer.json()
    assert {name: given[name] for name in given if name not in ("id", "granted_at")} == {
        "service": service.pk,
        "user": ada.pk,
        "username": "ada",
        "permission": "submit_jobs",
        "granted_by": manager.pk,
        "expires_at": LATER,
        "is_active": True,
    }
    assert find_rights(ada).may_at(service.pk, "submit_jobs")
    row = AuditLog.objects.get()
    assert (row.action, row.user_id, row.resource_type) == (
        "grant_permission",
        manager.pk,
        "service_permission",
    )
    assert row.resource_id == str(given["id"])
    assert row.details == {
        "service_id": service.pk,
        "user_id": ada.pk,
        "permission": "submit_jobs",
        "expires_at": "2099-01-01T00:00:00+00:00",
        "is_active": True,
    }


def test_permissions_of_the_service_are_listed(client, manager, service, permission, foreign):
    answer = client.get(permissions(service))
    assert answer.json()["count"] == 1
    assert answer.json()["results"][0]["id"] == permission.pk
    assert client.get(permissions(service, permission)).json()["permission"] == "view_jobs"


def test_looks_at_the_rights_of_others_are_audited(client, manager, service, permission, group):
    for path in (permissions(service), permissions(service, permission)):
        assert client.get(path).status_code == 200
    for path in (groups(service), groups(service, group)):
        assert client.get(path).status_code == 200
    rows = AuditLog.objects.filter(action="data_access", user=manager).order_by("id")
    assert list(rows.values_list("resource_type", "resource_id")) == [
        *[("service_permission", str(permission.pk))] * 2,
        *[("service_group", str(group.pk))] * 2,
    ]


def test_permission_is_changed_by_who_now_stands_for_it(client, manager, service, permission):
    answer = send(client, "patch", permissions(service, permission), {"expires_at": LATER})
    assert answer.status_code == 200
    assert answer.json()["expires_at"] == LATER
    assert answer.json()["granted_by"] == manager.pk
    answer = send(client, "patch", permissions(service, permission), {"is_active": False})
    assert answer.json()["expires_at"] == LATER
    assert not find_rights(permission.user).may_at(service.pk, "view_jobs")
    assert list(AuditLog.objects.order_by("id").values_list("action", flat=True)) == [
        "grant_permission",
        "revoke_permission",
    ]


def test_permission_is_replaced(client, manager, service, permission):
    body = {"user": permission.user_id, "permission": "admin", "expires_at": None}
    answer = send(client, "put", permissions(service, permission), body)
    assert answer.status_code == 200
    assert answer.json()["permission"] == "admin"
    assert send(client, "put", permissions(service, permission), {}).status_code == 400


def test_permission_is_taken_away(client, manager, service, permission):
    user_id, permission_id = permission.user_id, permission.pk
    assert client.delete(permissions(service, permission)).status_code == 204
    assert not ServicePermission.objects.exists()
    row = AuditLog.objects.get()
    assert (row.action, row.resource_id) == ("revoke_permission", str(permission_id))
    assert row.details["user_id"] == user_id
    assert client.delete(permissions(service, permission)).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"user": 1_000_000}, "user"),
        ({"user": 2**40}, "user"),
        ({"user": None}, "user"),
        ({"permission": "root"}, "permission"),
        ({"permission": "view_jobs"}, "permission"),  # the user has it
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),  # of which time zone?
        ({"expires_at": "soon"}, "expires_at"),
        ({"is_active": "perhaps"}, "is_active"),
    ],
)
def test_permission_that_does_not_fit_is_refused(
    client, manager, service, permission, wrong, field
):
    body = {"user": permission.user_id, "permission": "submit_jobs", **wrong}
    answer = send(client, "post", permissions(service), body)
    assert answer.status_code == 400
    assert field in answer.json()
    assert ServicePermission.objects.count() == 1
    assert not AuditLog.objects.exists()


def test_change_into_a_permission_that_the_user_has_is_refused(
    client, manager, service, permission
):
    second = ServicePermission.objects.create(
        service=service, user=permission.user, permission="view"
    )
    answer = send(client, "patch", permissions(service, second), {"permission": "view_jobs"})
    assert answer.status_code == 400
    assert answer.json()["permission"] == ["The user has this permission already."]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_give_the_same_permission_at_once_one_is_refused(service, ada):
    manager = make_user("grace", role="service_admin")
    barrier = Barrier(2, timeout=30)
    statuses = []

    def give():
        client = Client()
        client.force_login(manager)
        barrier.wait()
        body = {"user": ada.pk, "permission": "view"}
        statuses.append(send(client, "post", permissions(service), body).status_code)
        connection.close()

    threads = [Thread(target=give) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 400]
    assert ServicePermission.objects.count() == 1


def every_path(service, permission, group):
    return [
        ("get", permissions(service)),
        ("post", permissions(service)),
        *((method, permissions(service, permission)) for method in METHODS),
        ("get", groups(service)),
        ("post", groups(service)),
        *((method, groups(service, group)) for method in METHODS),
        ("post", groups(service, group, "add_user/")),
        ("post", groups(service, group, "remove_user/")),
    ]


METHODS = ("get", "put", "patch", "delete")


@pytest.mark.parametrize("role", ["anonymous", None, "viewer", "researcher", "service_user"])
def test_rights_are_closed_to_other_roles(client, service, permission, group, role):
    if role != "anonymous":
        client.force_login(make_user("bob", role=role))
    for method, path in every_path(service, permission, group):
        assert send(client, method, path, {}).status_code == 403, (method, path)


def test_rights_and_the_audit_log_are_closed_to_scripts_of_an_administrator(
    client, service, permission, group
):
    user = make_user("grace", role="admin")
    origin = Origin(address=None, user_agent="")
    made = create_api_token(
        user=user, name="all", scopes=SCOPES, expires_in_days=1, origin=origin, now=timezone.now()
    )
    script = Client(headers={"Authorization": f"Bearer {made.token}"})
    assert script.get("/api/user-access/").status_code == 200
    closed = [*every_path(service, permission, group), ("get", "/api/audit-logs/")]
    for method, path in [*closed, ("get", "/api/audit-logs/1/")]:
        assert send(script, method, path, {}).status_code == 403, (method, path)


def test_a_holder_of_admin_at_the_service_hands_out_rights_there_alone(
    client, service, other_service, ada, foreign
):
    holder = make_user("bob", role="researcher")
    held = ServicePermission.objects.create(service=service, user=holder, permission="admin")
    client.force_login(holder)
    body = {"user": ada.pk, "permission": "admin"}
    assert send(client, "post", permissions(service), body).status_code == 201
    assert send(client, "post", permissions(other_service), body).status_code == 403
    assert client.get(permissions(other_service, foreign)).status_code == 403
    for fields in ({"is_active": False}, {"is_active": True, "expires_at": NOW}):
        ServicePermission.objects.filter(pk=held.pk).update(**fields)
        assert client.get(permissions(service)).status_code == 403, fields


@pytest.mark.parametrize("kind", ["view", "submit_jobs", "view_jobs", "manage_jobs"])
def test_no_lesser_right_lets_anybody_give_rights(client, service, ada, kind):
    ServicePermission.objects.create(service=service, user=ada, permission=kind)
    client.force_login(ada)
    body = {"user": ada.pk, "permission": "admin"}
    assert send(client, "post", permissions(service), body).status_code == 403


def test_an_administrator_hands_out_rights(client, service, ada):
    client.force_login(make_user("grace", role="admin"))
    body = {"user": ada.pk, "permission": "view"}
    assert send(client, "post", permissions(service), body).status_code == 201


def test_what_is_of_another_service_does_not_exist_here(
    client, manager, service, other_service, foreign
):
    foreign_group = ServiceUserGroup.objects.create(service=other_service, name="Team")
    wrong = [
        *((method, permissions(service, foreign)) for method in METHODS),
        *((method, groups(service, foreign_group)) for method in METHODS),
        ("post", groups(service, foreign_group, "add_user/")),
        ("post", groups(service, foreign_group, "remove_user/")),
    ]
    body = {"user": foreign.user_id, "user_id": foreign.user_id, "permission": "view", "name": "x"}
    for method, path in wrong:
        assert send(client, method, path, body).status_code == 404, (method, path)
    foreign.refresh_from_db()
    assert foreign.permission == "view_jobs"


def test_a_service_that_is_none_has_no_rights(client, manager, service, permission, group):
    service.pk += 1000
    for method, path in every_path(service, permission, group):
        assert send(client, method, path, {"name": "x"}).status_code == 404, (method, path)


def test_group_shares_permissions_of_its_own_service(client, manager, service, permission):
    body = {"name": "Team", "description": "Of one study", "permissions": [permission.pk]}
    answer = send(client, "post", groups(service), body)
    assert answer.status_code == 201
    made = answer.json()
    assert {name: made[name] for name in body} == body
    assert (made["created_by"], made["members"], made["is_active"]) == (manager.pk, [], True)
    assert AuditLog.objects.get().action == "create_group"
    assert client.get(groups(service)).json()["results"] == [made]
    assert client.get(f"{groups(service)}{made['id']}/").json() == made


@pytest.mark.parametrize("method", ["post", "patch"])
def test_group_takes_no_permission_of_another_service(
    client, manager, service, group, permission, foreign, method
):
    path = groups(service) if method == "post" else groups(service, group)
    body = {"name": "Others", "permissions": [permission.pk, foreign.pk]}
    answer = send(client, method, path, body)
    assert answer.status_code == 400
    assert answer.json()["permissions"] == ["All must be permissions of this service."]
    assert ServiceUserGroup.objects.get().name == "Team"
    assert not group.permissions.exists()


@pytest.mark.parametrize("ids", [[1_000_000], [2**63], ["x"], "x", [0], [None]])
def test_group_takes_no_permission_that_is_none(client, manager, service, ids):
    answer = send(client, "post", groups(service), {"name": "Team", "permissions": ids})
    assert answer.status_code == 400
    assert "permissions" in answer.json()


def test_group_is_edited_and_deleted(client, manager, service, group, permission):
    answer = send(client, "patch", groups(service, group), {"permissions": [permission.pk] * 2})
    assert answer.json()["permissions"] == [permission.pk]
    answer = send(client, "put", groups(service, group), {"name": "Crew", "is_active": False})
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["permissions"]) == ("Crew", [permission.pk])
    assert client.delete(groups(service, group)).status_code == 204
    assert not ServiceUserGroup.objects.exists()
    actions = AuditLog.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["update_group", "update_group", "delete_group"]


def test_group_name_is_used_once_at_a_service(client, manager, service, other_service, group):
    answer = send(client, "post", groups(service), {"name": "Team"})
    assert answer.status_code == 400
    assert answer.json()["name"] == ["The service has a group of this name already."]
    assert send(client, "post", groups(other_service), {"name": "Team"}).status_code == 201


def test_member_holds_what_the_group_shares_until_the_membership_ends(
    client, manager, service, group, permission
):
    group.permissions.add(permission)
    bob = make_user("bob")
    body = {"user_id": bob.pk, "expires_at": LATER}
    answer = send(client, "post", groups(service, group, "add_user/"), body)
    assert answer.status_code == 200
    assert answer.json()["message"] == "User added to the group"
    [member] = answer.json()["group"]["members"]
    assert (member["user"], member["username"], member["expires_at"]) == (bob.pk, "bob", LATER)
    assert member["added_by"] == manager.pk
    assert find_rights(bob).may_at(service.pk, "view_jobs")
    end = datetime(2099, 1, 1, tzinfo=UTC)
    assert not find_rights(bob, now=end).may_at(service.pk, "view_jobs")
    assert find_rights(bob, now=end - timedelta(seconds=1)).may_at(service.pk, "view_jobs")

    answer = send(client, "post", groups(service, group, "add_user/"), {"user_id": bob.pk})
    assert answer.json()["group"]["members"][0]["expires_at"] is None
    assert ServiceUserGroupMembership.objects.count() == 1
    assert find_rights(bob, now=end).may_at(service.pk, "view_jobs")

    answer = send(client, "post", groups(service, group, "remove_user/"), {"user_id": bob.pk})
    assert answer.status_code == 200
    assert answer.json()["group"]["members"] == []
    assert not find_rights(bob).may_at(service.pk, "view_jobs")
    rows = AuditLog.objects.order_by("id").values_list("action", "details__user_id")
    assert list(rows) == [
        ("grant_permission", bob.pk),
        ("grant_permission", bob.pk),
        ("revoke_permission", bob.pk),
    ]


def test_a_foreign_permission_that_a_group_got_otherwise_counts_nowhere(
    service, other_service, group, permission, foreign
):
    bob = make_user("bob")
    group.permissions.add(permission, foreign)
    group.memberships.create(user=bob)
    assert find_rights(bob).may_at(service.pk, "view_jobs")
    assert not find_rights(bob).may_at(other_service.pk, "view_jobs")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "user_id"),
        ({"user_id": 1_000_000}, "user_id"),
        ({"user_id": "ada"}, "user_id"),
        ({"user_id": 1, "expires_at": "2099-01-01"}, "expires_at"),
    ],
)
def test_member_that_does_not_fit_is_refused(client, manager, service, group, body, field):
    answer = send(client, "post", groups(service, group, "add_user/"), body)
    assert answer.status_code == 400
    assert field in answer.json()
    assert not group.memberships.exists()


def test_membership_that_is_over_is_refused(client, manager, service, group, ada):
    body = {"user_id": ada.pk, "expires_at": timezone.now().isoformat()}
    answer = send(client, "post", groups(service, group, "add_user/"), body)
    assert answer.status_code == 400
    assert "expires_at" in answer.json()


def test_who_is_no_member_cannot_be_removed(client, manager, service, group, ada):
    member = group.memberships.create(user=make_user("bob"))
    answer = send(client, "post", groups(service, group, "remove_user/"), {"user_id": ada.pk})
    assert answer.status_code == 404
    assert group.memberships.get() == member
    assert not AuditLog.objects.exists()


def test_one_sees_ones_own_accesses_without_keys(client, service, ada):
    mine = UserServiceAccess.objects.create(user=ada, service=service, api_key="pl41n")
    UserServiceAccess.objects.create(user=make_user("bob"), service=service)
    client.force_login(ada)
    answer = client.get("/api/user-access/")
    assert b"pl41n" not in answer.content
    [row] = answer.json()["results"]
    assert (row["id"], row["service"], row["service_name"]) == (mine.pk, service.pk, service.name)
    assert "api_key" not in row
    assert row["has_access"] is True


def test_accesses_that_count_are_ones_own_to_active_services(service, other_service, ada):
    closed = make_service("Closed", is_active=False)
    for user, where, has_access in (
        (ada, service, True),
        (ada, other_service, False),
        (ada, closed, True),
        (make_user("bob"), service, True),
    ):
        UserServiceAccess.objects.create(user=user, service=where, has_access=has_access)
    assert count_accessible_services(user_id=ada.pk) == 1


def test_accesses_are_closed_to_an_anonymous_caller(client):
    assert client.get("/api/user-access/").status_code == 403
