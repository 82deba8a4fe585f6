"""Secrets in a service's address and settings are masked, kept by the mask, and known by place."""

import pytest

from federated_imputation.monolith.registry.masking import (
    MASK,
    MaskWithoutSecret,
    is_same_origin,
    masked_config,
    masked_url,
    unmasked_config,
    unmasked_url,
    without_secrets,
)

SECRET = "hunter2"
URL = f"https://ada:{SECRET}@imputation.example.org/api"
CONFIG = {
    "application": "imputationserver2",
    "api_key_required": True,
    "token": SECRET,
    "Authorization": {"scheme": "basic", "value": SECRET},
    "password": "",
    "deep": [{"name": "a", "api_key": SECRET}, {"name": "b"}],
    "mirror": f"https://ada:{SECRET}@mirror.example.org/x",
    "limit": 3,
}


def test_mask_hides_every_secret_and_nothing_else():
    assert masked_config(CONFIG) == {
        "application": "imputationserver2",
        "api_key_required": True,
        "token": MASK,
        "Authorization": MASK,
        "password": "",
        "deep": [{"name": "a", "api_key": MASK}, {"name": "b"}],
        "mirror": f"https://{MASK}@mirror.example.org/x",
        "limit": 3,
    }
    assert masked_url(URL) == f"https://{MASK}@imputation.example.org/api"
    assert masked_url("https://imputation.example.org/a@b") == "https://imputation.example.org/a@b"
    assert masked_url("https://[broken") == ""


def test_mask_that_comes_back_stands_for_what_is_kept():
    assert unmasked_config(masked_config(CONFIG), stored=CONFIG) == CONFIG
    assert unmasked_url(masked_url(URL), stored=URL) == URL


def test_neighbours_of_a_mask_may_change():
    given = masked_config(CONFIG) | {"limit": 4, "token": "new", "added": [1]}
    assert unmasked_config(given, stored=CONFIG) == CONFIG | {
        "limit": 4,
        "token": "new",
        "added": [1],
    }
    del given["Authorization"]
    assert "Authorization" not in unmasked_config(given, stored=CONFIG)
    assert unmasked_url(f"https://{MASK}@imputation.example.org/v2", stored=URL) == (
        f"https://ada:{SECRET}@imputation.example.org/v2"
    )


@pytest.mark.parametrize(
    "given",
    [
        {"somewhere else": MASK},
        {"deep": [{"name": "b"}, {"name": "a", "api_key": MASK}]},
        {"token": {"inner": MASK}},
        {"mirror": f"https://{MASK}@other.example.org/x"},
        [MASK],
        MASK,
    ],
)
def test_mask_at_another_place_is_refused(given):
    with pytest.raises(MaskWithoutSecret):
        unmasked_config(given, stored=CONFIG)


@pytest.mark.parametrize(
    "given",
    [
        f"https://{MASK}@other.example.org/api",
        f"http://{MASK}@imputation.example.org/api",
        f"https://{MASK}@imputation.example.org:8443/api",
        f"https://{MASK}@imputation.example.org.evil.example/api",
    ],
)
def test_mask_does_not_carry_a_user_to_another_address(given):
    with pytest.raises(MaskWithoutSecret):
        unmasked_url(given, stored=URL)
    assert unmasked_url("https://bob:x@other.example.org/", stored=URL).endswith(
        "//bob:x@" + "other.example.org/"
    )


def test_mask_without_a_stored_user_is_refused():
    with pytest.raises(MaskWithoutSecret):
        unmasked_url(f"https://{MASK}@a.example.org/", stored="https://a.example.org/")


def test_what_is_left_without_secrets_holds_none():
    left = without_secrets(CONFIG)
    assert SECRET not in str(left)
    assert left["application"] == "imputationserver2"
    assert left["deep"] == [{"name": "a"}, {"name": "b"}]
    assert left["mirror"] == "https://mirror.example.org/x"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("https://imputation.example.org", True),
        ("https://IMPUTATION.example.org:443/elsewhere", True),
        ("https://bob@imputation.example.org/", True),
        ("http://imputation.example.org", False),
        ("https://imputation.example.org:444", False),
        ("https://imputation.example.org:99999", False),
        ("https://example.org", False),
        ("https://imputation.example.org@evil.example/", False),
        ("https://[broken", False),
        ("", False),
    ],
)
def test_origin_is_scheme_host_and_port(other, same):
    assert is_same_origin(URL, other) is same
    assert is_same_origin(other, URL) is same
