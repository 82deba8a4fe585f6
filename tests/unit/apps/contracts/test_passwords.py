"""How hashes are named: what other programs wrote goes in and comes out unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.contracts.passwords import (
    NotBcrypt,
    hasher_paths,
    normalise,
    unwrap_bcrypt,
    wrap_bcrypt,
)

LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
raw_bcrypt = st.builds(
    "$2{}${:02}${}".format,
    st.sampled_from("aby"),
    st.integers(4, 31),
    st.text(LETTERS, min_size=53, max_size=53),
)
hexadecimal = st.text("0123456789abcdef", min_size=32, max_size=32)
# What is stored: our forms, what is almost one, and anything.
stored = st.one_of(
    raw_bcrypt,
    raw_bcrypt.map(lambda raw: raw[:-1]),
    raw_bcrypt.map("bcrypt${}".format),
    raw_bcrypt.map("bcrypt_sha256${}".format),
    hexadecimal,
    hexadecimal.map("md5$${}".format),
    hexadecimal.map(str.upper),
    st.text(),
)


@given(raw_bcrypt)
def test_bcrypt_comes_out_as_it_went_in(raw):
    assert unwrap_bcrypt(wrap_bcrypt(raw)) == raw


@given(stored)
def test_wrap_and_unwrap_take_each_only_what_the_other_gives(text):
    for there, back in ((wrap_bcrypt, unwrap_bcrypt), (unwrap_bcrypt, wrap_bcrypt)):
        try:
            result = there(text)
        except NotBcrypt:
            continue
        assert back(result) == text


@given(stored)
def test_only_a_form_without_a_name_is_given_one(text):
    normal = normalise(text)
    assert normal == text or normal.endswith(f"${text}")
    assert normal == text or not text.partition("$")[0] or len(text) == 32


@given(stored)
def test_normal_form_stays_as_it_is(text):
    assert normalise(normalise(text)) == normalise(text)


@given(raw_bcrypt)
def test_raw_bcrypt_is_wrapped(raw):
    assert normalise(raw) == wrap_bcrypt(raw) == f"bcrypt${raw}"


@given(hexadecimal)
def test_bare_md5_is_given_its_name(digest):
    assert normalise(digest) == f"md5$${digest}"


@pytest.mark.parametrize(
    "text",
    [
        *("", "bcrypt$", "$2b$12$", "$2b$12$" + "a" * 52, "$2b$12$" + "a" * 54),
        *("$2x$12$" + "a" * 53, "$2b$32$" + "a" * 53, "$2b$3$" + "a" * 54),
        *("$2b$12$" + "é" * 53, "$2b$١٢$" + "a" * 53, "$2b$12$" + "a" * 53 + "\n"),
    ],
)
def test_no_bcrypt_is_refused_without_repeating_it(text):
    with pytest.raises(NotBcrypt) as refusal:
        wrap_bcrypt(text)
    assert not text or text not in str(refusal.value)
    with pytest.raises(NotBcrypt):
        unwrap_bcrypt(f"bcrypt${text}")


def test_upgrade_changes_who_writes_and_not_what_is_read():
    before, after = hasher_paths(upgrade=False), hasher_paths(upgrade=True)
    assert sorted(before) == sorted(after)
    assert (before[0], after[0]) == (
        "apps.shared.identity.hashers.PBKDF2SHA256",
        "apps.shared.identity.hashers.Argon2",
    )
