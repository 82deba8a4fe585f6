"""What a page of a list costs: the same few statements, whatever the page holds."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.shared.openapi.document import document
from federated_imputation.monolith.accounts.models import AuditLog, UserServiceAccess
from federated_imputation.monolith.files.models import ResultFile
from federated_imputation.monolith.jobs.models import JobStatusUpdate
from tests.factories import NOW, make_job, make_panel, make_service, make_user

MOST = 6
ROWS = 25  # more than a page


def _lists() -> Iterator[str]:
    """Every list by pages that stands by itself, by the description."""
    for path, operations in json.loads(document("json").body)["paths"].items():
        parameters = operations.get("get", {}).get("parameters", [])
        if "{" not in path and any(each["name"] == "page" for each in parameters):
            yield path


@pytest.fixture
def boss(db: None) -> User:
    return make_user("boss", role="admin", is_staff=True, is_superuser=True)


def _fill(boss: User) -> None:
    for number in range(ROWS):
        service = make_service(f"Service {number}")
        job = make_job(boss, make_panel(service), created_at=NOW + timedelta(minutes=number))
        JobStatusUpdate.objects.create(job=job, status="running", timestamp=NOW)
        ResultFile.objects.create(job=job, file_type="log", filename="log.txt")
        someone = make_user(f"someone-{number}", role="researcher")
        UserServiceAccess.objects.create(user=someone, service=service)
        AuditLog.objects.create(user=someone, action="login")


@pytest.mark.django_db
def test_every_list_costs_few_statements_whatever_the_page_holds(boss: User):
    client = Client()
    client.force_login(boss)

    def statements(url: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(url)
        assert answer.status_code == 200, (url, answer.content)
        return len(asked)

    lists = sorted(_lists())
    assert {"/api/jobs/", "/api/users/", "/api/reference-panels/"} < set(lists)
    empty = {url: statements(url) for url in lists}
    _fill(boss)
    full = {url: statements(url) for url in lists}
    second = {url: statements(f"{url}?page=2") for url in ("/api/jobs/", "/api/users/")}

    assert {url: many for url, many in full.items() if many > MOST} == {}
    assert {url: many for url, many in empty.items() if many > MOST} == {}
    assert max(second.values()) <= MOST
