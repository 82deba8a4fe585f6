"""Profiles as their users, and those who manage users, see them."""

import pytest

from federated_imputation.monolith.accounts.models import UserProfile, UserRole
from federated_imputation.monolith.accounts.queries.people import find_profile, storage_limit
from tests.factories import make_user
from tests.unit.monolith.accounts.people import JSON, audited, client_of, last_details

pytestmark = pytest.mark.django_db
PRIVILEGED = {
    "is_verified": True,
    "verification_date": "2026-03-01T12:00:00Z",
    "monthly_job_limit": 1000,
    "monthly_jobs_used": 1,
    "storage_limit_gb": "99.00",
    "storage_used_gb": "1.00",
}


@pytest.fixture
def path(ada):
    return f"/api/profiles/{ada.profile.pk}/"


def test_user_sees_the_own_profile_and_no_other(as_ada, ada, boss, path):
    page = as_ada.get("/api/profiles/").json()
    assert [row["id"] for row in page["results"]] == [ada.profile.pk]
    row = page["results"][0]
    assert row["user"] == ada.pk
    assert row["username"] == "ada"
    assert row["role"] == "researcher"
    assert row["role_id"] == ada.profile.role_id
    assert row["storage_limit_gb"] == "1.00"
    assert as_ada.get(path).json() == row
    assert audited() == []


def test_the_profile_of_a_user_is_the_users(ada, boss):
    assert find_profile(user_id=ada.pk) == ada.profile
    assert find_profile(user_id=boss.pk) == boss.profile
    assert find_profile(user_id=make_user("carol").pk) is None


def test_storage_limit_is_of_the_own_profile(ada, boss):
    UserProfile.objects.filter(user=boss).update(storage_limit_gb="5.00")
    UserProfile.objects.filter(user=ada).update(storage_limit_gb="0.50")
    assert storage_limit(user_id=boss.pk) == 5 * 1024**3
    assert storage_limit(user_id=ada.pk) == 1024**3 // 2
    assert storage_limit(user_id=make_user("new").pk) is None


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
@pytest.mark.parametrize("role", ["service_admin", "viewer", None])
def test_profile_of_another_does_not_exist(path, ada, method, role):
    client = client_of(make_user("carol", role=role))
    answer = client.generic(method.upper(), path, '{"country": "Chad"}', JSON)
    assert answer.status_code == 404
    assert UserProfile.objects.get(pk=ada.profile.pk).country == "Mali"


def test_looking_at_others_is_audited_once_a_request(as_boss, boss, ada, path):
    page = as_boss.get("/api/profiles/").json()
    assert {row["username"] for row in page["results"]} == {"ada", "boss"}
    as_boss.get(path)
    as_boss.get(f"/api/profiles/{boss.profile.pk}/")
    assert audited() == [("data_access", boss.pk, str(ada.profile.pk))] * 2


def test_user_without_a_profile_has_an_empty_page_and_makes_one():
    user = make_user("carol")
    client = client_of(user)
    assert client.get("/api/profiles/").json()["results"] == []
    answer = client.post("/api/profiles/", {"country": "Chad", "monthly_job_limit": 10}, JSON)
    assert answer.status_code == 201, answer.content
    assert answer.json()["user"] == user.pk
    assert answer.json()["role"] is None
    assert user.profile.country == "Chad"
    assert audited() == [("create_profile", user.pk, str(user.profile.pk))]
    again = client.post("/api/profiles/", {}, JSON)
    assert again.status_code == 400
    assert again.json()["user"] == ["This user has a profile already."]


@pytest.mark.parametrize("field", sorted(PRIVILEGED))
def test_own_profile_is_made_without_privileges(field):
    client = client_of(make_user("carol"))
    answer = client.post("/api/profiles/", {field: PRIVILEGED[field]}, JSON)
    assert answer.status_code == 403
    assert field in answer.json()["detail"]
    assert not UserProfile.objects.exists()


def test_own_profile_is_made_without_a_role_and_for_nobody_else(ada, boss):
    client = client_of(make_user("carol"))
    other = make_user("dora")
    for field, value in (
        ("role_id", boss.profile.role_id),
        ("user", other.pk),
        ("user", 999999),
    ):
        answer = client.post("/api/profiles/", {field: value}, JSON)
        assert answer.status_code == 403
        assert field in answer.json()["detail"]
    assert UserProfile.objects.count() == 2


