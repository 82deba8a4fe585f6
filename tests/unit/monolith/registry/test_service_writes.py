"""Making, changing and deleting services: who may, what is refused, what stays."""

import json
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.test import Client

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    ServicePermission,
)
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.accounts.queries import reveal_credential
from federated_imputation.monolith.deletions.models import Deletion
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel
from federated_imputation.monolith.sagas import deletion
from federated_imputation.monolith.seeds.rows import SERVICES
from tests.factories import NOW, make_job, make_panel, make_service, make_user

pytestmark = pytest.mark.django_db
SECRET = "s3cr3t-value"
NEW = {
    "name": "AFR node",
    "service_type": "h3africa",
    "api_type": "michigan",
    "api_url": "https://imputation.example.org",
}


@pytest.fixture
def boss(client):
    user = make_user("boss", role="admin")
    client.force_login(user)
    return user


@pytest.fixture
def service():
    return make_service()


@pytest.fixture
def warden(service):
    """A viewer with the right `admin` at the service, logged in elsewhere."""
    user = make_user("warden", role="viewer")
    ServicePermission.objects.create(user=user, service=service, permission="admin")
    client = Client()
    client.force_login(user)
    return client


def send(client, method, path, body=None):
    return getattr(client, method)(f"/api/services/{path}", body, content_type="application/json")


def details(answer):
    assert answer.status_code == 400, answer.content
    return answer.json()["details"]


