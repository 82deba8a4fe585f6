"""Roles, users and profiles as their clients see them."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from federated_imputation.monolith.accounts.models import AuditLog, UserProfile, UserRole
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "seven green herons at noon"
JSON = "application/json"


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss():
    return make_user("boss", role="admin")


@pytest.fixture
def root():
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def ada():
    return make_user("ada", role="researcher", email="ada@example.org")


@pytest.fixture
def as_boss(boss):
    return client_of(boss)


@pytest.fixture
def as_root(root):
    return client_of(root)


@pytest.fixture
def as_ada(ada):
    return client_of(ada)


@pytest.fixture
def form():
    """A new user that is accepted; tests change one thing of it."""
    return {
        "username": "grace",
        "email": "grace@example.org",
        "first_name": "Grace",
        "last_name": "Hopper",
        "password": NEW_PASSWORD,
        "password_confirm": NEW_PASSWORD,
    }


def audited():
    return list(AuditLog.objects.order_by("id").values_list("action", "user_id", "resource_id"))


def details():
    return AuditLog.objects.order_by("-id")[0].details


class TestRoles:
    def test_roles_are_listed_with_permissions_and_capabilities(self, as_boss, boss):
        boss.profile.role.permissions.set(Permission.objects.filter(codename="view_user"))
        page = as_boss.get("/api/roles/").json()
        assert page["count"] == 1
        role = page["results"][0]
        assert role["name"] == "admin"
        assert role["permissions_list"] == ["view_user"]
        assert [row["codename"] for row in role["permissions"]] == ["view_user"]
        assert "manage_users" in role["capabilities"]
        assert as_boss.get(f"/api/roles/{role['id']}/").json() == role

    def test_role_is_made_with_permissions(self, as_boss, boss):
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
    def test_role_is_refused_by_field(self, as_boss, change, field, words):
        answer = as_boss.post("/api/roles/", {"name": "viewer", **change}, JSON)
        assert answer.status_code == 400
        assert words in answer.json()[field][0]
        assert UserRole.objects.count() == 1

    def test_role_is_changed_and_the_change_is_audited(self, as_boss, boss, ada):
        role = ada.profile.role
        path = f"/api/roles/{role.pk}/"
        answer = as_boss.patch(path, {"is_active": False, "permissions_list": ["view_user"]}, JSON)
        assert answer.status_code == 200
        assert answer.json()["is_active"] is False
        assert answer.json()["capabilities"] == []
        assert details() == {
            "fields": ["is_active", "permissions"],
            "values": {"is_active": [True, False], "permissions": [[], ["view_user"]]},
        }

    def test_role_takes_back_what_was_read(self, as_boss, ada):
        path = f"/api/roles/{ada.profile.role.pk}/"
        read = as_boss.get(path).json()
        answer = as_boss.put(path, read, JSON)
        assert answer.status_code == 200
        assert {**answer.json(), "updated_at": 0} == {**read, "updated_at": 0}
        assert details() == {"fields": [], "values": {}}

    def test_name_of_a_role_stays(self, as_boss, ada):
        answer = as_boss.patch(f"/api/roles/{ada.profile.role.pk}/", {"name": "admin"}, JSON)
        assert answer.status_code == 400
        assert answer.json()["name"] == ["The name of a role cannot be changed."]

    def test_role_in_use_is_not_deleted(self, as_boss, ada):
        role = ada.profile.role
        answer = as_boss.delete(f"/api/roles/{role.pk}/")
        assert answer.status_code == 409
        assert "held by 1 users" in answer.json()["detail"]
        assert UserRole.objects.filter(pk=role.pk).exists()

    def test_role_that_nobody_holds_is_deleted(self, as_boss, boss):
        role = UserRole.objects.create(name="viewer")
        assert as_boss.delete(f"/api/roles/{role.pk}/").status_code == 204
        assert not UserRole.objects.filter(pk=role.pk).exists()
        assert audited() == [("delete_role", boss.pk, str(role.pk))]

    def test_admin_role_stays_on_while_nobody_else_may_manage_users(self, as_boss, boss):
        path = f"/api/roles/{boss.profile.role.pk}/"
        answer = as_boss.patch(path, {"is_active": False}, JSON)
        assert answer.status_code == 409
        assert UserRole.objects.get(name="admin").is_active
        assert audited() == []
        make_user("root", is_superuser=True)
        assert as_boss.patch(path, {"is_active": False}, JSON).status_code == 200

    @pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
    def test_unknown_role_is_404(self, as_boss, method):
        answer = getattr(as_boss, method)(
            "/api/roles/999999/",
            {"name": "viewer"},
            **({} if method == "get" else {"content_type": JSON}),
        )
        assert answer.status_code == 404

    @pytest.mark.parametrize(
        "role", ["service_admin", "researcher", "service_user", "viewer", None]
    )
    def test_others_may_not_even_look(self, role):
        client = client_of(make_user("carol", role=role))
        other = UserRole.objects.get_or_create(name="viewer")[0]
        assert client.get("/api/roles/").status_code == 403
        assert client.post("/api/roles/", {"name": "admin"}, JSON).status_code == 403
        for method in ("get", "put", "patch", "delete"):
            assert getattr(client, method)(f"/api/roles/{other.pk}/").status_code == 403
