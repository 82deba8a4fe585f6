"""What operators see of services and panels, and do to them."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from federated_imputation.monolith.accounts.models import AuditLog, ServiceCredential
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.accounts.queries import reveal_credential
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel
from tests.factories import NOW, make_job, make_panel, make_service, make_user
from tests.michigan_server import MichiganServer

pytestmark = pytest.mark.django_db
LIST = "/admin/imputation/imputationservice/"
PANELS = "/admin/imputation/referencepanel/"


def choose(client, action, *rows, **more):
    chosen = [getattr(row, "pk", row) for row in rows]
    return client.post(LIST, {"action": action, "_selected_action": chosen, **more})


def confirm(client, action, *rows):
    answer = choose(client, action, *rows, confirmed="yes")
    assert answer.status_code == 302
    return client.get(answer.url).content.decode()


@pytest.fixture
def service():
    return make_service()


@pytest.fixture
def server(settings, service):
    """The service answers, and the platform has a token there."""
    with MichiganServer() as server:
        settings.GUARDED_HTTP_ALLOW = [server.target]
        ImputationService.objects.filter(pk=service.pk).update(api_url=server.url)
        kind = ServiceCredential.Kind.API_TOKEN
        store_credential(service_id=service.pk, kind=kind, secret=server.token, now=NOW)
        yield server


def test_page_before_an_action_tells_what_happens_and_what_is_refused(admin_client, service):
    busy, off = make_service("Busy"), make_service("Off", is_active=False)
    make_job(make_user(), make_panel(busy), status="running")
    answer = choose(admin_client, "switch_off", service, busy, off)
    assert [each.row.pk for each in answer.context["will"]] == [service.pk]
    refused = {each.row.name: each.told for each in answer.context["refused"]}
    assert refused == {
        "Busy": "It has 1 jobs that are not over.",
        "Off": "It is switched off already.",
    }
    assert ImputationService.objects.filter(is_active=True).count() == 2
    assert not AuditLog.objects.filter(action="deactivate_service").exists()


def test_service_is_switched_off_and_on_again_and_busy_ones_stay(admin_client, admin_user, service):
    busy = make_service("Busy")
    make_job(make_user(), make_panel(busy), status="queued")
    told = confirm(admin_client, "switch_off", service, busy)
    assert "AFR node: Switched off." in told
    assert "Busy: Busy has 1 jobs that are not over." in told
    active = ImputationService.objects.filter(is_active=True)
    assert active.get() == busy
    assert "AFR node: Switched on." in confirm(admin_client, "switch_on", service)
    assert active.count() == 2
    rows = AuditLog.objects.filter(resource_type="service").order_by("id")
    assert [(row.action, row.user_id) for row in rows] == [
        ("deactivate_service", admin_user.pk),
        ("update_service", admin_user.pk),
    ]


def test_panels_that_appear_change_and_retire_are_told(admin_client, service, server):
    gone = make_panel(service, "apps@old@0.9.0", name="Old")
    page = reverse("admin:imputation_imputationservice_change", args=[service.pk])
    answer = choose(admin_client, "synchronise", service, confirmed="yes", on_page="yes")
    assert answer.url == page
    offered = ReferencePanel.objects.filter(is_active=True).count()
    told = admin_client.get(page).content.decode()
    assert f"Panels that appeared: {offered}, changed: 0, retired: 1." in told
    assert f"{offered} offered, 1 retired" in told
    retired = admin_client.get(f"{PANELS}?standing=retired").content.decode()
    assert gone.panel_id in retired
    assert "0.9.0" in retired
    assert gone.panel_id not in admin_client.get(f"{PANELS}?standing=offered").content.decode()
    shown = admin_client.get(f"{PANELS}{gone.pk}/change/").content.decode()
    assert "does not offer it any more" in shown
    assert AuditLog.objects.filter(action="request_sync", user__username="admin").exists()


def test_server_in_maintenance_is_visible(admin_client, service, server, settings):
    server.maintenance = True
    told = confirm(admin_client, "synchronise", service)
    assert "in maintenance" in told.lower()
    assert "Not synchronised" in told
    page = reverse("admin:imputation_imputationservice_change", args=[service.pk])
    assert "Not synchronised" in admin_client.get(page).content.decode()


def test_several_services_are_synchronised_by_the_worker(admin_client, service, server):
    told = confirm(admin_client, "synchronise", service, make_service("EUR node"))
    assert told.count("It will be asked soon") == 2
    assert not ReferencePanel.objects.exists()


def test_service_that_is_up_is_told_and_one_that_is_off_is_not_asked(admin_client, service, server):
    assert "AFR node: The service is up" in confirm(admin_client, "check_now", service)
    assert "healthy" in admin_client.get(LIST).content.decode()
    off = make_service("Off", is_active=False)
    assert "switched off, so it is not asked" in confirm(admin_client, "check_now", off)


def test_too_many_rows_and_impossible_ids_are_refused(admin_client, service):
    others = [make_service(f"Node {n}") for n in range(5)]
    answer = choose(admin_client, "check_now", service, *others)
    assert "Choose at most 5 rows." in admin_client.get(answer.url).content.decode()
    for chosen in ("x", "9" * 30, "1\0"):
        assert choose(admin_client, "switch_off", chosen).status_code == 400
    assert choose(admin_client, "nothing", service).status_code == 302


def test_new_token_is_kept_and_never_shown(admin_client, service):
    page = reverse("admin:imputation_imputationservice_change", args=[service.pk])
    shown = admin_client.get(page).context["adminform"].form
    form = {name: shown[name].value() for name in shown.fields}
    form = {name: value for name, value in form.items() if value not in (False, None)}
    assert "No token" in admin_client.get(page).content.decode()
    assert admin_client.post(page, form | {"new_token": "s3cr3t-t0ken"}).status_code == 302
    assert reveal_credential(service_id=service.pk, now=NOW) == "s3cr3t-t0ken"
    assert admin_client.post(page, form).status_code == 302
    assert reveal_credential(service_id=service.pk, now=NOW) == "s3cr3t-t0ken"
    told = admin_client.get(page).content.decode()
    assert "s3cr3t-t0ken" not in told
    assert "No token" not in told
    assert "s3cr3t-t0ken" not in str(list(AuditLog.objects.values_list("details", flat=True)))


def test_who_may_only_look_sees_no_secret_and_gets_no_action(client):
    service = make_service(api_url="https://ada:pl41n@example.org", api_config={"token": "pl41n"})
    staff = make_user("staff", role="admin", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_imputationservice"))
    client.force_login(staff)
    page = client.get(reverse("admin:imputation_imputationservice_change", args=[service.pk]))
    assert page.status_code == 200
    assert "pl41n" not in page.content.decode()
    assert "Switch off" not in page.content.decode()
    choose(client, "switch_off", service, confirmed="yes")
    assert ImputationService.objects.get().is_active
    assert client.get(reverse("admin:imputation_imputationservice_add")).status_code == 403
