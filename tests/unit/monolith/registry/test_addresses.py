"""A service that moves takes no credential along, and admin pages show none."""

import json
import uuid

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.accounts.queries import reveal_credential, reveal_result_password
from federated_imputation.monolith.registry.masking import MASK
from federated_imputation.monolith.registry.models import ImputationService, ServiceConfiguration
from federated_imputation.monolith.registry.operations import change_address
from federated_imputation.monolith.registry.queries import UnknownService
from tests.factories import NOW, make_service, make_user

pytestmark = pytest.mark.django_db
Kind = ServiceCredential.Kind
SECRET = "hunter2"
JOB = uuid.UUID(int=7)
OLD = f"https://ada:{SECRET}@imputation.example.org/api"
ELSEWHERE = "https://other.example.org/api"


@pytest.fixture
def user():
    return make_user()


@pytest.fixture
def service(user):
    """A service with a secret wherever one can be, and another service with one."""
    service = make_service(
        api_url=OLD, api_key=SECRET, api_config={"application": "x", "token": SECRET}
    )
    ServiceConfiguration.objects.create(
        service=service,
        api_key=SECRET,
        api_secret=SECRET,
        additional_headers={"Authorization": SECRET},
        settings={"password": SECRET, "retries": 3},
    )
    UserServiceAccess.objects.create(user=user, service=service, api_key=SECRET)
    other = make_service("EUR node")
    for where, kind, owner in (
        (other, Kind.API_TOKEN, {}),
        (service, Kind.API_TOKEN, {}),
        (service, Kind.API_SECRET, {}),
        (service, Kind.API_TOKEN, {"user_id": user.pk}),
        (service, Kind.JOB_TOKEN, {"user_id": user.pk, "job_id": JOB}),
        (service, Kind.RESULT_PASSWORD, {"user_id": user.pk, "job_id": JOB}),
    ):
        store_credential(service_id=where.pk, kind=kind, secret=SECRET, now=NOW, **owner)
    return service


def _change(service, api_url):
    return change_address(
        service_id=service.pk, api_url=api_url, user_id=None, origin=None, now=NOW
    )


def test_nothing_that_opened_the_old_place_is_left_for_the_new_one(service, user):
    done = _change(service, ELSEWHERE)

    assert (done.is_elsewhere, done.forgotten) == (True, 4)
    assert reveal_credential(service_id=service.pk, user_id=user.pk, job_id=JOB, now=NOW) is None
    assert reveal_result_password(job_id=JOB) == SECRET  # it opens what is here
    assert ServiceCredential.objects.exclude(service=service).count() == 1
    service.refresh_from_db()
    assert service.api_url == ELSEWHERE
    for row in (service, service.configuration, UserServiceAccess.objects.get()):
        row.refresh_from_db()
        assert SECRET not in json.dumps(row.__dict__, default=str)
    assert service.api_config == {"application": "x"}
    assert service.configuration.settings == {"retries": 3}


def test_what_opens_other_services_stays(service):
    other = ImputationService.objects.get(name="EUR node")
    ServiceConfiguration.objects.create(service=other, api_key=SECRET, api_secret=SECRET)

    _change(service, ELSEWHERE)

    kept = ServiceConfiguration.objects.get(service=other)
    assert (kept.api_key, kept.api_secret) == (SECRET, SECRET)
    assert reveal_credential(service_id=other.pk, now=NOW) == SECRET


def test_other_path_of_the_same_place_keeps_everything(service, user):
    done = _change(service, f"https://ada:{SECRET}@imputation.example.org/v2")

    assert (done.is_elsewhere, done.forgotten) == (False, 0)
    assert reveal_credential(service_id=service.pk, now=NOW) == SECRET
    service.refresh_from_db()
    assert service.api_config["token"] == SECRET


@pytest.mark.parametrize(
    "api_url", ["http://imputation.example.org/api", "https://imputation.example.org:8443/api"]
)
def test_other_scheme_or_port_is_another_place(service, api_url):
    assert _change(service, api_url).forgotten == 4


def test_change_is_audited_without_a_secret(service):
    _change(service, ELSEWHERE)

    row = AuditLog.objects.get(action="change_address")
    assert (row.resource_type, row.resource_id) == ("service", str(service.pk))
    assert row.details == {
        "from": "https://imputation.example.org/api",
        "to": ELSEWHERE,
        "secrets_forgotten": 4,
    }


def test_service_that_does_not_exist_is_refused(db):
    with pytest.raises(UnknownService):
        change_address(service_id=1, api_url=ELSEWHERE, user_id=None, origin=None, now=NOW)


