"""Users as those who manage them see them."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection

from federated_imputation.monolith.accounts.models import UserProfile, UserRole
from federated_imputation.monolith.accounts.operations.administrators import (
    keeping_an_administrator,
)
from federated_imputation.monolith.accounts.operations.refusals import Conflict
from federated_imputation.monolith.accounts.queries.people import administrators
from tests.factories import PASSWORD, make_user
from tests.unit.monolith.accounts.people import JSON, audited, client_of, last_details

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "seven green herons at noon"


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


def names(answer):
    assert answer.status_code == 200, answer.content
    return [row["username"] for row in answer.json()["results"]]


def test_users_are_listed_by_id_without_a_hash(as_boss, boss):
    ada = make_user("ada", role="researcher")
    answer = as_boss.get("/api/users/")
    assert names(answer) == ["boss", "ada"]
    row = answer.json()["results"][1]
    assert set(row) == {
        "id", "username", "email", "first_name", "last_name", "is_active", "is_staff",
        "is_superuser", "date_joined", "last_login", "profile",
    }  # fmt: skip
    assert row["profile"]["role"] == "researcher"
    assert as_boss.get(f"/api/users/{ada.pk}/").json() == row
    assert ada.password not in answer.content.decode()


def test_users_without_a_profile_are_shown(as_boss):
    user = make_user("carol")
    assert as_boss.get(f"/api/users/{user.pk}/").json()["profile"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=ADA@", ["ada"]),
        ("search=lovel", ["bea"]),
        ("is_active=false", ["gone"]),
        ("is_active=true&search=", ["ada", "bea", "boss"]),
        ("search=gone&is_active=true", []),
    ],
)
def test_users_are_filtered(boss, query, found):
    make_user("ada", email="ada@example.org")
    make_user("bea", last_name="Lovelace")
    make_user("gone", is_active=False)
    client = client_of(boss)
    assert sorted(names(client.get(f"/api/users/?{query}"))) == found


@pytest.mark.parametrize("query", ["is_active=perhaps"])
def test_users_refuse_a_malformed_filter(as_boss, query):
    answer = as_boss.get(f"/api/users/?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()


def test_users_are_listed_by_20_in_the_same_number_of_statements(
    as_boss, ada, django_assert_max_num_queries
):
    for number in range(20):
        make_user(f"user{number}", role="viewer")
    with django_assert_max_num_queries(14):
        page = as_boss.get("/api/users/").json()
    assert (page["count"], len(page["results"])) == (22, 20)
    assert page["next"].endswith("/api/users/?page=2")


def test_looking_at_others_is_audited_once_a_request(as_boss, boss, ada):
    as_boss.get("/api/users/")
    as_boss.get(f"/api/users/{ada.pk}/")
    as_boss.get(f"/api/users/{boss.pk}/")
    as_boss.get("/api/users/?search=nobody")
    assert audited() == [("data_access", boss.pk, str(ada.pk))] * 2
    assert last_details() == {"ids": [str(ada.pk)]}


def test_user_is_made_and_can_log_in(as_boss, boss, form, client):
    role = UserRole.objects.create(name="viewer")
    profile = {"role_id": role.pk, "country": "Mali", "monthly_job_limit": 50}
    answer = as_boss.post("/api/users/", {**form, "profile": profile}, JSON)
    assert answer.status_code == 201, answer.content
    user = User.objects.get(username="grace")
    assert answer.json()["id"] == user.pk
    assert answer.json()["profile"]["role"] == "viewer"
    assert answer.json()["profile"]["monthly_job_limit"] == 50
    assert NEW_PASSWORD not in answer.content.decode()
    assert user.password not in answer.content.decode()
    assert [row[:2] for row in audited()] == [("create_user", boss.pk), ("create_profile", boss.pk)]
    assert client.login(username="grace", password=NEW_PASSWORD)


def test_user_is_made_without_a_profile_when_none_is_given(as_boss, form):
    answer = as_boss.post("/api/users/", form, JSON)
    assert answer.json()["profile"] is None
    assert not UserProfile.objects.filter(user__username="grace").exists()


def test_audit_of_a_new_user_holds_no_password(as_boss, form):
    as_boss.post("/api/users/", form, JSON)
    assert last_details() == {
        "username": "grace",
        "fields": ["email", "first_name", "last_name", "username"],
        "values": {},
    }


def test_addresses_need_not_be_unique_and_may_be_empty(as_boss, ada, form):
    assert as_boss.post("/api/users/", {**form, "email": ada.email}, JSON).status_code == 201
    other = {**form, "username": "hedy", "email": ""}
    assert as_boss.post("/api/users/", other, JSON).status_code == 201


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"username": "ada"}, "username", "already exists"),
        ({"username": "\uff41\uff44\uff41"}, "username", "already exists"),  # wide letters
        ({"username": "a b"}, "username", "valid username"),
        ({"username": ""}, "username", "blank"),
        ({"username": "\ufdfa" * 20}, "username", "150"),  # 18 letters each, once normalised
        ({"email": "nowhere"}, "email", "valid email"),
        ({"password": "x", "password_confirm": "x"}, "password", "short"),
        ({"password_confirm": "another"}, "password_confirm", "differ"),
        ({"profile": {"role_id": 999999}}, "role_id", "does not exist"),
        ({"profile": {"monthly_job_limit": -1}}, "profile", ""),
        ({"profile": {"monthly_job_limit": 2**40}}, "profile", ""),
    ],
)
def test_user_is_refused_by_field(as_boss, ada, form, change, field, words):
    answer = as_boss.post("/api/users/", {**form, **change}, JSON)
    assert answer.status_code == 400
    assert words in str(answer.json()[field])
    assert User.objects.count() == 2
    assert audited() == []


def test_user_is_changed_and_takes_back_what_was_read(as_boss, boss, ada):
    path = f"/api/users/{ada.pk}/"
    read = as_boss.get(path).json()
    answer = as_boss.put(path, read, JSON)
    assert answer.status_code == 200
    assert answer.json() == read
    assert as_boss.patch(path, {"email": "a@example.org"}, JSON).json()["email"] == "a@example.org"
    ada.refresh_from_db()
    assert ada.email == "a@example.org"
    assert last_details() == {"username": "ada", "fields": ["email"], "values": {}}


def test_username_that_is_taken_is_refused_on_change(as_boss, boss, ada):
    answer = as_boss.patch(f"/api/users/{ada.pk}/", {"username": "boss"}, JSON)
    assert answer.status_code == 400
    assert "already exists" in answer.json()["username"][0]


def test_put_needs_the_username(as_boss, ada):
    answer = as_boss.put(f"/api/users/{ada.pk}/", {"email": ""}, JSON)
    assert (answer.status_code, next(iter(answer.json()))) == (400, "username")


def test_change_of_a_user_does_not_touch_the_password(as_boss, ada):
    as_boss.patch(f"/api/users/{ada.pk}/", {"password": NEW_PASSWORD}, JSON)
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_flags_are_for_superusers_to_give(as_boss, as_root, boss, ada, form, flag):
    for user in (ada, boss):
        answer = as_boss.patch(f"/api/users/{user.pk}/", {flag: True, "email": "x@y.org"}, JSON)
        assert answer.status_code == 403
        assert flag in answer.json()["detail"]
        user.refresh_from_db()
        assert (getattr(user, flag), user.email == "x@y.org") == (False, False)
    assert as_boss.post("/api/users/", {**form, flag: True}, JSON).status_code == 403
    assert not User.objects.filter(username="grace").exists()

    assert as_root.patch(f"/api/users/{ada.pk}/", {flag: True}, JSON).status_code == 200
    assert last_details()["values"] == {flag: [False, True]}
    assert as_root.post("/api/users/", {**form, flag: True}, JSON).json()[flag] is True


def test_superuser_is_out_of_reach_of_others(as_boss, root):
    path = f"/api/users/{root.pk}/"
    before = User.objects.get(pk=root.pk)
    answers = [
        as_boss.patch(path, {"email": "x@y.org"}, JSON),
        as_boss.put(path, {"username": "toor"}, JSON),
        as_boss.post(f"{path}reset_password/", {"new_password": NEW_PASSWORD}, JSON),
        as_boss.post(f"{path}toggle_active/"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert answers[0].json()["detail"] == "Only a superuser may change a superuser."
    after = User.objects.get(pk=root.pk)
    assert (after.username, after.email, after.password, after.is_active) == (
        before.username,
        before.email,
        before.password,
        True,
    )
    assert audited() == []


def test_superuser_changes_another(as_root):
    other = make_user("other", is_superuser=True)
    path = f"/api/users/{other.pk}/"
    assert as_root.patch(path, {"is_superuser": False}, JSON).status_code == 200
    assert as_root.post(f"{path}toggle_active/").status_code == 200


def test_password_is_reset_and_what_the_old_one_opened_ends(as_boss, boss, ada, as_ada):
    path = f"/api/users/{ada.pk}/reset_password/"
    answer = as_boss.post(path, {"new_password": NEW_PASSWORD}, JSON)
    assert (answer.status_code, answer.json()) == (200, {"message": "Password reset"})
    ada.refresh_from_db()
    assert ada.check_password(NEW_PASSWORD)
    assert as_ada.get("/api/auth/user/").status_code == 403
    assert audited() == [("reset_password", boss.pk, str(ada.pk))]
    assert NEW_PASSWORD not in str(last_details())


@pytest.mark.parametrize("password", ["x", "", "password", "ada@example.org"])
def test_weak_password_is_not_set(as_boss, ada, password):
    answer = as_boss.post(f"/api/users/{ada.pk}/reset_password/", {"new_password": password}, JSON)
    assert answer.status_code == 400
    assert answer.json()["new_password"]
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_deactivated_user_is_out_at_the_next_request(as_boss, boss, ada, as_ada):
    assert as_ada.get("/api/auth/user/").status_code == 200
    path = f"/api/users/{ada.pk}/toggle_active/"
    answer = as_boss.post(path)
    assert answer.json() == {"message": "User deactivated", "is_active": False}
    assert as_ada.get("/api/auth/user/").status_code == 403
    assert as_boss.post(path).json() == {"message": "User activated", "is_active": True}
    assert audited() == [("toggle_user_active", boss.pk, str(ada.pk))] * 2
    assert last_details()["values"] == {"is_active": [False, True]}


def test_nobody_deactivates_himself(as_boss, boss, root):
    path = f"/api/users/{boss.pk}/"
    for answer in (
        as_boss.post(f"{path}toggle_active/"),
        as_boss.patch(path, {"is_active": False}, JSON),
    ):
        assert answer.status_code == 403
        assert answer.json()["detail"] == "Nobody may deactivate himself."
    boss.refresh_from_db()
    assert boss.is_active


def test_last_superuser_keeps_the_flag(as_root, root):
    path = f"/api/users/{root.pk}/"
    answer = as_root.patch(path, {"is_superuser": False}, JSON)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "Nobody would be left who may manage users."
    assert User.objects.get(pk=root.pk).is_superuser
    make_user("boss", role="admin")
    assert as_root.patch(path, {"is_superuser": False}, JSON).status_code == 200


def test_administrators_are_the_active_ones_whose_role_is_on():
    root = make_user("root", is_superuser=True)
    boss = make_user("boss", role="admin")
    make_user("gone", role="admin", is_active=False)
    make_user("other", role="service_admin")
    assert list(administrators()) == [root, boss]
    UserRole.objects.filter(name="admin").update(is_active=False)
    assert list(administrators()) == [root]


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_remove_each_other_at_the_same_time():
    first = make_user("first", is_superuser=True)
    second = make_user("second", is_superuser=True)
    refused = []
    finished = threading.Event()

    def remove_first() -> None:
        try:
            with keeping_an_administrator():
                User.objects.filter(pk=first.pk).update(is_active=False)
        except Conflict as conflict:
            refused.append(conflict)
        finally:
            connection.close()
            finished.set()

    thread = threading.Thread(target=remove_first)
    with keeping_an_administrator():
        User.objects.filter(pk=second.pk).update(is_active=False)
        thread.start()
        assert not finished.wait(1), "the other did not wait"
    thread.join(10)
    assert len(refused) == 1
    assert list(administrators()) == [first]


@pytest.mark.parametrize("path", ["", "toggle_active/"])
def test_session_of_a_deactivated_user_stays_ended(as_boss, ada, as_ada, path):
    other = client_of(make_user("other"))
    for is_active in (False, True):
        target = f"/api/users/{ada.pk}/{path}"
        if path:
            as_boss.post(target)
        else:
            as_boss.patch(target, {"is_active": is_active}, JSON)
        assert User.objects.get(pk=ada.pk).is_active is is_active
        assert as_ada.get("/api/auth/user/").status_code == 403
    assert other.get("/api/auth/user/").status_code == 200
    assert as_boss.get("/api/auth/user/").status_code == 200


@pytest.mark.parametrize("path", ["", "reset_password/", "toggle_active/"])
def test_unknown_user_is_404(as_boss, path):
    for user_id in ("999999", "99999999999999999999999"):
        target = f"/api/users/{user_id}/{path}"
        body = {"username": "x", "new_password": NEW_PASSWORD}
        answer = as_boss.post(target, body, JSON) if path else as_boss.put(target, body, JSON)
        assert answer.status_code == 404


@pytest.mark.parametrize("role", ["service_admin", "researcher", "service_user", "viewer", None])
def test_others_may_not_manage_users(ada, form, role):
    client = client_of(make_user("carol", role=role))
    path = f"/api/users/{ada.pk}/"
    answers = [
        client.get("/api/users/"),
        client.post("/api/users/", form, JSON),
        client.get(path),
        client.put(path, {"username": "x"}, JSON),
        client.patch(path, {"email": "x@y.org"}, JSON),
        client.post(f"{path}reset_password/", {"new_password": NEW_PASSWORD}, JSON),
        client.post(f"{path}toggle_active/"),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert audited() == []


def test_role_that_is_switched_off_manages_nothing_from_the_next_request(as_boss, root, boss):
    assert as_boss.get("/api/users/").status_code == 200
    UserRole.objects.filter(name="admin").update(is_active=False)
    assert as_boss.get("/api/users/").status_code == 403
