"""What looks like a secret or like genotypes is removed from a text, and the rest is kept."""

import time

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from apps.shared.observability.scrubbing import MASK, scrub

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
API_TOKEN = "fip_" + "9aZ" * 16 + "0"
FERNET = Fernet(Fernet.generate_key()).encrypt(b"x").decode()
SESSION_KEY = "z7w1k0q9x3v5m2n8b4c6l1j0h9g7f5d3"
SECRET = "hunter2"

SHAPES = [
    JWT,
    API_TOKEN,
    FERNET,
    SESSION_KEY,
    "pbkdf2_sha256$600000$salt$aGFzaA==",
    "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA",
    "$2b$12$" + "R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA\n-----END EC PRIVATE KEY-----",
    "0|1\t1|1\t0|0\t./.\t1|0",
    "0|1:0.98:0,0.02,0.98\t1|1:2\t0|0:0\t0|1:1",
    r"0|1\t1|1\t0|0\t0|0",
    "0|1, 1|1, 0|0, ./.",
]
NAMED = [
    "Authorization: Bearer {}",
    "Authorization: Basic {}==",
    "{{'Authorization': 'Token {}'}}",
    "(b'authorization', b'Bearer {}')",
    "Cookie: csrftoken=1; sessionid={}",
    "Set-Cookie: sessionid={}; HttpOnly",
    "X-Auth-Token: {}",
    "{{'X-Auth-Token': '{}', 'Accept': '*/*'}}",
    "password={}",
    "host=db password={} dbname=x",
    "user_token: {}",
    '{{"password": "{}"}}',
    r"{{\"new_password\": \"{}\"}}",
    "('api_key', '{}')",
    "MONOLITH_SECRET_KEY='{}'",
    "FIELD_ENCRYPTION_KEYS={}",
    "/api/x/?page=2&token={}&size=3",
    "session_key={}",
    "https://user:{}@imputation.example.org/path",
    "postgres://monolith:{}@127.0.0.1:5432/federated_imputation",
    "redis://:{}@127.0.0.1:6379/0",
    "postgres://role:p@ss:{}@host/db",
    "bearer 1{}",
    "DETAIL:  Key (sha256)=({}) already exists.",
    "DETAIL:  Failing row contains (1, ada, {}, null).",
]
ORDINARY = [
    "Service 7 offers 3 panels with ids too long.",
    "Task jobs.tick[f3a9e2c4-0d3b-4b52-9d2a-1f4f4f2f8a11] raised unexpected: ValueError('x')",
    "GET /api/jobs/f3a9e2c4-0d3b-4b52-9d2a-1f4f4f2f8a11/files/: 404",
    "fip-f3a9e2c4-0d3b-4b52-9d2a-1f4f4f2f8a11-r2 was sent at 2026-03-01T12:00:00+00:00",
    "d41d8cd98f00b204e9800998ecf8427e",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "https://imputation.example.org/api/v2/jobs?page=2, asked by ada@example.org",
    "The token is too old; ask for a new one.",
    "Basic understanding, bearer of news.",
    "The password was changed by 1/2 of the users on 01/02/2026.",
    "chr20 1,000 of 2,000 variants (1|2)",
    'File "/srv/app/apps/shared/http/client.py", line 10, in get',
    "kid AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE",
]
HOSTILE = [
    *("a", "=", "\\", "eyJ", "eyJ.", "fip_", "gAAAA", "://", "://a@", "password", "password='"),
    *("Key (", "Key (a)=(", "0|1 ", "0|1,0", "bearer a", "cookie:\n", "$2$", 'token\\"'),
    *("-----BEGIN PRIVATE KEY-----", "Failing row contains (", "token   ", "bearer " + "a" * 5_000),
]
FRAGMENTS = st.sampled_from(
    [*SHAPES, *ORDINARY, *HOSTILE, *(form.format(SECRET) for form in NAMED), MASK]
)
TEXTS = st.lists(FRAGMENTS | st.text(max_size=20), max_size=6).map("".join)


@pytest.mark.parametrize("around", ["{}", "Could not send {} to it", "'{}'", "a={}&b=1", "/{}/"])
@pytest.mark.parametrize("secret", SHAPES)
def test_secret_is_known_by_its_shape(secret, around):
    assert secret not in scrub(around.format(secret))
    assert MASK in scrub(around.format(secret))


@pytest.mark.parametrize("form", NAMED)
def test_secret_is_known_by_the_name_before_it(form):
    for text in (form, f"before\n{form}\nafter", form.swapcase()):
        scrubbed = scrub(text.format(SECRET))
        assert SECRET not in scrubbed
        assert MASK in scrubbed
    assert scrub(f"before\n{form}\nafter".format(SECRET)).startswith("before\n")
    assert scrub(f"before\n{form}\nafter".format(SECRET)).endswith("\nafter")


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_kept(text):
    assert scrub(text) == text


WORDS = [word for word in " ".join(ORDINARY).split() if word.lower() not in {"basic", "bearer"}]


@given(st.lists(st.sampled_from([*WORDS, "\n"]), max_size=40).map(" ".join))
def test_ordinary_words_in_any_order_are_kept(text):
    assert MASK not in scrub(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("{'Authorization': 'Bearer x', 'Host': 'y'}", "'Host': 'y'"),
        ('{"password": "a \\" b", "username": "ada"}', '"username": "ada"'),
        ("/api/x/?token=a&page=2", "&page=2"),
        ("https://u:p@imputation.example.org/x", "@imputation.example.org/x"),
        ("Authorization: Bearer x\nHost: y", "\nHost: y"),
    ],
)
def test_what_is_beside_a_secret_is_kept(text, kept):
    assert kept in scrub(text)
    assert MASK in scrub(text)


@given(TEXTS)
def test_scrubbing_twice_changes_nothing_more(text):
    assert scrub(scrub(text)) == scrub(text)


@pytest.mark.parametrize("secret", ["pbkdf2_sha256$600000$salt$aGFzaA==", "bearer abc123456"])
def test_secret_right_behind_genotypes_goes_as_well(secret):
    assert scrub(f"0|1\t1|1\t0|0\t1|0{secret}").count(MASK) == 2


@given(st.text(max_size=30), st.sampled_from(SHAPES[:3]), st.text(max_size=30))
def test_shape_is_found_in_any_text(before, secret, after):
    assert secret not in scrub(f"{before} {secret} {after}")


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: text[:12])
def test_hostile_text_takes_linear_time(hostile):
    """Four times the text takes about four times as long; quadratic would be sixteen."""
    short = hostile * (10_000 // len(hostile) + 1)

    assert _seconds(short * 4) < 10 * _seconds(short) + 0.01


def _seconds(text):
    """Processor time of the fastest of three runs."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        scrub(text)
        taken.append(time.process_time() - start)
    return min(taken)