class TestAdminForm:
    @pytest.fixture
    def client(self, client):
        client.force_login(make_user("root", role="admin", is_staff=True, is_superuser=True))
        return client

    @pytest.fixture
    def page(self, service):
        return reverse("admin:imputation_imputationservice_change", args=[service.pk])

    @pytest.fixture
    def form(self, client, page):
        """What the browser would send if nothing was changed."""
        shown = client.get(page).context["adminform"].form
        values = {name: shown[name].value() for name in shown.fields}
        return {name: value for name, value in values.items() if value not in (False, None)}

    def test_shows_masks_and_no_secret(self, client, service, page, form):
        listed = client.get(reverse("admin:imputation_imputationservice_changelist"))
        for answer in (client.get(page), listed):
            assert SECRET not in answer.content.decode()
        assert form["api_url"] == f"https://{MASK}@imputation.example.org/api"
        assert json.loads(form["api_config"]) == {"application": "x", "token": MASK}

    def test_sent_back_changes_nothing(self, client, service, page, form):
        assert client.post(page, form).status_code == 302
        before, service = service, ImputationService.objects.get(pk=service.pk)
        assert (service.api_url, service.api_config) == (OLD, before.api_config)
        assert not AuditLog.objects.filter(action="change_address").exists()

    def test_other_fields_can_change_beside_the_masks(self, client, service, page, form):
        config = {"application": "y", "token": MASK}
        form |= {"description": "New", "api_config": json.dumps(config)}
        assert client.post(page, form).status_code == 302
        service.refresh_from_db()
        assert (service.description, service.api_url) == ("New", OLD)
        assert service.api_config == {"application": "y", "token": SECRET}

    def test_new_secret_replaces_the_masked_one(self, client, service, page, form):
        form["api_config"] = json.dumps({"application": "x", "token": "other"})
        assert client.post(page, form).status_code == 302
        service.refresh_from_db()
        assert service.api_config["token"] == "other"

    def test_new_address_forgets_the_credentials_and_says_so(self, client, service, page, form):
        form |= {"api_url": ELSEWHERE, "api_config": '{"application": "x"}'}
        answer = client.post(page, form)
        assert answer.status_code == 302
        assert any("must be given again" in str(told) for told in get_messages(answer.wsgi_request))
        assert reveal_credential(service_id=service.pk, now=NOW) is None
        service.refresh_from_db()
        assert (service.api_url, service.api_key) == (ELSEWHERE, "")
        assert AuditLog.objects.filter(action="change_address", user__username="root").exists()

    @pytest.mark.parametrize(
        "changes",
        [
            {"api_url": f"https://{MASK}@other.example.org/api"},
            {"api_url": ELSEWHERE},  # with the masked token of the old address in the settings
            {"api_config": json.dumps({"elsewhere": MASK})},
        ],
    )
    def test_mask_is_no_secret_of_another_place(self, client, service, page, form, changes):
        answer = client.post(page, form | changes)
        assert answer.status_code == 200
        assert "A mask stands where nothing is kept" in answer.content.decode()
        assert SECRET not in answer.content.decode()
        assert ImputationService.objects.get(pk=service.pk).api_url == OLD
        assert reveal_credential(service_id=service.pk, now=NOW) == SECRET

    def test_settings_are_masked_and_kept(self, client, service):
        page = reverse(
            "admin:imputation_serviceconfiguration_change", args=[service.configuration.pk]
        )
        form = client.get(page).context["adminform"].form
        sent = {name: form[name].value() for name in form.fields}
        sent["settings"] = json.dumps({**json.loads(sent["settings"]), "retries": 5})
        assert SECRET not in client.get(page).content.decode()
        assert client.post(page, sent).status_code == 302
        configuration = ServiceConfiguration.objects.get()
        assert configuration.settings == {"password": SECRET, "retries": 5}


def test_settings_with_their_secrets_stay_with_their_service(admin_client, service):
    elsewhere = make_service("Elsewhere", api_url=ELSEWHERE)
    page = reverse("admin:imputation_serviceconfiguration_change", args=[service.configuration.pk])
    form = {
        "service": elsewhere.pk,
        "rate_limit_per_hour": 9,
        "timeout_seconds": 1,
        "retry_attempts": 1,
        "settings": json.dumps({"password": MASK}),
    }
    assert admin_client.post(page, form).status_code == 302
    kept = ServiceConfiguration.objects.get()
    assert (kept.service_id, kept.rate_limit_per_hour) == (service.pk, 9)
    assert kept.settings == {"password": SECRET}
