"""The claims of a token, as every deployment writes and reads them."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from apps.contracts.tokens import BadClaims, Claims, TokenType, bearer_token

CLAIMS = Claims(
    token_type=TokenType.ACCESS,
    user_id=7,
    family=UUID("0b9f6f0e-5d0e-4d59-9a53-0c5b2b0c1d11"),
    token_id="0123456789abcdef" * 2,
    digest="ab" * 32,
    issued_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    expires_at=datetime(2026, 3, 1, 12, 15, tzinfo=UTC),
)


def test_claims_are_written_under_the_documented_names():
    assert CLAIMS.to_payload() == {
        "iss": "federated-imputation",
        "aud": "api",
        "sub": "7",
        "iat": 1772366400,
        "exp": 1772367300,
        "jti": "0123456789abcdef0123456789abcdef",
        "token_type": "access",
        "fam": "0b9f6f0e-5d0e-4d59-9a53-0c5b2b0c1d11",
        "dig": "ab" * 32,
    }


def test_what_was_written_is_read_again():
    assert Claims.from_payload(CLAIMS.to_payload()) == CLAIMS


@pytest.mark.parametrize("claim", ["sub", "iat", "exp", "jti", "token_type", "fam", "dig"])
def test_a_missing_claim_is_named(claim):
    payload = CLAIMS.to_payload()
    del payload[claim]
    with pytest.raises(BadClaims) as refused:
        Claims.from_payload(payload)
    assert refused.value.claim == claim


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("sub", 7),
        ("sub", ""),
        ("sub", "07"),
        ("sub", "-7"),
        ("sub", "\u0667"),
        ("sub", "9" * 11),
        ("iat", True),
        ("exp", 1772367300.0),
        ("exp", "1772367300"),
        ("exp", 10**30),
        ("exp", -(10**30)),
        ("jti", "0" * 31),
        ("jti", "G" * 32),
        ("jti", None),
        ("token_type", "sliding"),
        ("token_type", ["access"]),
        ("fam", "0B9F6F0E-5D0E-4D59-9A53-0C5B2B0C1D11"),
        ("fam", "x"),
        ("dig", "ab" * 31),
    ],
)
def test_a_claim_of_another_form_is_refused(claim, value):
    with pytest.raises(BadClaims) as refused:
        Claims.from_payload({**CLAIMS.to_payload(), claim: value})
    assert refused.value.claim == claim


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer a.b.c", "a.b.c"),
        ("bearer a.b.c", "a.b.c"),
        ("  BEARER   a.b.c  ", "a.b.c"),
        ("Bearer a b", "a b"),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("", None),
        ("Basic YTpi", None),
        ("Bearera.b.c", None),
    ],
)
def test_the_token_of_a_header(header, token):
    assert bearer_token(header) == token