class TestMaking:
    def test_service_is_made_with_its_defaults(self, client, boss):
        answer = send(client, "post", "", NEW)

        assert answer.status_code == 201
        assert set(answer.json()) == {"message", "service"}
        made = answer.json()["service"]
        assert made == client.get(f"/api/services/{made['id']}/").json()
        assert {name: made[name] for name in NEW} == NEW
        assert (made["is_active"], made["max_file_size_mb"], made["api_config"]) == (True, 100, {})
        row = AuditLog.objects.get(action="create_service")
        assert (row.user_id, row.resource_id) == (boss.pk, str(made["id"]))

    @pytest.mark.parametrize("seed", SERVICES, ids=lambda seed: seed["name"])
    def test_each_service_of_the_seed_data_can_be_made(self, client, boss, seed):
        given = {name: value for name, value in seed.items() if name != "id"}
        answer = send(client, "post", "", given)
        assert answer.status_code == 201, answer.content
        made = answer.json()["service"]
        assert {name: made[name] for name in given} == given

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("name", "AB", "at least 3 characters"),
            ("name", "   A   ", "at least 3 characters"),
            ("name", "A" * 101, "no more than 100"),
            ("service_type", "other", "not a valid choice"),
            ("api_type", "custom", "not a valid choice"),
            ("api_type", "dnastack", "speaks ga4gh or michigan, not dnastack"),
            ("api_url", "imputation.example.org", "valid URL"),
            ("api_url", "javascript:alert(1)", "valid URL"),
            ("api_url", "ftp://imputation.example.org", "Only http and https"),
            ("api_url", "https://ada:pw@imputation.example.org", "user name or password"),
            ("api_url", "http://127.0.0.1:9/", "not a public address"),
            ("api_url", "http://localhost:9/", "not a public address"),
            ("api_url", "http://169.254.169.254/latest/", "not a public address"),
            ("api_url", "http://[::ffff:10.0.0.1]/", "not a public address"),
            ("api_url", "https://imputation.example.org/" + "a" * 170, "no more than 200"),
            ("max_file_size_mb", 0, "greater than or equal to 1"),
            ("max_file_size_mb", 10_001, "less than or equal to 10000"),
            ("max_file_size_mb", "100", "valid integer"),
            ("supported_formats", "vcf", "Expected a list"),
            ("api_config", ["application"], "must be an object"),
            ("api_config", {"a": [{"Authorization": SECRET}]}, "send the token"),
            ("api_config", {"url": f"https://ada:{SECRET}@x.org"}, "send the token"),
        ],
    )
    def test_unfit_value_is_refused_by_field(self, client, boss, field, value, words):
        told = details(send(client, "post", "", {**NEW, field: value}))
        assert list(told) == [field]
        assert words in told[field][0]
        assert SECRET not in json.dumps(told)
        assert not ImputationService.objects.exists()

    def test_unknown_format_is_refused_by_its_place(self, client, boss):
        told = details(send(client, "post", "", {**NEW, "supported_formats": ["vcf", "exe"]}))
        assert told == {"supported_formats.1": ['"exe" is not a valid choice.']}

    def test_needed_fields_are_named(self, client, boss):
        assert set(details(send(client, "post", "", {}))) == set(NEW)

    def test_name_is_taken_once(self, client, boss, service):
        told = details(send(client, "post", "", {**NEW, "name": service.name}))
        assert told == {"name": ["A service with this name already exists."]}

    def test_two_at_once_make_one(self, transactional_db, client):
        client.force_login(make_user("boss", role="admin"))
        cookies, together, answers = client.cookies, Barrier(2), []

        def make():
            try:
                each = Client()
                each.cookies = cookies
                together.wait(30)
                answers.append(send(each, "post", "", NEW).status_code)
            finally:
                connection.close()

        threads = [Thread(target=make) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(answers) == [201, 400]
        assert ImputationService.objects.count() == 1

    def test_token_is_kept_encrypted_and_never_shown(self, client, boss):
        answer = send(client, "post", "", {**NEW, "api_key": SECRET})
        made = ImputationService.objects.get()
        assert SECRET not in answer.content.decode()
        assert reveal_credential(service_id=made.pk, now=NOW) == SECRET
        assert made.api_key == ""
        row = AuditLog.objects.get(action="create_service")
        assert "api_key" in row.details["fields"]
        assert SECRET not in json.dumps(row.details)

    @pytest.mark.parametrize("role", ["service_admin", "researcher", "viewer"])
    def test_others_make_none(self, client, role):
        client.force_login(make_user(role, role=role))
        assert send(client, "post", "", NEW).status_code == 403
        assert not ImputationService.objects.exists()


class TestChanging:
    def test_left_out_fields_stay(self, client, boss, service):
        answer = send(client, "patch", f"{service.pk}/", {"location": "Bamako"})
        assert answer.status_code == 200
        assert set(answer.json()) == {"message", "service"}
        changed = ImputationService.objects.get()
        assert (changed.location, changed.supported_formats) == ("Bamako", ["vcf.gz"])
        assert AuditLog.objects.get(action="update_service").details["fields"] == ["location"]

    def test_put_needs_what_making_needs(self, client, boss, service):
        assert set(details(send(client, "put", f"{service.pk}/", {"location": "x"}))) == set(NEW)
        assert send(client, "put", f"{service.pk}/", NEW).status_code == 200

    def test_service_that_was_read_is_taken_back(self, client, boss):
        service = make_service(
            api_url=f"https://ada:{SECRET}@imputation.example.org",
            api_config={"application": "x", "token": SECRET, "list": [{"key": SECRET, "n": 1}]},
        )
        before = ImputationService.objects.filter(pk=service.pk).values().get()
        read = client.get(f"/api/services/{service.pk}/").json()
        assert send(client, "put", f"{service.pk}/", read).status_code == 200
        after = ImputationService.objects.filter(pk=service.pk).values().get()
        assert {**after, "updated_at": 0} == {**before, "updated_at": 0}

    def test_settings_that_are_not_shown_stay_beside_those_that_change(self, client, boss):
        service = make_service(api_config={"token": SECRET, "offers": {"version": "1"}, "n": 1})
        given = {"api_config": {"n": 2, "offers": {"version": "9"}}}
        assert send(client, "patch", f"{service.pk}/", given).status_code == 200
        service.refresh_from_db()
        assert service.api_config == {"token": SECRET, "offers": {"version": "1"}, "n": 2}
        given = {"api_config": {"token": None}}
        assert send(client, "patch", f"{service.pk}/", given).status_code == 200
        service.refresh_from_db()
        assert service.api_config == {"offers": {"version": "1"}}

    def test_other_address_takes_no_secret_along(self, client, boss, service):
        kind = ServiceCredential.Kind.API_TOKEN
        store_credential(service_id=service.pk, kind=kind, secret="old", now=NOW)
        given = {"api_url": "https://other.example.org"}
        assert send(client, "patch", f"{service.pk}/", given).status_code == 200
        assert reveal_credential(service_id=service.pk, now=NOW) is None
        given = {"api_url": "https://third.example.org", "api_key": SECRET}
        assert send(client, "patch", f"{service.pk}/", given).status_code == 200
        assert reveal_credential(service_id=service.pk, now=NOW) == SECRET
        assert AuditLog.objects.filter(action="change_address").count() == 2

    def test_empty_token_forgets_it(self, client, boss, service):
        for given, kept in ((SECRET, SECRET), ("", None)):
            assert send(client, "patch", f"{service.pk}/", {"api_key": given}).status_code == 200
            assert reveal_credential(service_id=service.pk, now=NOW) == kept

    def test_type_is_held_against_the_one_that_stays(self, client, boss, service):
        told = details(send(client, "patch", f"{service.pk}/", {"service_type": "dnastack"}))
        assert list(told) == ["api_type"]
        both = {"service_type": "dnastack", "api_type": "ga4gh"}
        assert send(client, "patch", f"{service.pk}/", both).status_code == 200

    def test_old_pair_stays_while_something_else_changes(self, client, boss):
        odd = make_service(service_type="michigan", api_type="dnastack")
        assert send(client, "patch", f"{odd.pk}/", {"description": "x"}).status_code == 200

    def test_two_people_change_two_fields(self, transactional_db, client):
        service = make_service()
        client.force_login(make_user("boss", role="admin"))
        cookies, together, answers = client.cookies, Barrier(2), []

        def change(given):
            try:
                each = Client()
                each.cookies = cookies
                together.wait(30)
                answers.append(send(each, "patch", f"{service.pk}/", given).status_code)
            finally:
                connection.close()

        changes = ({"location": "Bamako"}, {"continent": "Africa"})
        threads = [Thread(target=change, args=(given,)) for given in changes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        service.refresh_from_db()
        assert answers == [200, 200]
        assert (service.location, service.continent) == ("Bamako", "Africa")

    def test_right_at_the_service_changes_what_is_its_own(self, warden, service):
        given = {"description": "Ours", "is_active": False, "api_key": SECRET}
        assert send(warden, "patch", f"{service.pk}/", given).status_code == 200
        service.refresh_from_db()
        assert (service.description, service.is_active) == ("Ours", False)
        other = make_service("EUR node")
        assert send(warden, "patch", f"{other.pk}/", given).status_code == 403

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("api_url", "https://evil.example.org"),
            ("api_type", "ga4gh"),
            ("service_type", "h3africa"),
            ("api_config", {"application": "other"}),
        ],
    )
    def test_right_at_the_service_does_not_say_where_jobs_go(self, warden, service, field, value):
        given = {field: value, "description": "Ours"}
        answer = send(warden, "patch", f"{service.pk}/", given)
        assert answer.status_code == 403
        assert field in answer.json()["detail"]
        assert ImputationService.objects.get(pk=service.pk).description == ""
        read = warden.get(f"/api/services/{service.pk}/").json()
        assert send(warden, "put", f"{service.pk}/", read).status_code == 200

    def test_unknown_service_is_not_found(self, client, boss):
        assert send(client, "patch", "4711/", {"location": "x"}).status_code == 404
        assert send(client, "delete", "4711/").status_code == 404