def test_profile_is_made_for_another_by_those_who_manage_users(as_boss, boss):
    user = make_user("carol")
    given = {**PRIVILEGED, "user": user.pk, "role_id": boss.profile.role_id}
    answer = as_boss.post("/api/profiles/", given, JSON)
    assert answer.status_code == 201, answer.content
    assert {name: answer.json()[name] for name in given} == given
    assert as_boss.post("/api/profiles/", given, JSON).status_code == 400
    unknown = as_boss.post("/api/profiles/", {"user": 999999}, JSON)
    assert (unknown.status_code, "does not exist" in unknown.json()["user"][0]) == (400, True)


@pytest.mark.parametrize("method", ["put", "patch"])
def test_user_writes_what_is_the_own(as_ada, ada, path, method):
    given = {"country": "Chad", "institution": "N'Djamena", "email_notifications": False}
    answer = getattr(as_ada, method)(path, given, JSON)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in given} == given
    assert answer.json()["role"] == "researcher"
    profile = UserProfile.objects.get(pk=ada.profile.pk)
    assert (profile.country, profile.email_notifications) == ("Chad", False)
    assert last_details() == {
        "user_id": ada.pk,
        "fields": ["country", "email_notifications", "institution"],
        "values": {},
    }


@pytest.mark.parametrize("field", sorted(PRIVILEGED))
@pytest.mark.parametrize("method", ["put", "patch"])
def test_user_grants_himself_nothing(as_ada, ada, path, method, field):
    before = as_ada.get(path).json()
    answer = getattr(as_ada, method)(path, {"country": "Chad", field: PRIVILEGED[field]}, JSON)
    assert answer.status_code == 403
    assert field in answer.json()["detail"]
    assert as_ada.get(path).json() == before
    assert audited() == []


@pytest.mark.parametrize("role", ["service_admin", "researcher", "viewer"])
def test_nobody_promotes_himself(boss, role):
    user = make_user("carol", role=role)
    own = f"/api/profiles/{user.profile.pk}/"
    for wanted in (boss.profile.role_id, None):
        answer = client_of(user).patch(own, {"role_id": wanted}, JSON)
        assert answer.status_code == 403
        assert "role_id" in answer.json()["detail"]
    assert UserProfile.objects.filter(user=user, role__name=role).exists()


def test_profile_is_not_given_to_another_user(as_ada, as_boss, ada, path):
    other = make_user("carol")
    assert as_ada.patch(path, {"user": other.pk}, JSON).status_code == 403
    answer = as_boss.patch(path, {"user": other.pk}, JSON)
    assert (answer.status_code, answer.json()["user"]) == (
        400,
        ["A profile stays with its user."],
    )
    assert UserProfile.objects.get(pk=ada.profile.pk).user_id == ada.pk


def test_profile_takes_back_what_was_read(as_ada, ada, path):
    UserProfile.objects.filter(pk=ada.profile.pk).update(
        verification_date="2026-03-01T12:00:00.123456Z", storage_used_gb="0.50"
    )
    read = as_ada.get(path).json()
    answer = as_ada.put(path, {**read, "country": "Chad"}, JSON)
    assert answer.status_code == 200
    assert {**answer.json(), "updated_at": 0} == {**read, "country": "Chad", "updated_at": 0}
    assert last_details()["fields"] == ["country"]


def test_role_and_quota_are_written_by_those_who_manage_users(as_boss, boss, ada, path):
    viewer = UserRole.objects.create(name="viewer")
    answer = as_boss.patch(path, {**PRIVILEGED, "role_id": viewer.pk}, JSON)
    assert answer.status_code == 200
    assert answer.json()["role"] == "viewer"
    assert {name: answer.json()[name] for name in PRIVILEGED} == PRIVILEGED
    values = last_details()["values"]
    assert values["role"] == ["researcher", "viewer"]
    assert values["monthly_job_limit"] == [10, 1000]
    assert values["storage_limit_gb"] == ["1.00", "99.00"]
    assert audited() == [("update_profile", boss.pk, str(ada.profile.pk))]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"role_id": 999999}, "role_id"),
        ({"monthly_job_limit": 2**31}, "monthly_job_limit"),
        ({"monthly_jobs_used": -1}, "monthly_jobs_used"),
        ({"storage_limit_gb": "123456789.00"}, "storage_limit_gb"),
        ({"country": "x" * 101}, "country"),
        ({"country": "a\x00b"}, "country"),
        ({"preferred_language": ""}, "preferred_language"),
        ({"verification_date": "yesterday"}, "verification_date"),
    ],
)
def test_profile_is_refused_by_field(as_boss, ada, path, given, field):
    answer = as_boss.patch(path, given, JSON)
    assert answer.status_code == 400
    assert answer.json()[field]


