"""One verdict for every form of hash, and one price for every refusal."""

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from rest_framework.exceptions import ValidationError

from apps.shared.identity.passwords import check_password, refuse_weak
from tests.cheap_hashers import CheapPBKDF2SHA256, cheap_hashers
from tests.stored_passwords import CHEAP, OPENED_BY_NOTHING, named

REFUSED = {
    "nobody": None,
    "unusable": "!",
    "damaged": "pbkdf2_sha256$x$salt$hash",
    "costly": "pbkdf2_sha256$999999999$salt$hash",
    "no algorithm": "correct horse",
    "md5": named("md5").stored,
    "unsalted md5": named("unsalted md5").stored,
    "bcrypt": named("raw bcrypt 2y").stored,
    "argon2": named("argon2id").stored,
    "fewer iterations": named("pbkdf2_sha256 1").stored,
    "more iterations": named("pbkdf2_sha256 of one character").stored,
}


class Clock:
    """Tells the given times, one after the other, and remembers who waited."""

    def __init__(self, *times):
        self._times = iter(times)
        self.waited = []

    def __call__(self):
        return next(self._times)

    def check(self, password, encoded):
        return check_password(
            password, encoded, refusal_seconds=1.0, clock=self, sleep=self.waited.append
        )


@pytest.mark.parametrize("stored", CHEAP, ids=str)
def test_password_fits_in_every_form(stored):
    assert check_password(stored.password, stored.stored)


@pytest.mark.parametrize("stored", OPENED_BY_NOTHING.values(), ids=OPENED_BY_NOTHING)
@pytest.mark.parametrize("password", ["correct horse", "", "\ud800"])
def test_nothing_fits_a_hash_that_is_none(stored, password):
    assert not check_password(password, stored)


def test_nobody_has_no_password():
    assert not check_password("", None)


def test_hash_in_the_form_of_new_ones_is_not_outdated():
    verdict = check_password("new", make_password("new"))
    assert (verdict.fits, verdict.outdated) == (True, False)


def test_hash_of_another_algorithm_is_outdated_only_if_the_password_fits():
    assert check_password("correct horse", named("md5").stored).outdated
    assert not check_password("another", named("md5").stored).outdated


@pytest.mark.parametrize("upgrade", [False, True])
def test_argon2_of_other_parameters_is_outdated(settings, upgrade):
    settings.PASSWORD_HASHERS = cheap_hashers(upgrade=upgrade)
    assert check_password("correct horse", named("argon2id").stored).outdated


@pytest.mark.parametrize(
    ("until", "waited"), [(10.0, 1.0), (10.25, 0.75), (10.75, 0.25), (11.5, 0.5), (14.75, 0.25)]
)
@pytest.mark.parametrize("stored", REFUSED.values(), ids=REFUSED)
def test_refusal_comes_on_a_whole_second_after_the_question(stored, until, waited):
    clock = Clock(10.0, until)
    assert not clock.check("another", stored)
    assert clock.waited == [waited]


def test_right_password_waits_for_nothing():
    clock = Clock(10.0, 10.25)
    assert clock.check("correct horse", named("md5").stored)
    assert clock.waited == []


@pytest.mark.parametrize("stored", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("password", ["another", "\ud800"])
def test_refusal_costs_at_least_one_run_of_the_writing_hasher(stored, password):
    assert not check_password(password, stored)
    assert CheapPBKDF2SHA256.spent >= CheapPBKDF2SHA256.iterations


@pytest.mark.parametrize("password", ["Sh0rt", "Aa1$xyz90", "password1234", "8427591036284"])
def test_weak_new_password_is_refused_by_the_name_of_its_field(password):
    with pytest.raises(ValidationError) as refusal:
        refuse_weak(password, field="new_password")
    assert set(refusal.value.get_full_details()) == {"new_password"}
    assert password not in str(refusal.value)


def test_new_password_like_the_name_of_its_user_is_refused():
    refuse_weak("grace.hopper")
    with pytest.raises(ValidationError):
        refuse_weak("grace.hopper", user=User(username="gracehopper"))


def test_every_broken_rule_is_told():
    with pytest.raises(ValidationError) as refusal:
        refuse_weak("12345")
    assert isinstance(refusal.value.detail, dict)
    assert len(refusal.value.detail["password"]) == 3


def test_good_new_password_passes():
    refuse_weak("correct horse battery staple", user=User(username="ada"))
