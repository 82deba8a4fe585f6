"""Roles as their clients see them."""

import pytest
from django.contrib.auth.models import Permission

from federated_imputation.monolith.accounts.models import UserRole
from tests.factories import make_user
from tests.unit.monolith.accounts.people import JSON, audited, client_of, last_details

pytestmark = pytest.mark.django_db


def test_roles_are_listed_with_permissions_and_capabilities(as_boss, boss):
    boss.profile.role.permissions.set(Permission.objects.filter(codename="view_user"))
    page = as_boss.get("/api/roles/").json()
    assert page["count"] == 1
    role = page["results"][0]
    assert role["name"] == "admin"
    assert role["permissions_list"] == ["view_user"]
    assert [row["codename"] for row in role["permissions"]] == ["view_user"]
    assert "manage_users" in role["capabilities"]
    assert as_boss.get(f"/api/roles/{role['id']}/").json() == role


def test_role_is_made_with_permissions(as_boss, boss):
    answer = as_boss.post(
        "/api/roles/",
        {"name": "viewer", "description": "Looks", "permissions_list": ["view_user"]},
        JSON,
    )
    assert answer.status_code == 201
    role = UserRole.objects.get(name="viewer")
    assert answer.json()["id"] == role.pk
    assert answer.json()["permissions_list"] == ["view_user"]
    assert audited() == [("create_role", boss.pk, str(role.pk))]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": "admin"}, "name", "exists already"),
        ({"name": "emperor"}, "name", "not a valid choice"),
        ({"permissions_list": ["view_user", "fly", "dig"]}, "permissions_list", "dig, fly"),
    ],
)
def test_role_is_refused_by_field(as_boss, change, field, words):
    answer = as_boss.post("/api/roles/", {"name": "viewer", **change}, JSON)
    assert answer.status_code == 400
    assert words in answer.json()[field][0]
    assert UserRole.objects.count() == 1


def test_role_is_changed_and_the_change_is_audited(as_boss, boss, ada):
    role = ada.profile.role
    path = f"/api/roles/{role.pk}/"
    answer = as_boss.patch(path, {"is_active": False, "permissions_list": ["view_user"]}, JSON)
    assert answer.status_code == 200
    assert answer.json()["is_active"] is False
    assert answer.json()["capabilities"] == []
    assert last_details() == {
        "fields": ["is_active", "permissions"],
        "values": {"is_active": [True, False], "permissions": [[], ["view_user"]]},
    }


def test_role_takes_back_what_was_read(as_boss, ada):
    path = f"/api/roles/{ada.profile.role.pk}/"
    read = as_boss.get(path).json()
    answer = as_boss.put(path, read, JSON)
    assert answer.status_code == 200
    assert {**answer.json(), "updated_at": 0} == {**read, "updated_at": 0}
    assert last_details() == {"fields": [], "values": {}}


def test_name_of_a_role_stays(as_boss, ada):
    answer = as_boss.patch(f"/api/roles/{ada.profile.role.pk}/", {"name": "admin"}, JSON)
    assert answer.status_code == 400
    assert answer.json()["name"] == ["The name of a role cannot be changed."]


def test_role_in_use_is_not_deleted(as_boss, ada):
    role = ada.profile.role
    answer = as_boss.delete(f"/api/roles/{role.pk}/")
    assert answer.status_code == 409
    assert "held by 1 users" in answer.json()["detail"]
    assert UserRole.objects.filter(pk=role.pk).exists()


def test_role_that_nobody_holds_is_deleted(as_boss, boss):
    role = UserRole.objects.create(name="viewer")
    assert as_boss.delete(f"/api/roles/{role.pk}/").status_code == 204
    assert not UserRole.objects.filter(pk=role.pk).exists()
    assert audited() == [("delete_role", boss.pk, str(role.pk))]


def test_admin_role_stays_on_while_nobody_else_may_manage_users(as_boss, boss):
    path = f"/api/roles/{boss.profile.role.pk}/"
    answer = as_boss.patch(path, {"is_active": False}, JSON)
    assert answer.status_code == 409
    assert UserRole.objects.get(name="admin").is_active
    assert audited() == []
    make_user("root", is_superuser=True)
    assert as_boss.patch(path, {"is_active": False}, JSON).status_code == 200


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_unknown_role_is_404(as_boss, method):
    answer = getattr(as_boss, method)(
        "/api/roles/999999/",
        {"name": "viewer"},
        **({} if method == "get" else {"content_type": JSON}),
    )
    assert answer.status_code == 404


@pytest.mark.parametrize("role", ["service_admin", "researcher", "service_user", "viewer", None])
def test_others_may_not_even_look(role):
    client = client_of(make_user("carol", role=role))
    other = UserRole.objects.get_or_create(name="viewer")[0]
    assert client.get("/api/roles/").status_code == 403
    assert client.post("/api/roles/", {"name": "admin"}, JSON).status_code == 403
    for method in ("get", "put", "patch", "delete"):
        assert getattr(client, method)(f"/api/roles/{other.pk}/").status_code == 403