def test_quota_is_reset_and_user_verified(as_boss, boss, ada, path):
    UserProfile.objects.filter(pk=ada.profile.pk).update(monthly_jobs_used=7)
    reset = as_boss.post(f"{path}reset_quota/").json()
    assert (reset["message"], reset["profile"]["monthly_jobs_used"]) == ("Quota reset", 0)
    verified = as_boss.post(f"{path}verify_user/").json()
    assert verified["message"] == "User verified"
    assert verified["profile"]["is_verified"] is True
    assert verified["profile"]["verification_date"] is not None
    profile = UserProfile.objects.get(pk=ada.profile.pk)
    assert (profile.monthly_jobs_used, profile.is_verified) == (0, True)
    assert audited() == [
        ("reset_quota", boss.pk, str(profile.pk)),
        ("verify_user", boss.pk, str(profile.pk)),
    ]
    assert as_boss.post("/api/profiles/999999/verify_user/").status_code == 404


@pytest.mark.parametrize("action", ["reset_quota", "verify_user"])
def test_nobody_resets_or_verifies_himself(as_ada, ada, path, action):
    UserProfile.objects.filter(pk=ada.profile.pk).update(monthly_jobs_used=7)
    assert as_ada.post(f"{path}{action}/").status_code == 403
    profile = UserProfile.objects.get(pk=ada.profile.pk)
    assert (profile.monthly_jobs_used, profile.is_verified) == (7, False)


def test_user_does_not_shed_a_role_with_the_profile():
    user = make_user("carol", role="viewer")
    answer = client_of(user).delete(f"/api/profiles/{user.profile.pk}/")
    assert answer.status_code == 403
    assert UserProfile.objects.filter(user=user).exists()


def test_profile_is_deleted_by_those_who_manage_users(as_boss, boss, ada, path):
    profile_id = ada.profile.pk
    assert as_boss.delete(path).status_code == 204
    assert not UserProfile.objects.filter(pk=profile_id).exists()
    assert audited() == [("delete_profile", boss.pk, str(profile_id))]
    assert as_boss.delete(path).status_code == 404


def test_last_administrator_keeps_role_and_profile(as_boss, boss, ada):
    own = f"/api/profiles/{boss.profile.pk}/"
    assert as_boss.patch(own, {"role_id": ada.profile.role_id}, JSON).status_code == 409
    assert as_boss.delete(own).status_code == 409
    assert UserProfile.objects.filter(user=boss, role__name="admin").exists()
    assert audited() == []
    make_user("second", role="admin")
    assert as_boss.patch(own, {"role_id": ada.profile.role_id}, JSON).status_code == 200


def test_profile_of_a_superuser_is_out_of_reach_of_others(as_boss, as_root, root):
    profile = UserProfile.objects.create(user=root)
    target = f"/api/profiles/{profile.pk}/"
    answers = [
        as_boss.patch(target, {"country": "Chad"}, JSON),
        as_boss.post(f"{target}reset_quota/"),
        as_boss.post(f"{target}verify_user/"),
        as_boss.delete(target),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert as_root.patch(target, {"country": "Chad"}, JSON).status_code == 200


def test_no_profile_is_made_for_a_superuser_by_others(as_boss, root):
    assert as_boss.post("/api/profiles/", {"user": root.pk}, JSON).status_code == 403
    assert not UserProfile.objects.filter(user=root).exists()


def test_new_role_is_in_force_at_the_next_request(as_boss, as_ada, boss, path):
    assert as_ada.get("/api/users/").status_code == 403
    as_boss.patch(path, {"role_id": boss.profile.role_id}, JSON)
    assert as_ada.get("/api/users/").status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_profiles_are_closed_to_an_anonymous_caller(client, method):
    assert getattr(client, method)("/api/profiles/").status_code == 403