class TestDeleting:
    def test_service_is_switched_off_and_on_again(self, client, boss, service):
        answer = send(client, "delete", f"{service.pk}/")
        assert answer.status_code == 200
        assert answer.json()["service"]["is_active"] is False
        assert client.get("/api/services/").json()["count"] == 0
        assert send(client, "patch", f"{service.pk}/", {"is_active": True}).status_code == 200
        assert client.get("/api/services/").json()["count"] == 1

    def test_forced_delete_takes_all_that_belongs_to_it(self, client, boss, service):
        panel = make_panel(service)
        make_job(boss, panel, status="completed")
        kept = make_job(boss, make_panel(make_service("EUR node")), status="running")
        store_credential(
            service_id=service.pk, kind=ServiceCredential.Kind.API_TOKEN, secret="t", now=NOW
        )
        answer = send(client, "delete", f"{service.pk}/?force=true")
        assert (answer.status_code, answer.content) == (204, b"")
        assert client.get(f"/api/services/{service.pk}/").status_code == 404
        assert deletion.advance(Deletion.objects.get().pk)
        assert not ImputationService.objects.filter(pk=service.pk).exists()
        assert not ReferencePanel.objects.filter(pk=panel.pk).exists()
        assert not ServiceCredential.objects.exists()
        assert list(ImputationJob.objects.all()) == [kept]
        row = AuditLog.objects.get(action="delete_service")
        assert row.details == {"name": "AFR node", "jobs": 1, "panels": 1}

    @pytest.mark.parametrize("status", ["pending", "queued", "running"])
    @pytest.mark.parametrize("query", ["", "?force=true"])
    def test_service_with_jobs_under_way_stays(self, client, boss, service, status, query):
        make_job(boss, make_panel(service), status=status)
        answer = send(client, "delete", f"{service.pk}/{query}")
        assert answer.status_code == 400
        assert answer.json()["error"] == "AFR node has 1 jobs that are not over."
        assert ImputationService.objects.get(pk=service.pk).is_active

    def test_nonsense_is_no_force(self, client, boss, service):
        assert list(details(send(client, "delete", f"{service.pk}/?force=perhaps"))) == ["force"]

    def test_right_at_the_service_deletes_nothing(self, warden, service):
        for query in ("", "?force=true"):
            assert send(warden, "delete", f"{service.pk}/{query}").status_code == 403


