"""Hashes of a legacy database open as before, are never rewritten, and never break a login."""

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from federated_imputation.settings import monolith

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shipped_hashers(settings):
    settings.PASSWORD_HASHERS = monolith.PASSWORD_HASHERS


@pytest.fixture
def status(client):
    def log_in(hashed):
        User.objects.create(username="ada", password=hashed)
        given = {"username": "ada", "password": "hunter2"}
        answer = client.post("/api/auth/login/", given)
        return answer.status_code, User.objects.get().password

    return log_in


# Made with `hashlib`, not with Django: pbkdf2_hmac(digest, b"hunter2", b"salt", rounds).
SHA256_1000 = "pbkdf2_sha256$1000$salt$6bR+qvB+EfiWifJvLhLUslIy4Ocqg4PNHECwdKqh4ho="
SHA256_260000 = "pbkdf2_sha256$260000$salt$FqQGoblC6zrYIMxVS1PW4onq+5M2RKM14/I+RyCCgs8="
SHA1_1000 = "pbkdf2_sha1$1000$salt$SllpuZjRyVeAVqSG5Z4Wz8A35mo="


def test_new_passwords_are_written_as_the_legacy_system_writes_them():
    algorithm, rounds, *_ = make_password("hunter2").split("$")
    assert (algorithm, rounds) == ("pbkdf2_sha256", "600000")


@pytest.mark.parametrize("hashed", [SHA256_1000, SHA256_260000])
def test_login_opens_any_iteration_count_and_leaves_the_hash(status, hashed):
    assert status(hashed) == (200, hashed)


@pytest.mark.parametrize(
    "hashed",
    [
        *("", "!", "!unusable", "hunter2", "$$$", "$2b$12$" + "a" * 53, "md5$$" + "a" * 32),
        *("pbkdf2_sha256", "pbkdf2_sha256$x$salt$hash", "pbkdf2_sha256$0$salt$hash"),
        *("pbkdf2_sha256$1$$hash", "pbkdf2_sha256$9999999999$salt$hash", "pbkdf2_sha1$$$"),
        *("scrypt$1$salt", "pbkdf2_sha256$1$é🧬$é", SHA256_1000[:-2]),
    ],
)
def test_hash_that_nothing_can_read_refuses_the_login_and_is_left(status, hashed):
    assert status(hashed) == (401, hashed)
