"""The servers under every test are the real ones."""

import os
import shutil
import socket
import tempfile
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection

from federated_imputation.platform.stores import Postgres, StoreError
from tests.servers import free_port


@pytest.mark.django_db
def test_postgres_is_real():
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        assert int(cursor.fetchone()[0]) >= 150_000


def test_postgres_logs_no_statement_and_no_row_of_an_error(own_postgres):
    own_postgres.start()
    with psycopg.connect(own_postgres.dsn(), autocommit=True) as connected:
        connected.execute("CREATE TABLE t (secret text PRIMARY KEY)")
        with pytest.raises(psycopg.errors.UniqueViolation, match="pl41nt3xt"):
            connected.execute("INSERT INTO t VALUES ('pl41nt3xt'), ('pl41nt3xt')")
    own_postgres.stop()
    log = own_postgres.log.read_text()
    assert "violates unique constraint" in log
    assert "pl41nt3xt" not in log


def test_valkey_answers_only_with_its_password():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert client.ping()
    without = settings.REDIS_URL.split("@")[1]
    with redis.Redis.from_url(f"redis://{without}") as client, pytest.raises(redis.RedisError):
        client.ping()


def test_postgres_refuses_a_wrong_password():
    given = settings.DATABASES["default"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(
            host=given["HOST"],
            port=given["PORT"],
            user=given["USER"],
            password="wrong",
            dbname="postgres",
            connect_timeout=5,
        )


@pytest.fixture
def own_postgres():
    """A server that a test may kill, in a folder that its user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="federated-imputation-test-"))
    folder.chmod(0o711)
    server = Postgres(
        home=folder / "postgres",
        port=free_port(),
        password="test",
        log=folder / "postgres.log",
    )
    server.home.mkdir()
    server.home.chmod(0o711)
    yield server
    server.stop()
    shutil.rmtree(folder)


def kill(server: Postgres) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait(timeout=10)


def test_a_killed_server_starts_again_with_its_data(own_postgres):
    own_postgres.start()
    with psycopg.connect(own_postgres.dsn()) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    kill(own_postgres)
    own_postgres.start()
    with psycopg.connect(own_postgres.dsn()) as connection:
        connection.execute("SELECT * FROM kept")


def test_a_lock_that_names_an_unrelated_process_does_not_prevent_the_start(own_postgres):
    own_postgres.start()
    kill(own_postgres)
    lock = own_postgres.data / "postmaster.pid"
    first, rest = lock.read_text().split("\n", 1)
    assert int(first) != os.getpid()
    lock.write_text(f"{os.getpid()}\n{rest}")  # its process id was given to another program
    own_postgres.start()
    assert own_postgres.answers()


def test_a_server_that_cannot_start_says_why(own_postgres):
    with (
        socket.create_server(("127.0.0.1", own_postgres.port)),
        pytest.raises(StoreError, match="could not create any TCP/IP sockets"),
    ):
        own_postgres.start()
