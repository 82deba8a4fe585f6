"""Signing keys: their states, the command, and what is published."""

import json
from datetime import timedelta
from io import StringIO

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import CommandError, call_command
from django.utils import timezone

from federated_imputation.monolith.accounts.keys import load_public, make_key, thumbprint
from federated_imputation.monolith.accounts.models import AuditLog, SigningKey
from federated_imputation.monolith.accounts.operations.keys import (
    get_signing_pair,
    revoke_key,
    rotate_keys,
)
from federated_imputation.monolith.accounts.queries.keys import VerifyingKeys
from tests.factories import make_user
from tests.unit.monolith.accounts.login import get, log_in, opens, refresh

JWKS = "/.well-known/jwks.json"
database = pytest.mark.django_db


def command(*arguments):
    out = StringIO()
    call_command("keys", *arguments, stdout=out)
    return out.getvalue()


def keys():
    """`kid` by state; the states that many may be in hold lists."""
    found = json.loads(command("list", "--json"))["keys"]
    return {
        "next": next(key["kid"] for key in found if key["state"] == "next"),
        "current": next(key["kid"] for key in found if key["state"] == "current"),
        "previous": [key["kid"] for key in found if key["state"] == "previous"],
    }


def published():
    return [key["kid"] for key in get(JWKS).json()["keys"]]


@database
def test_the_first_need_makes_a_current_and_a_next_key():
    make_user()
    assert not SigningKey.objects.exists()
    token = log_in()["access_token"]
    assert jwt.get_unverified_header(token)["kid"] == keys()["current"]
    assert sorted(SigningKey.objects.values_list("state", flat=True)) == ["current", "next"]


@database
def test_rotation_moves_each_key_one_state_on():
    before = keys()
    command("rotate")
    after = keys()
    assert after["current"] == before["next"]
    assert after["previous"] == [before["current"]]
    assert after["next"] not in (before["next"], before["current"])


@database
def test_tokens_stay_valid_over_rotations_and_new_ones_are_signed_by_the_new_key():
    make_user()
    old = log_in()
    command("rotate")
    command("rotate")
    assert opens(old["access_token"])
    new = refresh(old["refresh_token"]).json()
    assert jwt.get_unverified_header(new["access_token"])["kid"] == keys()["current"]
    assert opens(new["access_token"])


@database
def test_a_previous_key_stays_until_its_last_refresh_token_has_expired():
    start = timezone.now()
    first = get_signing_pair(now=start).kid
    rotate_keys(now=start)
    rotate_keys(now=start + timedelta(days=14))
    assert first in published()
    rotate_keys(now=start + timedelta(days=14, hours=1, seconds=1))
    assert first not in published()


@database
@pytest.mark.parametrize("state", ["next", "current", "previous"])
def test_a_revoked_key_is_gone_and_the_others_fill_its_place(state):
    command("rotate")
    before = keys()
    kid = before["previous"][0] if state == "previous" else before[state]
    command("revoke", kid)
    after = keys()
    assert kid not in published()
    assert after["current"] == before["next" if state == "current" else "current"]
    assert after["next"] != kid


@database
def test_all_that_a_revoked_key_signed_is_dead():
    make_user()
    old = log_in()
    command("revoke", keys()["current"])
    with time_machine.travel(timezone.now() + timedelta(seconds=1)):
        assert not opens(old["access_token"])
        assert refresh(old["refresh_token"]).status_code == 401
        assert opens(log_in()["access_token"])


@database
def test_revoking_an_unknown_key_changes_nothing():
    before = keys()
    with pytest.raises(CommandError, match="There is no key nonsense"):
        command("revoke", "nonsense")
    assert keys() == before


@database
def test_rotation_and_revocation_are_audited():
    rotate_keys(now=timezone.now())
    gone = keys()["previous"][0]
    revoke_key(kid=gone, now=timezone.now())
    rows = AuditLog.objects.filter(resource_type="signing_key").order_by("id")
    assert [(row.action, row.resource_id) for row in rows] == [
        ("rotate_keys", keys()["current"]),
        ("revoke_key", keys()["current"]),
    ]
    assert rows[1].details["revoked"] == gone


@database
def test_the_key_set_holds_every_public_key_and_nothing_private():
    command("rotate")
    answer = get(JWKS)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "public, max-age=60"
    states = keys()
    assert set(published()) == {states["next"], states["current"], *states["previous"]}
    for key in answer.json()["keys"]:
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")


@database
def test_another_program_verifies_a_token_with_the_key_set():
    make_user()
    token = log_in()["access_token"]
    key = jwt.PyJWKSet.from_dict(get(JWKS).json())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token, key, algorithms=["ES256"], audience="api", issuer="federated-imputation"
    )
    assert claims["token_type"] == "access"


@database
def test_no_private_key_is_stored_in_plain_text_or_printed():
    printed = command("list") + command("rotate", "--json")
    for encrypted in SigningKey.objects.values_list("encrypted", flat=True):
        assert "PRIVATE" not in encrypted
        assert encrypted not in printed
    assert "PRIVATE" not in printed


@database
def test_the_list_is_for_people_too():
    lines = command("list").splitlines()
    assert [line.split()[1] for line in lines] == ["next", "current"]


def test_no_kid_looks_like_an_option_of_a_command():
    assert not any(make_key().kid.startswith("-") for _ in range(300))  # one in 64 would


def test_the_thumbprint_is_that_of_the_standard():
    # The key of RFC 9449 4.2, whose thumbprint is the `jkt` of 6.1.
    jwk = {
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    }
    assert thumbprint(jwk) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_a_private_key_is_never_taken_for_a_public_one():
    private = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private))
    with pytest.raises(ValueError, match="private"):
        load_public(jwk)


class _Keys:
    """A table of keys that counts the looks at it, and a clock that stands."""

    def __init__(self):
        self.rows, self.looks, self.time = {}, 0, 0.0

    def add(self):
        key = make_key()
        self.rows[key.kid] = load_public(key.public_jwk)
        return key.kid

    def load(self):
        self.looks += 1
        return dict(self.rows)

    def clock(self):
        return self.time


@pytest.fixture
def table():
    return _Keys()


@pytest.fixture
def find(table):
    return VerifyingKeys(load=table.load, clock=table.clock)


def test_keys_are_read_once_a_second(table, find):
    kid = table.add()
    assert find(kid) is find(kid) is not None
    assert table.looks == 1
    table.time = 0.99
    find(kid)
    assert table.looks == 1
    table.time = 1.0
    find(kid)
    assert table.looks == 2


def test_a_key_that_is_gone_is_forgotten_within_a_second(table, find):
    kid = table.add()
    assert find(kid)
    table.rows.clear()
    table.time = 1.0
    assert find(kid) is None


def test_a_new_key_is_known_at_once(table, find):
    assert find(table.add())
    assert find(table.add())


def test_an_unknown_key_costs_one_look_and_a_malformed_one_none(table, find):
    find(table.add())
    assert find("x" * 43) is None
    assert table.looks == 2
    assert find("x" * 42) is None
    assert table.looks == 2