class TestBulk:
    def test_good_items_are_made_beside_bad_ones(self, client, boss, service):
        items = [NEW, {**NEW, "name": "EUR node"}, {**NEW, "name": "x"}]
        answer = send(client, "post", "bulk_create/", {"services": items})
        assert answer.status_code == 201
        body = answer.json()
        assert [made["name"] for made in body["created"]] == ["EUR node"]
        assert (body["created_count"], body["error_count"]) == (1, 2)
        assert [(error["index"], list(error["errors"])) for error in body["errors"]] == [
            (0, ["name"]),
            (2, ["name"]),
        ]

    def test_updates_tell_which_service_is_wrong(self, client, boss, service):
        updates = [
            {"id": service.pk, "data": {"location": "Bamako"}},
            {"id": 4711, "data": {"location": "Bamako"}},
            {"id": service.pk, "data": {"max_file_size_mb": 0}},
            {"data": {}},
        ]
        answer = send(client, "patch", "bulk_update/", {"updates": updates})
        assert answer.status_code == 200
        body = answer.json()
        assert [changed["location"] for changed in body["updated"]] == ["Bamako"]
        assert (body["updated_count"], body["error_count"]) == (1, 3)
        assert [(error["id"], list(error["errors"])) for error in body["errors"]] == [
            (4711, ["id"]),
            (service.pk, ["max_file_size_mb"]),
            (None, ["id"]),
        ]

    def test_deletes_tell_what_was_deleted_and_what_stays(self, client, boss, service):
        busy = make_panel(make_service("Busy"))
        make_job(boss, busy, status="running")
        ids = [service.pk, busy.service_id, 4711, service.pk]
        answer = send(client, "delete", "bulk_delete/", {"service_ids": ids})
        assert answer.status_code == 200
        body = answer.json()
        assert (body["deleted"], body["deactivated"]) == ([], [service.pk])
        assert [error["id"] for error in body["errors"]] == [busy.service_id, 4711]
        given = {"service_ids": [service.pk], "force_delete": True}
        body = send(client, "delete", "bulk_delete/", given).json()
        assert (body["deleted"], body["deleted_count"]) == ([service.pk], 1)
        assert deletion.advance(Deletion.objects.get().pk)
        assert not ImputationService.objects.filter(pk=service.pk).exists()

    def test_request_of_which_nothing_can_be_done_is_refused(self, client, boss):
        told = details(send(client, "delete", "bulk_delete/", {"service_ids": [4711]}))
        assert told == {"service_ids.0.id": ["There is no such service."]}

    @pytest.mark.parametrize(
        ("method", "path", "field", "item"),
        [
            ("post", "bulk_create/", "services", NEW),
            ("patch", "bulk_update/", "updates", {"id": 1, "data": {}}),
            ("delete", "bulk_delete/", "service_ids", 1),
        ],
    )
    def test_bulk_is_bounded_and_for_managers(self, client, method, path, field, item):
        for role, status in (("service_admin", 403), ("admin", 400)):
            client.force_login(make_user(role, role=role))
            for items in ([], [item] * 101, None):
                answer = send(client, method, path, {field: items})
                assert answer.status_code == status
                if status == 400:
                    assert list(answer.json()["details"]) == [field]
        assert not ImputationService.objects.exists()
