"""The audit log as those read it who may."""

from datetime import timedelta

import pytest
from django.db import connection

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.models import AuditLog
from federated_imputation.monolith.accounts.operations import record_audit
from tests.factories import NOW, make_user

pytestmark = pytest.mark.django_db
LIST = "/api/audit-logs/"
ORIGIN = Origin(address="2001:db8::7", user_agent="curl/8")


@pytest.fixture
def reader(client):
    """An administrator, logged in."""
    user = make_user("grace", role="admin")
    client.force_login(user)
    return user


def record(action="login", *, now=NOW, user_id=None, origin=ORIGIN, **fields):
    return record_audit(action=action, user_id=user_id, origin=origin, now=now, **fields)


def actions(answer):
    assert answer.status_code == 200
    return [row["action"] for row in answer.json()["results"]]


def test_log_is_a_page_newest_first(client, reader):
    record("login", user_id=reader.pk, resource_type="user", details={"how": "password"})
    row = record("logout", now=NOW + timedelta(hours=1))
    answer = client.get(LIST)
    assert actions(answer) == ["logout", "login"]
    page = answer.json()
    assert (page["count"], page["next"], page["previous"]) == (2, None, None)
    assert page["results"][0] == {
        "id": row.pk,
        "user": None,
        "username": None,
        "action": "logout",
        "resource_type": "",
        "resource_id": "",
        "details": {},
        "ip_address": "2001:db8::7",
        "user_agent": "curl/8",
        "timestamp": "2026-03-01T13:00:00Z",
    }
    assert page["results"][1]["username"] == "grace"
    assert page["results"][1]["details"] == {"how": "password"}


def test_one_row_is_shown_and_an_unknown_one_is_not_there(client, reader):
    row = record()
    assert client.get(f"{LIST}{row.pk}/").json()["action"] == "login"
    assert client.get(f"{LIST}{row.pk + 1000}/").status_code == 404


def test_reading_is_audited(client, reader):
    row = record()
    client.get(f"{LIST}{row.pk}/", headers={"User-Agent": "curl/9"})
    client.get(f"{LIST}?action=login")
    reads = AuditLog.objects.filter(action="data_access", user=reader).order_by("id")
    assert [(read.resource_type, read.resource_id) for read in reads] == [
        ("audit_log", str(row.pk)),
        ("audit_log", ""),
    ]
    assert reads[0].user_agent == "curl/9"
    assert reads[1].details == {"query": {"action": "login"}}


@pytest.mark.parametrize("details", ["deleted by hand", ["a"], 7])
def test_details_of_earlier_days_need_not_be_objects(client, reader, details):
    AuditLog.objects.create(action="delete", details=details, timestamp=NOW)
    assert client.get(LIST).json()["results"][0]["details"] == details


def test_log_is_filtered_by_user_and_action(client, reader):
    other = make_user("ada")
    record("login", user_id=other.pk)
    record("logout", user_id=other.pk)
    record("login", user_id=reader.pk)
    assert actions(client.get(f"{LIST}?user_id={other.pk}")) == ["logout", "login"]
    assert actions(client.get(f"{LIST}?user_id={other.pk}&action=login")) == ["login"]
    assert actions(client.get(f"{LIST}?user_id={other.pk + 1000}")) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("start_date=2026-03-01", ["third", "second", "first"]),
        ("start_date=2026-03-02", ["third"]),
        ("end_date=2026-03-01", ["second", "first"]),
        ("end_date=2026-02-28", []),
        ("start_date=2026-03-01&end_date=2026-03-01", ["second", "first"]),
        ("start_date=2026-03-01T23:59:59.999999Z", ["third", "second"]),
        ("end_date=2026-03-01T23:59:59.999999Z", ["second", "first"]),
        ("end_date=2026-03-01T23:59:59.999998Z", ["first"]),
        ("end_date=2026-03-02T01:59:59.999999%2B02:00", ["second", "first"]),
        ("start_date=2026-03-02T00:00:00", ["third"]),
        ("start_date=&end_date=", ["third", "second", "first"]),
    ],
)
def test_log_is_filtered_by_days_and_moments_which_are_included(client, reader, query, expected):
    midnight = NOW.replace(hour=0, day=2)
    record("first", now=midnight - timedelta(days=1))
    record("second", now=midnight - timedelta(microseconds=1))
    record("third", now=midnight)
    assert actions(client.get(f"{LIST}?{query}&user_id=")) == expected


@pytest.mark.parametrize(
    "query",
    [
        *("start_date=yesterday", "end_date=2026-13-01", "end_date=9999-12-31"),
        *("start_date=0001-01-01T00:00:00%2B14:00", "user_id=ada", "user_id=99999999999999999999"),
    ],
)
def test_filters_that_say_nothing_are_refused(client, reader, query):
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 400
    assert set(answer.json()) >= {query.split("=")[0]}


@pytest.mark.parametrize("role", [None, "viewer", "researcher", "service_user", "service_admin"])
@pytest.mark.parametrize("path", [LIST, f"{LIST}1/"])
def test_log_is_closed_to_other_roles(client, role, path):
    client.force_login(make_user(role=role))
    assert client.get(path).status_code == 403


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nobody_writes_the_log_by_hand(client, reader, method):
    row = record()
    assert getattr(client, method)(f"{LIST}{row.pk}/").status_code == 405
    assert AuditLog.objects.filter(pk=row.pk).exists()


def test_no_row_is_lost_for_what_a_client_sends():
    row = record(
        user_id=None,
        origin=Origin(address="fe80::1%eth0", user_agent="\0" + "x" * 100_000),
        resource_id="\ud800" + "é" * 300,
        details={"username": "a\0b", "nested\0": ["\udfff", {"n": 1, "none": None}]},
    )
    row.refresh_from_db()
    assert row.user_agent == "?" + "x" * 499
    assert row.resource_id == "?" + "é" * 99
    assert row.ip_address == "fe80::1"
    assert row.details == {"username": "a?b", "nested?": ["?", {"n": 1, "none": None}]}
    connection.check_constraints()


@pytest.mark.parametrize("address", [None, "", "unix:", "999.1.1.1"])
def test_a_row_without_a_usable_address_is_kept(address):
    row = record(origin=Origin(address=address, user_agent=""))
    row.refresh_from_db()
    assert row.ip_address is None


def test_an_action_that_fits_no_row_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="a_word_that_is_too_long"):
        record("a_word_that_is_too_long")
