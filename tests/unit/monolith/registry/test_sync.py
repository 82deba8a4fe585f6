"""Wanting a synchronisation, its turn, and what is told of it."""

import json
from datetime import timedelta
from threading import Event, Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from apps.federation.protocol import Discovery, OfferedPanel, Unreachable
from federated_imputation.monolith.accounts.models import AuditLog, ServiceCredential
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.registry.models import (
    ImputationService,
    ReferencePanel,
    ServiceSync,
)
from federated_imputation.monolith.registry.operations import (
    SyncUnderWay,
    claim_due_syncs,
    request_sync,
    run_due_sync,
    sync_panels,
)
from tests.factories import NOW, make_panel, make_service, make_user
from tests.michigan_server import MichiganServer

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
LOOPBACK = "http://127.0.0.1:8031"
AFR = OfferedPanel(key="apps@kit-afr@1.0.0", name="Kit AFR", populations=("afr",))


class Offers:
    """A service that answers discovery with what the test says, and counts how often."""

    def __init__(self, *panels, error=None):
        self.panels, self.error, self.asked = panels, error, 0

    def discover(self):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Discovery(
            application="imputationserver2",
            version="2.1.0",
            panels=self.panels,
            phasings=(),
            builds=(),
            modes=(),
        )


class Waits(Offers):
    """One that answers when the test lets it."""

    def __init__(self, *panels):
        super().__init__(*panels)
        self.is_asked, self.may_answer = Event(), Event()

    def discover(self):
        self.is_asked.set()
        assert self.may_answer.wait(60)
        return super().discover()


@pytest.fixture
def service():
    return make_service(api_url=LOOPBACK)


@pytest.fixture
def user(client):
    user = make_user(role="researcher")
    client.force_login(user)
    return user


def run(service, client, *, at=NOW):
    run_due_sync(service.pk, clock=lambda: at, jitter=lambda: 0, client=client)


def status(client, service):
    return client.get(f"/api/services/{service.pk}/sync_status/").json()


def ask(client, service):
    return client.post(f"/api/services/{service.pk}/sync_reference_panels/")


def due(*, at=NOW):
    return [service_id for service_id, _ in claim_due_syncs(now=at, jitter=lambda: 0)]


def test_wish_is_done_and_told(client, user, service):
    assert status(client, service)["state"] == "never"
    answer = ask(client, service)
    assert answer.status_code == 202
    assert set(answer.json()) == {"message", "task_id"}
    assert status(client, service)["state"] == "waiting"
    row = ServiceSync.objects.get()
    assert answer.json()["task_id"] == str(row.task_id)

    run(service, Offers(AFR), at=row.wanted_at)

    told = status(client, service)
    assert {name: told[name] for name in ("service", "state", "message")} == {
        "service": service.pk,
        "state": "done",
        "message": "",
    }
    assert (told["added"], told["changed"], told["withdrawn"]) == (1, 0, 0)
    assert ReferencePanel.objects.get().panel_id == AFR.key
    assert AuditLog.objects.get(action="request_sync").user_id == user.pk
    assert AuditLog.objects.get(action="sync_panels").details["added"] == [AFR.key]


def test_wishes_before_it_begins_are_one(client, user, service):
    tasks = {ask(client, service).json()["task_id"] for _ in range(2)}
    assert len(tasks) == 1
    offers, at = Offers(AFR), ServiceSync.objects.get().wanted_at
    run(service, offers, at=at)
    run(service, offers, at=at)
    assert offers.asked == 1


def test_wish_is_kept_when_it_came_while_the_service_was_asked(service):
    request_sync(service_id=service.pk, user_id=None, origin=None, now=NOW)

    class AsksAgain(Offers):
        def discover(self):
            request_sync(
                service_id=service.pk, user_id=None, origin=None, now=NOW + timedelta(seconds=1)
            )
            return super().discover()

    run(service, AsksAgain(AFR))
    again = Offers(AFR)
    run(service, again, at=NOW + timedelta(seconds=2))
    assert again.asked == 1


@pytest.mark.parametrize(
    ("client_of_service", "words"),
    [
        (Offers(error=Unreachable("No connection.")), "No connection."),
        (Offers(), "AFR node names no panel at all, so none was changed."),
    ],
    ids=["silent", "empty"],
)
def test_answer_that_cannot_be_used_changes_nothing_and_is_told(
    client, user, service, client_of_service, words
):
    panel = make_panel(service)
    ask(client, service)
    run(service, client_of_service, at=ServiceSync.objects.get().wanted_at)
    told = status(client, service)
    assert (told["state"], told["message"]) == ("failed", words)
    panel.refresh_from_db()
    assert panel.is_active
    assert AuditLog.objects.get(action="sync_panels").details == {
        "outcome": "failed",
        "message": words,
    }


