import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.federation.tokens import expiry

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def jwt(claims: object) -> str:
    return f"eyJh.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


def test_expiry_of_both_versions_is_read():
    assert expiry(jwt({"exp": THEN.timestamp()})) == THEN
    assert expiry(jwt({"expire": THEN.timestamp() * 1000})) == THEN


@pytest.mark.parametrize(
    "claims",
    [
        {},
        [],
        3,
        {"exp": "soon"},
        {"exp": True},
        {"exp": -1},
        {"exp": 10**30},
        {"exp": float("nan")},
    ],
)
def test_token_without_a_usable_end_says_nothing(claims):
    assert expiry(jwt(claims)) is None


@given(st.text(max_size=200))
def test_any_text_is_read(text):
    expiry(text)
    expiry(f"a.{text}.b")
