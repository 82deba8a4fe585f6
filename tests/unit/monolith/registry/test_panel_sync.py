"""A service's panels are what the service says."""

from dataclasses import replace

import pytest

from apps.federation.protocol import (
    Busy,
    Discovery,
    Malformed,
    NotAuthenticated,
    OfferedPanel,
    Rejected,
)
from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.registry.models import ReferencePanel
from federated_imputation.monolith.registry.operations import PanelSync, sync_panels
from federated_imputation.monolith.registry.queries import UnknownService
from tests.factories import NOW, make_panel, make_service

pytestmark = pytest.mark.django_db
AFR = OfferedPanel(key="apps@kit-afr@1.0.0", name="Kit AFR", populations=("afr", "mixed"))
EUR = OfferedPanel(key="apps@kit-eur@1.0.0", name="Kit EUR", populations=("eur",), build="hg38")


class Offers:
    """A service that answers discovery with what the test says."""

    def __init__(self, *panels, **fields):
        self.answer = Discovery(
            application="imputationserver2",
            version="2.1.0",
            panels=panels,
            phasings=("eagle", "no_phasing"),
            builds=("hg19", "hg38"),
            modes=("imputation",),
            **fields,
        )

    def discover(self):
        return self.answer


@pytest.fixture
def service():
    return make_service()


def sync(service, *panels, **fields):
    return sync_panels(service_id=service.pk, clock=lambda: NOW, client=Offers(*panels, **fields))


def test_sync_adds_what_is_offered(service):
    assert sync(service, AFR, EUR) == PanelSync(added=(AFR.key, EUR.key))
    row = ReferencePanel.objects.get(panel_id=AFR.key)
    assert (row.name, row.populations, row.population) == (
        "Kit AFR",
        ["afr", "mixed"],
        "afr, mixed",
    )
    assert ReferencePanel.objects.get(panel_id=EUR.key).build == "hg38"


def test_sync_keeps_the_versions_and_choices_of_the_service(service):
    sync(service, AFR)
    service.refresh_from_db()
    assert service.api_config == {
        "application": "imputationserver2",
        "offers": {
            "version": "2.1.0",
            "phasings": ["eagle", "no_phasing"],
            "builds": ["hg19", "hg38"],
            "modes": ["imputation"],
        },
    }


def test_sync_changes_nothing_when_nothing_changed(service):
    sync(service, AFR)
    before = list(ReferencePanel.objects.values())
    service.refresh_from_db()
    assert sync(service, AFR) == PanelSync()
    assert list(ReferencePanel.objects.values()) == before
    updated_at = service.updated_at
    service.refresh_from_db()
    assert service.updated_at == updated_at


def test_sync_keeps_the_number_of_a_panel_that_changed_vanished_or_came_back(service):
    sync(service, AFR, EUR)
    number = ReferencePanel.objects.get(panel_id=AFR.key).pk
    assert sync(service, EUR) == PanelSync(withdrawn=(AFR.key,))
    assert not ReferencePanel.objects.get(pk=number).is_active
    assert sync(service, replace(AFR, name="AFR 2"), EUR) == PanelSync(changed=(AFR.key,))
    row = ReferencePanel.objects.get(pk=number)
    assert (row.is_active, row.name) == (True, "AFR 2")


def test_sync_says_when_and_why_a_panel_was_withdrawn(service):
    sync(service, AFR, EUR)
    sync(service, EUR)
    row = ReferencePanel.objects.get(panel_id=AFR.key)
    assert row.withdrawn_at == NOW
    assert row.withdrawn_because == "imputationserver2 2.1.0 does not offer it any more."
    sync(service, AFR, EUR)
    back = ReferencePanel.objects.get(pk=row.pk)
    assert (back.is_active, back.withdrawn_at, back.withdrawn_because) == (True, None, None)


def test_sync_leaves_a_panel_off_that_a_person_switched_off(service):
    sync(service, AFR, EUR)
    ReferencePanel.objects.filter(panel_id=AFR.key).update(is_active=False)
    renamed = replace(AFR, name="AFR 2")
    assert sync(service, renamed, EUR) == PanelSync(changed=(AFR.key,))
    row = ReferencePanel.objects.get(panel_id=AFR.key)
    assert (row.is_active, row.name) == (False, "AFR 2")
    assert sync(service, EUR) == PanelSync()
    assert sync(service, renamed, EUR) == PanelSync()
    assert not ReferencePanel.objects.get(panel_id=AFR.key).is_active


def test_person_decides_about_a_panel_that_was_withdrawn_too(service):
    sync(service, AFR, EUR)
    sync(service, EUR)
    rows = ReferencePanel.objects.filter(panel_id=AFR.key)
    rows.update(is_active=True)  # as a legacy process does, which knows of no withdrawal
    assert rows.get().withdrawn_at is None
    rows.update(is_active=False)
    sync(service, AFR, EUR)
    assert not rows.get().is_active


def test_sync_changes_nothing_when_no_panel_is_named(service):
    sync(service, AFR)
    with pytest.raises(Malformed, match="names no panel"):
        sync(service)
    assert ReferencePanel.objects.get().is_active


def test_sync_takes_the_first_of_two_panels_with_one_id(service):
    assert sync(service, AFR, replace(AFR, name="Twin")) == PanelSync(added=(AFR.key,))
    assert ReferencePanel.objects.get().name == AFR.name


def test_sync_leaves_what_the_service_does_not_tell(service):
    make_panel(service, AFR.key, description="Ours", build="hg38", samples_count=120)
    sync(service, AFR)
    row = ReferencePanel.objects.get()
    assert (row.description, row.population, row.build, row.samples_count) == (
        "Ours",
        "African",
        "hg38",
        120,
    )


def test_sync_leaves_the_panels_of_other_services(service):
    other = make_panel(make_service("EUR node"), AFR.key)
    sync(service, EUR)
    other.refresh_from_db()
    assert other.is_active


def test_sync_skips_a_panel_whose_id_does_not_fit(service):
    long = replace(AFR, key="a" * 101)
    assert sync(service, long, EUR) == PanelSync(added=(EUR.key,), skipped=(long.key,))


def test_sync_withdraws_nothing_while_the_service_is_in_maintenance(service):
    sync(service, AFR)
    with pytest.raises(Busy, match="Back at noon"):
        sync(service, in_maintenance=True, maintenance_message="Back at noon")
    assert ReferencePanel.objects.get().is_active


def test_sync_is_refused_for_an_unknown_service():
    with pytest.raises(UnknownService):
        sync_panels(service_id=1)


def test_sync_needs_a_token_to_ask_with(service):
    with pytest.raises(NotAuthenticated, match="no token"):
        sync_panels(service_id=service.pk)


def test_sync_is_refused_when_no_adapter_speaks_the_api():
    service = make_service(api_type="dnastack")
    store_credential(
        service_id=service.pk, kind=ServiceCredential.Kind.API_TOKEN, secret="t", now=NOW
    )
    with pytest.raises(Rejected, match="not supported"):
        sync_panels(service_id=service.pk)
