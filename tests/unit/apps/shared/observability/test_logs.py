"""A log line is one JSON object, and holds no secret whichever way it came."""

import io
import json
import logging
import sys

import psycopg
import pytest
import requests
from django.db import IntegrityError, connection, transaction

from apps.shared.observability.logs import JsonFormatter
from apps.shared.observability.middleware import request_id
from apps.shared.observability.scrubbing import MASK

SECRET = "hunter2-hunter2"


@pytest.fixture
def log():
    """A logger, and a function that returns what it has written."""
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("tests.log")
    logger.propagate = False
    logger.addHandler(handler)

    def written():
        return [json.loads(line) for line in output.getvalue().splitlines()]

    yield logger, written
    logger.removeHandler(handler)
    logger.propagate = True


def test_line_is_json_with_time_level_name_message_and_request_id(log):
    logger, written = log
    token = request_id.set("abcdefgh")
    logger.warning("Service %s is\nslow", 7)
    request_id.reset(token)
    logger.warning("later")

    first, second = written()
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "WARNING",
        "logger": "tests.log",
        "message": "Service 7 is\nslow",
        "request_id": "abcdefgh",
    }
    assert "request_id" not in second


def test_secret_in_arguments_or_extra_is_not_written(log):
    logger, written = log
    logger.warning("Sent %s", {"X-Auth-Token": SECRET}, extra={"password": SECRET})
    logger.warning("Sent %(password)s to %(url)s", {"password": f"token={SECRET}", "url": "x"})
    logger.warning("Answer: %r", f"Authorization: Bearer {SECRET}".encode())

    assert SECRET not in json.dumps(written())
    assert all(MASK in line["message"] for line in written())


def test_secret_in_an_exception_is_not_written(log):
    logger, written = log
    try:
        try:
            raise ValueError(f"postgres://monolith:{SECRET}@127.0.0.1/x")
        except ValueError as error:
            raise RuntimeError(f"password={SECRET}") from error
    except RuntimeError:
        logger.exception("Could not connect")

    (line,) = written()
    assert SECRET not in json.dumps(line)
    assert f"ValueError: postgres://{MASK}@127.0.0.1/x" in line["exception"]
    assert f"RuntimeError: password={MASK}" in line["exception"]
    assert "The above exception was the direct cause" in line["exception"]


def test_exception_of_an_outgoing_call_shows_neither_user_nor_query(log):
    logger, written = log
    with requests.Session() as session:
        session.trust_env = False
        for url in (f"http://ada:{SECRET}@127.0.0.1:1/x", f"http://127.0.0.1:1/x?token={SECRET}"):
            try:
                session.get(url, timeout=5)
            except requests.ConnectionError:
                logger.exception("Could not call it")

    assert len(written()) == 2
    assert SECRET not in json.dumps(written())


def test_exception_of_a_refused_connection_shows_no_password(log):
    logger, written = log
    try:
        psycopg.connect(f"postgres://monolith:{SECRET}@127.0.0.1:1/x", connect_timeout=5)
    except psycopg.OperationalError:
        logger.exception("Could not connect to host=x password=%s", SECRET)

    assert SECRET not in json.dumps(written())


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO one VALUES (%(secret)s)",  # a duplicate key
        "INSERT INTO one VALUES ('x', %(secret)s)",  # a check that fails shows the whole row
    ],
)
def test_exception_of_the_database_shows_no_row(log, statement):
    logger, written = log
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE one (a text PRIMARY KEY, b text CHECK (b = ''))")
        cursor.execute("INSERT INTO one VALUES (%s)", [SECRET])
        try:
            with transaction.atomic():
                cursor.execute(statement, {"secret": SECRET})
        except IntegrityError:
            assert SECRET in str(sys.exc_info()[1])  # else this shows nothing
            logger.exception("Could not store it")

    (line,) = written()
    assert SECRET not in json.dumps(line)
    assert "violates" in line["exception"]
