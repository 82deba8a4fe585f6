"""A service is set up step by step: asked, shown, and only then there."""

from datetime import timedelta

import pytest
from django.urls import reverse

from apps.federation.probing import Finding, Status
from federated_imputation.monolith.accounts.models import AuditLog, ServiceCredential
from federated_imputation.monolith.accounts.operations.sealing import SealBroken, seal, unseal
from federated_imputation.monolith.accounts.queries import reveal_credential, token_stored_at
from federated_imputation.monolith.accounts.secrets import encrypt
from federated_imputation.monolith.registry.models import (
    ImputationService,
    ReferencePanel,
    ServiceSync,
)
from federated_imputation.monolith.registry.operations import NotReady, look_at_new_service
from tests.factories import NOW, make_service, make_user
from tests.michigan_server import MichiganServer
from tests.michigan_troubles import Reset

pytestmark = pytest.mark.django_db
PAGE = "/admin/imputation/imputationservice/add/"
AUDITED = ["create_service", "sync_panels"]


@pytest.fixture
def server(settings):
    with MichiganServer() as server:
        settings.GUARDED_HTTP_ALLOW = [server.target]
        yield server


@pytest.fixture
def described(server):
    return {
        "name": "AFR node",
        "service_type": "michigan",
        "api_type": "michigan",
        "api_url": server.url,
        "application": "imputationserver2",
        "api_key": server.token,
        "api_key_required": "on",
    }


def described_to(client, form):
    """The sealed draft on the second page."""
    return client.post(PAGE, form).context["draft"]


def nothing_is_stored():
    return not (
        ImputationService.objects.exists()
        or ReferencePanel.objects.exists()
        or ServiceCredential.objects.exists()
        or ServiceSync.objects.exists()
        or AuditLog.objects.filter(action__in=AUDITED).exists()
    )


def test_second_page_shows_what_is_offered_and_nothing_is_stored(admin_client, described):
    answer = admin_client.post(PAGE, described)
    page = answer.content.decode()
    offered = answer.context["found"].offer.panels
    assert offered
    assert all(panel.key in page for panel in offered)
    assert described["api_key"] not in page
    assert nothing_is_stored()


def test_confirmed_service_is_there_with_panels_token_and_history(
    admin_client, admin_user, described
):
    offered = admin_client.post(PAGE, described)
    saved = admin_client.post(PAGE, {"draft": offered.context["draft"]}, follow=True)
    service = ImputationService.objects.get()
    assert saved.redirect_chain == [
        (reverse("admin:imputation_imputationservice_change", args=[service.pk]), 302)
    ]
    assert "AFR node is set up." in saved.content.decode()
    keys = {panel.key for panel in offered.context["found"].offer.panels}
    assert set(ReferencePanel.objects.values_list("panel_id", flat=True)) == keys
    assert reveal_credential(service_id=service.pk, now=NOW) == described["api_key"]
    assert described["api_key"] not in saved.content.decode()
    assert token_stored_at(service_id=service.pk)
    assert token_stored_at(service_id=make_service("EUR node").pk) is None
    sync = ServiceSync.objects.get()
    assert (sync.outcome, sync.added) == ("done", len(keys))
    rows = AuditLog.objects.filter(action__in=AUDITED).order_by("id")
    assert [(row.action, row.user_id) for row in rows] == [
        (action, admin_user.pk) for action in AUDITED
    ]


def test_draft_that_is_sent_twice_makes_one_service(admin_client, described):
    draft = described_to(admin_client, described)
    first, second = (admin_client.post(PAGE, {"draft": draft}) for _ in range(2))
    assert first.url == second.url
    assert ImputationService.objects.count() == 1
    assert AuditLog.objects.filter(action="create_service").count() == 1


def test_another_draft_does_not_get_the_service_of_the_first(admin_client, described):
    one, other = (described_to(admin_client, described) for _ in range(2))
    admin_client.post(PAGE, {"draft": one})
    answer = admin_client.post(PAGE, {"draft": other})
    assert "already exists" in answer.content.decode()
    assert ImputationService.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"api_key": ""}, "api_key", "only with a token"),
        ({"api_key": "wrong"}, "api_key", "does not take this token"),
        ({"api_url": "http://127.0.0.1:9/"}, "api_url", "not a public address"),
        ({"api_url": "https://ada:x@example.org"}, "api_url", "no user name and no password"),
        ({"service_type": "dnastack"}, "api_type", "speaks"),
        ({"name": "Taken"}, "name", "already exists"),
        ({"name": ""}, "name", "required"),
    ],
)
def test_what_does_not_fit_is_told_at_its_field(admin_client, described, changes, field, told):
    make_service("Taken")
    answer = admin_client.post(PAGE, described | changes)
    assert told in " ".join(answer.context["form"].errors[field])
    assert ImputationService.objects.count() == 1


def test_server_in_maintenance_is_told_and_not_set_up(admin_client, server, described):
    server.maintenance = True
    answer = admin_client.post(PAGE, described)
    assert "in maintenance" in " ".join(answer.context["form"].non_field_errors())
    assert nothing_is_stored()


def test_server_that_goes_into_maintenance_meanwhile_is_not_stored(admin_client, server, described):
    draft = described_to(admin_client, described)
    server.maintenance = True
    answer = admin_client.post(PAGE, {"draft": draft})
    assert "in maintenance" in answer.content.decode()
    assert nothing_is_stored()
    server.maintenance = False
    assert admin_client.post(PAGE, {"draft": answer.context["draft"]}).status_code == 302


def test_server_that_hangs_up_is_told(admin_client, server, described):
    draft = described_to(admin_client, described)
    server.next("server", *[Reset()] * 20)
    answer = admin_client.post(PAGE, described)
    assert "not reached" in " ".join(answer.context["form"].errors["api_url"])
    assert "not reached" in admin_client.post(PAGE, {"draft": draft}).content.decode()
    assert nothing_is_stored()


@pytest.mark.parametrize(
    ("finding", "field"),
    [
        (Finding(status=Status.UNHEALTHY, message="No.", test_url=""), "api_url"),
        (Finding(status=Status.MAINTENANCE, message="Later.", test_url=""), ""),
    ],
)
def test_service_of_another_api_must_answer(finding, field):
    wanted = {
        "name": "WES",
        "service_type": "dnastack",
        "api_type": "ga4gh",
        "api_url": "https://wes.example.org",
    }
    with pytest.raises(NotReady) as refused:
        look_at_new_service(wanted, probe=lambda target: finding)
    assert refused.value.field == field
    up = Finding(status=Status.HEALTHY, message="Up.", test_url="")
    assert look_at_new_service(wanted, probe=lambda target: up).offer is None


def test_draft_of_somebody_else_or_of_long_ago_is_refused(admin_client, client, described):
    draft = described_to(admin_client, described)
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    answer = client.post(PAGE, {"draft": draft})
    assert "open for too long" in answer.content.decode()
    late = seal({}, purpose="p", user_id=1, now=NOW)
    for purpose, user_id, now in (
        ("p", 1, NOW + timedelta(minutes=61)),
        ("q", 1, NOW),
        ("p", 2, NOW),
    ):
        with pytest.raises(SealBroken):
            unseal(late, purpose=purpose, user_id=user_id, now=now)
    for other in ("x", encrypt("a stored token"), encrypt("7"), encrypt('["p", 1, "now", {}]')):
        with pytest.raises(SealBroken):
            unseal(other, purpose="p", user_id=1, now=NOW)
    assert unseal(late, purpose="p", user_id=1, now=NOW) == {}
    assert nothing_is_stored()
