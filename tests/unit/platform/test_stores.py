"""The servers under every test are the real ones."""

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection


@pytest.mark.django_db
def test_postgres_is_real():
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        assert int(cursor.fetchone()[0]) >= 150_000


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
