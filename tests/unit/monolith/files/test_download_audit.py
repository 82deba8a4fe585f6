"""Every download of a result file leaves one row in the audit log."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from federated_imputation.monolith.accounts.models import AuditLog
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.files.operations import record_download
from tests.factories import make_user
from tests.job_world import ORIGIN
from tests.locks import waiting_for_a_lock
from tests.unit.monolith.files.test_api import CONTENT, ada, download, panel, root, stored

__all__ = ["ada", "panel", "root"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(root, ada, panel):
    return stored(root, ada, panel)


def rows(**fields):
    return list(
        AuditLog.objects.filter(action="data_access", **fields).values_list(
            "user_id", "resource_type", "resource_id"
        )
    )


def get(user, file, **headers):
    return download(user, f"/api/result-files/{file.pk}/download/", **headers)


def test_download_is_audited_with_who_and_from_where(ada, file):
    get(ada, file, **{"User-Agent": "curl/8"})
    row = AuditLog.objects.get()
    assert (row.action, row.user_id) == ("data_access", ada.pk)
    assert (row.resource_type, row.resource_id) == ("result_file", str(file.pk))
    assert row.details == {"job_id": str(file.job_id)}
    assert (row.ip_address, row.user_agent) == ("127.0.0.1", "curl/8")


def test_download_in_pieces_is_one_download(ada, file):
    for piece in ("0-999", "1000-1999", "2000-", "-5"):
        response, _ = get(ada, file, Range=f"bytes={piece}")
        assert response.status_code == 206
    assert rows() == [(ada.pk, "result_file", str(file.pk))]


@pytest.mark.parametrize("piece", ["1-", "-1048575", f"{len(CONTENT) - 1}-"])
def test_nobody_gets_past_the_log_by_leaving_out_the_start(root, ada, panel, file, piece):
    get(ada, stored(root, ada, panel))
    get(ada, file, Range=f"bytes={piece}")
    assert rows(resource_id=str(file.pk)) == [(ada.pk, "result_file", str(file.pk))]


def test_pieces_that_are_asked_for_at_once_are_one_download(ada, file):
    def continue_it():
        try:
            record_download(
                file, from_start=False, user_id=ada.pk, origin=ORIGIN, now=timezone.now()
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            record_download(
                file, from_start=False, user_id=ada.pk, origin=ORIGIN, now=timezone.now()
            )
            continued = pool.submit(continue_it)
            while not waiting_for_a_lock():
                assert not continued.done(), continued.result()
        continued.result(60)
    assert len(rows()) == 1


@pytest.mark.parametrize(("hours", "expected"), [(23, 1), (25, 2)])
def test_pieces_a_day_later_are_another_download(ada, file, hours, expected):
    record_audit(
        action="data_access",
        user_id=ada.pk,
        resource_type="result_file",
        resource_id=str(file.pk),
        origin=None,
        now=timezone.now() - timedelta(hours=hours),
    )
    get(ada, file, Range="bytes=1-")
    assert len(rows()) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": "*"},
        {"Range": "bytes=99999999-"},
        {"Accept": "application/json"},
    ],
)
def test_answers_without_bytes_are_no_download(ada, file, headers):
    get(ada, file, **headers)
    assert rows() == []


def test_head_is_no_download(ada, file):
    client = Client()
    client.force_login(ada)
    assert client.head(f"/api/result-files/{file.pk}/download/").status_code == 200
    assert rows() == []


def test_a_refused_download_is_none(file):
    response, _ = get(make_user("bob"), file)
    assert response.status_code == 404
    assert rows() == []
