"""Who may use a service, and how much: read by everybody for oneself, written by those who may."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    ServicePermission,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.queries import reveal_credential
from tests.factories import NOW, make_service, make_user
from tests.unit.monolith.accounts.people import JSON, audited, client_of, last_details

pytestmark = pytest.mark.django_db
LIST = "/api/user-access/"
KEY = "a-users-own-token"


@pytest.fixture
def here():
    return make_service("Here")


@pytest.fixture
def elsewhere():
    return make_service("Elsewhere")


@pytest.fixture
def keeper(here):
    """Administers one service, and nothing else."""
    user = make_user("keeper", role="viewer")
    ServicePermission.objects.create(user=user, service=here, permission="admin")
    return user


@pytest.fixture
def row(ada, here):
    return UserServiceAccess.objects.create(user=ada, service=here, quota_limit=5, quota_used=2)


def one(row):
    return f"{LIST}{row.pk}/"


def token_of(user, service):
    return reveal_credential(service_id=service.pk, user_id=user.pk, now=NOW)


def test_access_is_given_with_a_limit_and_a_key_that_nobody_reads(as_boss, boss, ada, here):
    given = {"user": ada.pk, "service": here.pk, "quota_limit": 5, "api_key": KEY}

    answer = as_boss.post(LIST, given, JSON)

    assert answer.status_code == 201
    assert KEY not in answer.content.decode()
    made = answer.json()
    told = ("username", "service_name", "has_access", "quota_limit", "quota_used", "last_used")
    assert [made[name] for name in told] == ["ada", "Here", True, 5, 0, None]
    assert UserServiceAccess.objects.get().api_key == ""
    assert token_of(ada, here) == KEY
    assert KEY not in ServiceCredential.objects.get().encrypted
    assert audited() == [("grant_access", boss.pk, str(made["id"]))]
    details = last_details()
    assert (details["user_id"], details["api_key"]) == (ada.pk, "stored")
    assert KEY not in str(details)


def test_access_is_changed_and_what_is_not_named_stays(as_boss, boss, ada, here, row):
    answer = as_boss.patch(one(row), {"quota_limit": None}, JSON)

    assert answer.status_code == 200
    assert (answer.json()["quota_limit"], answer.json()["quota_used"]) == (None, 2)
    assert last_details()["values"] == {"quota_limit": [5, None]}
    assert as_boss.patch(one(row), {"has_access": False}, JSON).json()["has_access"] is False
    assert [action for action, *_ in audited()] == ["change_access"] * 2
    assert token_of(ada, here) is None


def test_key_is_replaced_and_forgotten(as_boss, ada, here, row):
    as_boss.patch(one(row), {"api_key": "an earlier one"}, JSON)
    UserServiceAccess.objects.update(api_key="of the legacy system")
    as_boss.patch(one(row), {"api_key": KEY}, JSON)
    assert token_of(ada, here) == KEY
    assert UserServiceAccess.objects.get().api_key == ""

    as_boss.patch(one(row), {"api_key": ""}, JSON)

    assert token_of(ada, here) is None
    assert last_details()["api_key"] == "deleted"


def test_row_goes_with_its_key_and_with_its_bar(as_boss, ada, here, row):
    as_boss.patch(one(row), {"api_key": KEY, "has_access": False}, JSON)

    assert as_boss.delete(one(row)).status_code == 204

    assert not UserServiceAccess.objects.exists()
    assert token_of(ada, here) is None
    assert audited()[-1][0] == "revoke_access"
    assert as_boss.delete(one(row)).status_code == 404


def test_bar_is_in_force_at_the_next_submission(as_boss, ada, as_ada, here, row):
    as_boss.patch(one(row), {"has_access": False}, JSON)
    form = {"name": "Study", "service": here.pk, "reference_panel": 1}
    answer = as_ada.post("/api/jobs/", {**form, "genotype_file": "0" * 32})
    assert answer.status_code == 403
    assert "switched off" in answer.json()["detail"]


def test_administrator_of_a_service_writes_there_and_nowhere_else(
    keeper, ada, here, elsewhere, row
):
    foreign = UserServiceAccess.objects.create(user=ada, service=elsewhere)
    client = client_of(keeper)

    shown = client.get(LIST, {"managed": "true"}).json()["results"]

    assert [each["id"] for each in shown] == [row.pk]
    assert AuditLog.objects.get().details == {"ids": [str(row.pk)]}
    assert client.get(one(row)).status_code == 200
    assert client.patch(one(row), {"quota_limit": 9}, JSON).status_code == 200
    assert client.get(one(foreign)).status_code == 404
    assert client.patch(one(foreign), {"quota_limit": 9}, JSON).status_code == 404
    assert client.delete(one(foreign)).status_code == 404
    given = {"user": keeper.pk, "service": elsewhere.pk}
    assert client.post(LIST, given, JSON).status_code == 403
    assert client.post(LIST, {**given, "service": here.pk}, JSON).status_code == 201


def test_nobody_raises_the_own_limit(as_ada, ada, here, elsewhere, row):
    assert as_ada.get(one(row)).json()["quota_limit"] == 5
    assert as_ada.patch(one(row), {"quota_limit": None}, JSON).status_code == 403
    assert as_ada.delete(one(row)).status_code == 403
    given = {"user": ada.pk, "service": elsewhere.pk}
    assert as_ada.post(LIST, given, JSON).status_code == 403
    row.refresh_from_db()
    assert row.quota_limit == 5
    assert audited() == []


def test_lists_are_ones_own_or_those_that_one_may_write(as_boss, boss, ada, here, elsewhere, row):
    own = UserServiceAccess.objects.create(user=boss, service=elsewhere)
    other = UserServiceAccess.objects.create(user=ada, service=elsewhere)

    def ids(**query):
        return [each["id"] for each in as_boss.get(LIST, query).json()["results"]]

    assert ids() == [own.pk]
    assert ids(managed="true") == [row.pk, own.pk, other.pk]
    assert ids(managed="true", user=ada.pk) == [row.pk, other.pk]
    assert ids(managed="true", service=here.pk) == [row.pk]
    assert ids(service=here.pk) == []
    assert as_boss.get(LIST, {"service": "x"}).status_code == 400


def test_list_costs_the_same_however_long_it_is(as_boss, boss, ada, here, elsewhere):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            as_boss.get(LIST, {"managed": "true"})
        return len(captured)

    UserServiceAccess.objects.create(user=ada, service=here)
    few = queries()
    UserServiceAccess.objects.create(user=boss, service=here)
    UserServiceAccess.objects.create(user=make_user("carol"), service=elsewhere)
    assert queries() == few


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"user": None}, "user"),
        ({"user": 999_999}, "user"),
        ({"service": 999_999}, "service"),
        ({"service": "x"}, "service"),
        ({"quota_limit": -1}, "quota_limit"),
        ({"quota_limit": 2**31}, "quota_limit"),
        ({"has_access": "maybe"}, "has_access"),
        ({"api_key": "x" * 8193}, "api_key"),
    ],
)
def test_row_that_does_not_fit_is_refused_by_field(as_boss, ada, here, given, field):
    answer = as_boss.post(LIST, {"user": ada.pk, "service": here.pk, **given}, JSON)
    assert answer.status_code == 400
    assert answer.json()[field]
    assert not UserServiceAccess.objects.exists()


def test_user_has_one_row_at_a_service_and_it_stays_theirs(as_boss, boss, ada, here, row):
    again = as_boss.post(LIST, {"user": ada.pk, "service": here.pk}, JSON)
    assert again.status_code == 400
    assert again.json()["user"] == ["This user has a row of access to this service already."]
    moved = as_boss.patch(one(row), {"user": boss.pk}, JSON)
    assert moved.json()["user"] == ["A row of access stays with its user."]
    elsewhere = make_service("Far")
    assert "service" in as_boss.patch(one(row), {"service": elsewhere.pk}, JSON).json()
    same = as_boss.patch(one(row), {"user": ada.pk, "service": here.pk}, JSON)
    assert same.status_code == 200


def test_count_that_grew_meanwhile_is_kept(as_boss, row):
    UserServiceAccess.objects.update(quota_used=3)
    as_boss.patch(one(row), {"quota_limit": 7}, JSON)
    row.refresh_from_db()
    assert (row.quota_limit, row.quota_used) == (7, 3)
