"""The bridge reads what other programs wrote, and takes any text for a hash."""

import re

import pytest
from django.contrib.auth.hashers import get_hasher, get_hashers, identify_hasher, make_password
from django.utils.module_loading import import_string
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.contracts.passwords import hasher_paths, normalise
from tests.stored_passwords import CHEAP, OPENED_BY_NOTHING, STORED, named


def verify(password, stored):
    stored = normalise(stored)
    return identify_hasher(stored).verify(password, stored)


@pytest.mark.parametrize("stored", CHEAP, ids=str)
def test_password_fits_what_another_program_stored(stored):
    assert verify(stored.password, stored.stored)


@pytest.mark.parametrize("stored", CHEAP, ids=str)
@pytest.mark.parametrize("change", ["X{}", " {}", "\ud800{}", ""])
def test_another_password_does_not_fit(stored, change):
    assert not verify(change.format(stored.password), stored.stored)


def test_bcrypt_looks_at_the_first_72_bytes():
    stored = named("bcrypt of 86 bytes")
    assert verify(stored.password[:72], stored.stored)
    assert verify(stored.password[:72] + "anything", stored.stored)
    assert not verify(stored.password[:71], stored.stored)


def test_bcrypt_takes_no_password_that_goes_on_behind_its_end():
    # To the algorithm these are one: it repeats the password with the NUL that ends it.
    stored = named("raw bcrypt 2b")
    assert not verify(f"{stored.password}\0{stored.password}", stored.stored)


@pytest.mark.parametrize("stored", OPENED_BY_NOTHING.values(), ids=OPENED_BY_NOTHING)
def test_damaged_or_costly_hash_fits_nothing_and_shows_nothing(stored):
    for path in hasher_paths(upgrade=False):
        hasher = import_string(path)()
        if not stored.startswith(f"{hasher.algorithm}$"):
            continue
        assert not hasher.verify("correct horse", stored)
        assert not hasher.verify("", stored)
        hasher.must_update(stored)
        hasher.safe_summary(stored)


@pytest.mark.parametrize(
    "stored",
    [
        normalise(stored)
        for what, stored in OPENED_BY_NOTHING.items()
        if re.search("(hours|days|much|many|more) |all memory", what)
    ],
)
def test_costly_hash_is_refused_before_any_work(stored):
    with pytest.raises(ValueError):  # noqa: PT011 - the caller knows no more of it
        identify_hasher(stored).decode(stored)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    stored=st.sampled_from([stored.stored for stored in CHEAP]),
    place=st.integers(0, 128),
    width=st.integers(0, 4),
    put=st.text(st.sampled_from("0129-+_ $,=.é\0\ud800🧬ax/"), max_size=4),
    password=st.sampled_from(["correct horse", "", "\0", "\ud800"]),
)
def test_no_text_breaks_a_check(stored, place, width, put, password):
    damaged = normalise(stored[:place] + put + stored[place + width :])
    try:
        hasher = identify_hasher(damaged)
    except ValueError:
        return
    if hasher.verify(password, damaged):
        assert password == "correct horse"
    hasher.must_update(damaged)
    hasher.safe_summary(damaged)


@pytest.mark.parametrize("stored", STORED, ids=str)
def test_admin_page_shows_no_whole_hash(stored):
    normal = normalise(stored.stored)
    shown = identify_hasher(normal).safe_summary(normal)
    assert shown["algorithm"]
    assert normal.rpartition("$")[2] not in map(str, shown.values())


def test_no_hash_asks_to_be_written_again():
    writer, *_ = get_hashers()
    for stored in CHEAP:
        normal = normalise(stored.stored)
        if identify_hasher(normal).algorithm != "argon2":
            assert not identify_hasher(normal).must_update(normal)
            assert not writer.must_update(normal)


def test_argon2_asks_for_the_parameters_of_new_hashes():
    shipped = import_string(hasher_paths(upgrade=True)[0])()
    assert shipped.must_update(named("argon2id").stored)
    assert shipped.must_update(named("argon2i").stored)
    assert not shipped.must_update(named("argon2id as Django 5.2 has it").stored)


def test_new_hash_is_read_by_the_hasher_that_wrote_it():
    for algorithm in ("pbkdf2_sha256", "argon2"):
        assert verify("new password", make_password("new password", hasher=get_hasher(algorithm)))
