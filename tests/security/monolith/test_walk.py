"""The walk over the monolith."""

import random
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import transaction
from django.test import override_settings

from tests.extent import is_whole
from tests.security.endpoints import endpoints
from tests.security.monolith.scene import build_scene
from tests.security.monolith.table import ROWS
from tests.security.walk import Finding, Scene, cases, incomplete, report, walk

pytestmark = pytest.mark.django_db
AT_ONCE = 500
PARTS = 4


@pytest.fixture(scope="module")
def scene(django_db_setup, django_db_blocker, tmp_path_factory):
    with (
        django_db_blocker.unblock(),
        override_settings(
            DATA_ROOT=str(tmp_path_factory.mktemp("data")),
            PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ),
        transaction.atomic(),
    ):
        yield build_scene()
        transaction.set_rollback(True)


def test_every_endpoint_and_method_has_a_row_and_every_row_an_endpoint():
    assert incomplete(endpoints(), ROWS) == []


@pytest.mark.timeout(1_500)  # thousands of calls in one transaction
def test_everybody_gets_what_the_table_says(scene: Scene):
    began, every = datetime.now(tz=UTC), list(cases(scene, endpoints(), ROWS))
    if not is_whole():  # another part of the callers of each row, each time
        every = every[random.randrange(PARTS) :: PARTS]
    findings: list[Finding] = []
    for start in range(0, len(every), AT_ONCE):
        # The scene's tokens live for minutes; a walk on a busy machine takes longer.
        with time_machine.travel(began):
            findings += walk(scene, every[start : start + AT_ONCE])
    assert not findings, report(findings)
