"""API tokens: for scripts, within scopes, shown once."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from federated_imputation.monolith.accounts.api_tokens import is_api_token, make_api_token
from federated_imputation.monolith.accounts.models import ApiToken, AuditLog, ServicePermission
from tests.factories import PASSWORD, make_job, make_panel, make_service, make_user
from tests.unit.monolith.accounts.login import CURRENT_USER, delete, get, log_in, opens, post

pytestmark = pytest.mark.django_db
PATH = "/api/auth/api-tokens/"


@pytest.fixture
def user():
    return make_user()


@pytest.fixture
def person(user):
    """An access token."""
    return log_in()["access_token"]


def make(person, **fields):
    body = {"name": "Nightly", "scopes": ["account:read", "jobs:read"], **fields}
    answer = post(PATH, body, token=person)
    assert answer.status_code == 201, answer.content
    assert answer["Cache-Control"] == "no-store"
    return answer.json()


def test_a_script_is_let_in_and_the_token_is_shown_once(user, person):
    made = make(person)
    assert made["token"].startswith(f"{made['prefix']}")
    assert opens(made["token"])
    listed = get(PATH, token=person).json()["results"]
    assert listed == [
        {name: made[name] for name in made if name not in {"token", "last_used_at"}}
        | {"last_used_at": listed[0]["last_used_at"]}
    ]
    assert listed[0]["last_used_at"] is not None
    row = ApiToken.objects.values().get()
    assert made["token"] not in str(row)


def test_it_lives_ninety_days_unless_told_otherwise(user, person):
    made = make(person), make(person, expires_in_days=1)
    days = [
        (row.expires_at - row.created_at).days
        for row in ApiToken.objects.filter(pk__in=[one["id"] for one in made]).order_by("id")
    ]
    assert days == [90, 1]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": ["jobs:read"] * 9}, "scopes"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"expires_in_days": 367}, "expires_in_days"),
    ],
)
def test_a_token_that_asks_for_too_much_is_refused(user, person, fields, wrong):
    body = {"name": "Nightly", "scopes": ["jobs:read"], **fields}
    answer = post(PATH, body, token=person)
    assert answer.status_code == 400
    assert wrong in answer.json()


def test_a_view_that_is_open_to_all_shows_no_more_to_a_script_without_its_scope(user, person):
    job = make_job(user, make_panel(make_service()))
    closed = make_service("Closed", is_active=False)
    ServicePermission.objects.create(user=user, service=closed, permission="view")
    jobs = make(person, scopes=["jobs:read"])["token"]
    registry = make(person, scopes=["registry:read"])["token"]
    for token, shown in ((person, 1), (jobs, 1), (registry, 0)):
        stats = get("/api/dashboard/stats/", token=token).json()
        assert (stats["job_stats"]["total"], len(stats["recent_jobs"])) == (shown, shown)
    assert stats["service_stats"] == {"available_services": 1, "accessible_services": 0}
    for token, name in ((person, "Closed"), (registry, "Closed"), (jobs, job.service.name)):
        listed = get("/api/services/?is_active=false", token=token).json()["results"]
        assert [service["name"] for service in listed] == [name]


def test_scopes_bound_what_a_script_may_do(user, person):
    reader = make(person, scopes=["jobs:read"])["token"]
    assert get("/api/jobs/", token=reader).status_code == 200
    assert post("/api/jobs/", token=reader).status_code == 403
    assert get(CURRENT_USER, token=reader).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (post, PATH),
        (get, PATH),
        (delete, f"{PATH}1/"),
        (post, "/api/auth/logout/"),
        (post, "/api/auth/change-password/"),
    ],
)
def test_a_script_may_touch_neither_logins_nor_tokens_nor_the_password(user, person, method, path):
    script = make(person)["token"]
    assert method(path, token=script).status_code == 403


def test_a_revoked_token_is_dead_and_gone_from_the_list(user, person):
    made = make(person)
    assert delete(f"{PATH}{made['id']}/", token=person).status_code == 204
    assert not opens(made["token"])
    assert get(PATH, token=person).json()["results"] == []
    assert delete(f"{PATH}{made['id']}/", token=person).status_code == 404


def test_a_token_that_has_ended_is_handed_in_without_effect(user, person):
    revoked, expired = make(person), make(person, expires_in_days=1)
    delete(f"{PATH}{revoked['id']}/", token=person)
    ends = list(ApiToken.objects.order_by("id").values_list("revoked_at", flat=True))
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        for made in (revoked, expired):
            answer = post("/api/auth/token/revoke/", {"token": made["token"]})
            assert answer.status_code == 200
    assert list(ApiToken.objects.order_by("id").values_list("revoked_at", flat=True)) == ends
    assert not AuditLog.objects.filter(action="revoke_token").exists()


def test_tokens_of_another_user_are_not_there(user, person):
    made = make(person)
    make_user("eve")
    eve = log_in(username="eve")["access_token"]
    assert get(PATH, token=eve).json()["results"] == []
    assert delete(f"{PATH}{made['id']}/", token=eve).status_code == 404
    assert opens(made["token"])


def test_a_token_dies_on_its_day(user, person):
    token = make(person, expires_in_days=2)["token"]
    with time_machine.travel(timezone.now() + timedelta(days=2, seconds=1)):
        assert not opens(token)
        assert get(PATH, token=log_in()["access_token"]).json()["results"] == []


def test_a_token_dies_with_the_password_and_stays_dead_with_the_next(user, person):
    token = make(person)["token"]
    stored = User.objects.get().password
    user.set_password("another horse")
    user.save()
    assert not opens(token)
    assert stored != User.objects.get().password
    after = log_in(password="another horse")["access_token"]
    assert get(PATH, token=after).json()["results"] == []


def upgrade_hashes(settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    settings.PASSWORD_UPGRADE = True


def test_a_token_outlives_a_new_hash_of_the_same_password(user, person, settings):
    token = make(person)["token"]
    upgrade_hashes(settings)
    stored = User.objects.get().password
    log_in()
    assert User.objects.get().password != stored
    assert opens(token)
    assert not opens(person)


def test_a_token_of_an_earlier_password_stays_dead_with_a_new_hash(user, person, settings):
    token = make(person)["token"]
    user.set_password("another horse")
    user.save()
    upgrade_hashes(settings)
    log_in(password="another horse")
    assert User.objects.get().password != user.password
    assert not opens(token)


def test_a_token_dies_with_deactivation_by_hand(user, person):
    token = make(person)["token"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE auth_user SET is_active = false")
    assert not opens(token)


def test_a_token_survives_logout_everywhere(user, person):
    token = make(person)["token"]
    assert post("/api/auth/logout/", {"everywhere": True}, token=person).status_code == 200
    assert opens(token)


def test_fifty_tokens_are_the_most_and_a_dead_one_makes_room(user, person):
    first = make(person)
    row = ApiToken.objects.get()
    for number in range(49):
        row.pk, row.sha256 = None, f"{number:064}"
        row.save()
    body = {"name": "One more", "scopes": ["jobs:read"]}
    answer = post(PATH, body, token=person)
    assert answer.status_code == 409
    assert "50" in answer.json()["detail"]
    assert delete(f"{PATH}{first['id']}/", token=person).status_code == 204
    assert post(PATH, body, token=person).status_code == 201


def test_use_is_noted_at_most_once_a_minute(user, person):
    token = make(person)["token"]
    start = timezone.now().replace(microsecond=0)
    for seconds, noted in ((0, 0), (59, 0), (60, 60)):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            assert opens(token)
        assert ApiToken.objects.get().last_used_at == start + timedelta(seconds=noted)


def test_making_and_revoking_are_audited_without_the_token(user, person):
    made = make(person)
    delete(f"{PATH}{made['id']}/", token=person)
    rows = AuditLog.objects.filter(resource_type="api_token").order_by("id")
    assert [(row.action, row.user_id, row.resource_id) for row in rows] == [
        ("create_api_token", user.pk, str(made["id"])),
        ("revoke_api_token", user.pk, str(made["id"])),
    ]
    assert rows[0].details["scopes"] == ["account:read", "jobs:read"]
    assert made["token"] not in str(list(rows.values()))


def test_a_session_can_make_tokens_but_not_from_the_page_of_another_site(user):
    client = Client()
    log_in(client, password=PASSWORD)
    body = {"name": "Nightly", "scopes": ["jobs:read"]}
    assert post(PATH, body, client=client).status_code == 201
    answer = post(PATH, body, client=client, Origin="https://elsewhere.example.org")
    assert answer.status_code == 403


def test_every_token_is_new_and_has_prefix_and_checksum():
    token, other = make_api_token(), make_api_token()
    assert token != other
    assert is_api_token(token)
    assert token.startswith("fip_")


@pytest.mark.parametrize("place", [0, 4, 30, 52])
def test_a_mistyped_token_is_none(place):
    token = make_api_token()
    changed = "a" if token[place] != "a" else "b"
    assert not is_api_token(token[:place] + changed + token[place + 1 :])


@pytest.mark.parametrize("text", ["", "fip_", "fip_short", "fip_" + "é" * 49, "a.b.c"])
def test_another_text_is_no_token(text):
    assert not is_api_token(text)


def test_the_checksum_is_that_of_any_other_program():
    """`python3 -c 'import zlib; print(zlib.crc32(b"0" * 43))'`, written in base 62."""
    assert is_api_token("fip_" + 43 * "0" + "2CZclj")
