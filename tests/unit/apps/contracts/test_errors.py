import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.contracts.errors import ADDED_KEYS, CODE_OF_STATUS, CODES, complete_error

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("body", "status", "code", "message", "details"),
    [
        ({"detail": "Not found."}, 404, "not_found", "Not found.", {}),
        ({"error": "Invalid credentials"}, 401, "not_authenticated", "Invalid credentials", {}),
        ({"name": ["Too short."]}, 400, "invalid", "Too short.", {"name": ["Too short."]}),
        (
            {"profile": {"country": ["Unknown."]}, "services": [{}, {"name": ["Taken."]}]},
            400,
            "invalid",
            "Unknown.",
            {"profile.country": ["Unknown."], "services.1.name": ["Taken."]},
        ),
        (["No.", "Never."], 400, "invalid", "No.", {"errors": ["No.", "Never."]}),
        ("Internal Server Error", 500, "server_error", "Internal Server Error", {}),
        (None, 502, "bad_gateway", "Bad Gateway.", {}),
        ({"overall": "bad", "checks": {"disk": "full"}}, 503, "unavailable", None, {}),
        ({"error": "Rate limit exceeded", "detail": "Wait."}, 429, "throttled", "Wait.", {}),
        ({"detail": "No.", "code": "token_not_valid"}, 401, "token_not_valid", "No.", {}),
        ({"detail": "No.", "code": 7, "details": 8, "message": 9}, 418, "invalid", "No.", {}),
        ({}, 599, "server_error", "Error.", {}),
    ],
)
def test_an_error_gains_what_its_body_and_status_say(body, status, code, message, details):
    complete = complete_error(body, status=status, request_id="abcdefgh")
    assert complete["code"] == code
    assert complete["message"] == message or message is None
    assert complete["details"] == details
    assert complete["request_id"] == "abcdefgh"


@given(body=JSON, status=st.integers(400, 599), reason=st.sampled_from([*CODES, "", "blank"]))
def test_every_error_has_the_four_keys_and_loses_none_of_its_own(body, status, reason):
    complete = complete_error(body, status=status, request_id="abcdefgh", reason=reason)
    assert isinstance(complete["code"], str)
    assert complete["code"]
    assert isinstance(complete["message"], str)
    assert complete["message"]
    assert all(isinstance(messages, list) for messages in complete["details"].values()) or (
        isinstance(body, dict) and complete["details"] == body["details"]
    )
    if isinstance(body, dict):
        legacy = {key: value for key, value in body.items() if key not in ADDED_KEYS}
        assert {key: complete[key] for key in legacy} == legacy


def test_a_reason_says_more_than_the_status():
    body = {"detail": "Authentication credentials were not provided."}
    complete = complete_error(body, status=403, request_id="x", reason="not_authenticated")
    assert complete["code"] == "not_authenticated"


def test_every_code_is_in_the_reference():
    page = (Path(__file__).resolve().parents[4] / "docs/reference/errors.md").read_text()
    rows = [line.split("|")[1:3] for line in page.splitlines() if re.match(r"\| \d{3}", line)]
    told = {
        (int(status), code)
        for statuses, codes in rows
        for status in statuses.split(",")
        for code in re.findall(r"`(\w+)`", codes)
        if code in CODES
    }
    assert set(CODE_OF_STATUS.items()) <= told
    assert {code for _, code in told} == CODES
