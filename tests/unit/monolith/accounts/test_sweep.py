"""Rows that can let nobody in any more are deleted, and no other."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.db.models import Model
from django.utils import timezone

from federated_imputation.monolith.accounts.models import ApiToken, RevokedToken, TokenFamily
from federated_imputation.monolith.accounts.tasks import sweep
from tests.factories import make_user
from tests.unit.monolith.accounts.login import log_in, post

pytestmark = pytest.mark.django_db
TABLES: list[type[Model]] = [RevokedToken, ApiToken, TokenFamily, Session]


@pytest.mark.parametrize(
    ("minutes", "left"),
    [
        (10, [1, 1, 2, 2]),
        (16, [0, 1, 2, 2]),
        (24 * 60 + 1, [0, 0, 2, 2]),
        (14 * 24 * 60 + 1, [0, 0, 0, 0]),
    ],
)
def test_each_row_goes_when_its_time_has_come(minutes, left):
    make_user()
    now = timezone.now()
    token, other = log_in()["access_token"], log_in()["access_token"]
    post(
        "/api/auth/api-tokens/",
        {"name": "Nightly", "scopes": ["jobs:read"], "expires_in_days": 1},
        token=token,
    )
    post("/api/auth/token/revoke/", {"token": other})
    with time_machine.travel(now + timedelta(minutes=minutes)):
        sweep()
    assert [table._default_manager.count() for table in TABLES] == left


def test_the_task_is_known_to_celery_and_beat_sends_it(settings):
    assert sweep.name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert sweep.__module__ in settings.CELERY_IMPORTS