def test_two_at_once_ask_the_service_once(transactional_db):
    service = make_service()
    slow, failures = Waits(AFR), []

    def first():
        try:
            sync_panels(service_id=service.pk, client=slow)
        except Exception as error:
            failures.append(error)
            raise
        finally:
            connection.close()

    thread = Thread(target=first)
    thread.start()
    try:
        assert slow.is_asked.wait(60)
        other = Offers(AFR)
        with pytest.raises(SyncUnderWay):
            sync_panels(service_id=service.pk, client=other)
        assert other.asked == 0
    finally:
        slow.may_answer.set()
        thread.join(60)
    assert failures == []
    assert ReferencePanel.objects.count() == 1


def test_services_are_synchronised_each_day_after_a_spread_start(service, settings):
    settings.BACKGROUND_CHECKS = True
    elsewhere = make_service("Elsewhere")
    make_service("Off", is_active=False)
    make_service("Silent API", api_type="ga4gh", service_type="h3africa")
    late = claim_due_syncs(now=NOW, jitter=lambda: 0.5)
    assert late == []
    soon = NOW + timedelta(minutes=30)
    assert due(at=soon) == [service.pk, elsewhere.pk]
    assert due(at=soon) == []  # announced
    run(service, Offers(AFR), at=soon)
    assert due(at=soon + DAY - timedelta(minutes=1)) == [elsewhere.pk]  # its message was lost
    assert service.pk in due(at=soon + DAY)


def test_failed_one_is_tried_again_within_hours(service):
    assert due() == [service.pk]
    run(service, Offers(error=Unreachable("No connection.")))
    assert due(at=NOW + timedelta(minutes=50)) == []
    assert due(at=NOW + timedelta(minutes=70)) == [service.pk]


def test_only_this_machine_is_asked_unasked_while_background_checks_are_off(service):
    elsewhere = make_service("Elsewhere")
    assert due() == [service.pk]
    request_sync(service_id=elsewhere.pk, user_id=None, origin=None, now=NOW)
    assert due() == [elsewhere.pk]


def test_nothing_is_asked_unasked_when_the_period_is_zero(service, settings):
    settings.PANEL_SYNC_HOURS = 0
    assert due() == []


def test_service_that_is_gone_is_no_work(service):
    assert due() == [service.pk]
    number = service.pk
    service.delete()
    run_due_sync(number, client=Offers(AFR))
    assert not ServiceSync.objects.exists()


@pytest.mark.parametrize("path", ["sync_reference_panels/", "sync_status/"])
def test_unknown_service_is_not_found_and_strangers_are_refused(client, service, path):
    method = client.get if path == "sync_status/" else client.post
    assert method(f"/api/services/{service.pk}/{path}").status_code == 403
    client.force_login(make_user())
    assert method(f"/api/services/4711/{path}").status_code == 404


def test_admin_page_tells_what_came_of_it(admin_client, service):
    page = reverse("admin:imputation_imputationservice_change", args=[service.pk])
    assert "None yet" in admin_client.get(page).content.decode()
    sync_panels(service_id=service.pk, clock=lambda: NOW, client=Offers(AFR))
    assert (
        "12:00 UTC. Panels that appeared: 1, changed: 0, retired: 0."
        in admin_client.get(page).content.decode()
    )


class TestCommand:
    def test_problem_is_told_and_fails(self, service, capsys):
        for which in ("check", "sync"):
            with pytest.raises(CommandError, match=f"Failed: {service.pk}, 4711"):
                call_command("service", which, str(service.pk), "4711", "--json")
            told = json.loads(capsys.readouterr().out)["services"]
            assert told == [
                {"service": service.pk, "ok": False, "problem": "There is no token for AFR node."},
                {"service": 4711, "ok": False, "problem": "There is no such service."},
            ]

    def test_without_services_there_is_nothing_to_do(self, capsys):
        call_command("service", "check", "--json")
        assert json.loads(capsys.readouterr().out) == {"services": []}

    def test_service_is_checked_without_change_and_then_synchronised(
        self, service, settings, capsys
    ):
        with MichiganServer() as server:
            settings.GUARDED_HTTP_ALLOW = [server.target]
            ImputationService.objects.filter(pk=service.pk).update(api_url=server.url)
            kind = ServiceCredential.Kind.API_TOKEN
            store_credential(service_id=service.pk, kind=kind, secret=server.token, now=NOW)
            call_command("service", "check", "--json")
            (told,) = json.loads(capsys.readouterr().out)["services"]
            assert (told["ok"], told["in_maintenance"]) == (True, False)
            assert told["panels"] > 0
            assert not ReferencePanel.objects.exists()
            call_command("service", "sync")
        assert f"{service.pk}: added {told['panels']}, changed 0" in capsys.readouterr().out
        assert ReferencePanel.objects.count() == told["panels"]
