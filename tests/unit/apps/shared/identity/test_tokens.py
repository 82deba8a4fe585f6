"""Only our own key, our own algorithm and our own claims make a token."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from apps.contracts.tokens import Claims, TokenType
from apps.shared.identity.tokens import BadToken, SigningPair, sign, user_digest, verify

KEY = ec.generate_private_key(ec.SECP256R1())
PAIR = SigningPair(kid="ours", private=KEY)
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
NOW = datetime.now(UTC).replace(microsecond=0)
CLAIMS = Claims(
    token_type=TokenType.ACCESS,
    user_id=7,
    family=UUID("0b9f6f0e-5d0e-4d59-9a53-0c5b2b0c1d11"),
    token_id="0123456789abcdef" * 2,
    digest="ab" * 32,
    issued_at=NOW,
    expires_at=NOW + timedelta(days=1),  # after the end of any test run
)
TOKEN = sign(CLAIMS, pair=PAIR)


def find_key(kid):
    return KEY.public_key() if kid == "ours" else None


def read(token, token_type=TokenType.ACCESS):
    return verify(token, find_key=find_key, token_type=token_type)


def encode(payload=None, *, key=KEY, algorithm="ES256", **headers):
    """A token as an attacker, or a mistaken program, might make it."""
    return jwt.encode(
        CLAIMS.to_payload() if payload is None else payload,
        key,
        algorithm=algorithm,
        headers={"kid": "ours", **headers},
    )


def part(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def test_what_was_signed_is_verified():
    assert read(TOKEN) == CLAIMS
    assert read(TOKEN, None) == CLAIMS
    assert jwt.get_unverified_header(TOKEN) == {"alg": "ES256", "typ": "JWT", "kid": "ours"}


def test_the_control_of_these_tests_is_a_good_token():
    assert read(encode()) == CLAIMS


def test_the_private_key_is_not_in_the_repr():
    assert "private" not in repr(PAIR)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody-else"},
        {"aud": "admin"},
        {"aud": []},
        {"exp": int(NOW.timestamp()) - 3600},
        {"iat": int(NOW.timestamp()) + 3600},
        {"nbf": int(NOW.timestamp()) + 3600},
        {"token_type": "refresh"},
        {"token_type": "anything"},
        {"sub": 7},
    ],
)
def test_a_wrong_claim_is_refused_though_the_signature_fits(change):
    with pytest.raises(BadToken):
        read(encode({**CLAIMS.to_payload(), **change}))


@pytest.mark.parametrize("claim", sorted(CLAIMS.to_payload()))
def test_a_missing_claim_is_refused_though_the_signature_fits(claim):
    payload = CLAIMS.to_payload()
    del payload[claim]
    with pytest.raises(BadToken):
        read(encode(payload))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
def test_a_token_without_a_signature_is_refused(algorithm):
    head = part({"alg": algorithm, "typ": "JWT", "kid": "ours"})
    body = part(CLAIMS.to_payload())
    for token in (f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.{TOKEN.split('.')[2]}"):
        with pytest.raises(BadToken):
            read(token)


@pytest.mark.parametrize("secret", [PEM, PEM.strip(), b"ours", b""])
def test_the_public_key_is_no_secret_of_hs256(secret):
    import hashlib
    import hmac

    head, body = part({"alg": "HS256", "typ": "JWT", "kid": "ours"}), part(CLAIMS.to_payload())
    signature = hmac.digest(secret, f"{head}.{body}".encode(), hashlib.sha256)
    token = f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(BadToken):
        read(token)


def test_another_asymmetric_algorithm_is_refused():
    with pytest.raises(BadToken):
        read(encode(key=rsa.generate_private_key(65537, 2048), algorithm="RS256"))
    with pytest.raises(BadToken):
        read(encode(key=ec.generate_private_key(ec.SECP384R1()), algorithm="ES384"))


def test_another_key_under_our_name_is_refused():
    with pytest.raises(BadToken):
        read(encode(key=ec.generate_private_key(ec.SECP256R1())))


@pytest.mark.parametrize("kid", ["theirs", "", "../ours", "ours\0"])
def test_an_unknown_key_is_refused(kid):
    with pytest.raises(BadToken):
        read(encode(kid=kid))


def test_a_key_in_the_token_itself_counts_for_nothing():
    own = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(own.public_key()))
    for headers in ({"jwk": jwk}, {"jku": "https://elsewhere.example.org/jwks.json"}):
        with pytest.raises(BadToken):
            read(encode(key=own, **headers))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "ES256"},
        {"alg": "ES256", "kid": None},
        {"alg": "ES256", "kid": ["ours"]},
        {"alg": "ES256", "kid": {"ours": 1}},
        {"alg": ["ES256"], "kid": "ours"},
        {"alg": "ES256", "kid": "ours", "crit": ["exp"]},
        {"kid": "ours"},
        [],
        "text",
    ],
)
def test_a_strange_header_is_refused(header):
    _, body, signature = TOKEN.split(".")
    with pytest.raises(BadToken):
        read(f"{part(header)}.{body}.{signature}")


@pytest.mark.parametrize("header", ["[" * 1500, '{"a":' * 300])
def test_a_header_that_is_nested_too_deeply_to_read_is_refused(header):
    token = f"{part(header)}.e30.AA"
    assert len(token) <= 2048
    with pytest.raises(BadToken):
        read(token)


@pytest.mark.parametrize("place", range(3))
def test_a_token_changed_anywhere_is_refused(place):
    parts = TOKEN.split(".")
    middle = len(parts[place]) // 2
    for letter in "AB":
        changed = parts[place][:middle] + letter + parts[place][middle + 1 :]
        if changed != parts[place]:
            with pytest.raises(BadToken):
                read(".".join([*parts[:place], changed, *parts[place + 1 :]]))


def test_a_zero_signature_is_refused():
    # CVE-2022-21449: r = s = 0 fits every message when nobody looks.
    head, body, _ = TOKEN.split(".")
    with pytest.raises(BadToken):
        read(f"{head}.{body}.{base64.urlsafe_b64encode(bytes(64)).rstrip(b'=').decode()}")


def test_the_claims_of_one_token_do_not_fit_the_signature_of_another():
    other = sign(replace(CLAIMS, user_id=8), pair=PAIR)
    with pytest.raises(BadToken):
        read(".".join([*other.split(".")[:2], TOKEN.split(".")[2]]))


def test_an_oversized_token_is_refused_without_a_look():
    def never(kid):
        raise AssertionError(kid)

    token = encode({**CLAIMS.to_payload(), "padding": "x" * 2000})
    assert read_large(token) == "x" * 2000
    with pytest.raises(BadToken):
        verify(token, find_key=never)


def read_large(token):
    """That nothing but its size is wrong with it."""
    return jwt.decode(token, KEY.public_key(), algorithms=["ES256"], audience="api")["padding"]


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*){2}", fullmatch=True))
def test_any_other_text_is_refused(text):
    with pytest.raises(BadToken):
        read(text)


def test_clocks_may_be_ten_seconds_apart():
    ahead = replace(CLAIMS, issued_at=datetime.now(UTC) + timedelta(seconds=8))
    assert read(sign(ahead, pair=PAIR))


def test_the_digest_changes_with_each_of_its_parts():
    whole: dict[str, Any] = {"key": "k", "user_id": 1, "password_hash": "hash", "is_active": True}
    changes: list[dict[str, Any]] = [
        {},
        {"key": "K"},
        {"user_id": 11},
        {"password_hash": "hash2"},
        {"is_active": False},
    ]
    digests = {user_digest(**{**whole, **change}) for change in changes}
    assert len(digests) == len(changes)
    assert {len(digest) for digest in digests} == {64}


def test_the_digest_tells_its_parts_apart():
    one = user_digest(key="k", user_id=1, password_hash="1\0hash", is_active=True)
    other = user_digest(key="k", user_id=1, password_hash="hash", is_active=True)
    assert one != other
