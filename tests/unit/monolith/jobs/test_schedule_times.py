"""When a schedule is due: on the calendar, on clocks that are moved, at the ends of months."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated_imputation.monolith.jobs.plans.decisions import following
from federated_imputation.monolith.jobs.plans.recurrence import Recurrence, Rhythm

# Of a busy machine nothing is said here.
_PATIENTLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PARIS = ZoneInfo("Europe/Paris")
ZONES = (
    "UTC",
    "Africa/Bamako",
    "Africa/Johannesburg",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # moves its clock by half an hour
    "Europe/Paris",
    "Pacific/Apia",  # left out a whole day
)
MOMENTS = st.integers(0, 31 * 366 * 24 * 60).map(
    lambda minutes: datetime(2005, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
RECURRENCES = st.builds(
    Recurrence,
    rhythm=st.sampled_from(Rhythm),
    first=MOMENTS,
    interval=st.integers(1, 366),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)


def at(year, month, day, hour=2, minute=0, *, zone=PARIS, fold=0):
    return datetime(year, month, day, hour, minute, tzinfo=zone, fold=fold)


def recurrence(first, rhythm="daily", interval=1, zone=PARIS):
    return Recurrence(rhythm=Rhythm(rhythm), first=first, interval=interval, zone=zone)


def local(found, count):
    """The first times as the clock of the zone shows them."""
    return [f"{found.time(n).astimezone(found.zone):%Y-%m-%d %H:%M}" for n in range(count)]


def test_daily_time_stays_on_the_clock_when_summer_begins_and_ends():
    assert local(recurrence(at(2026, 3, 27, 9)), 4) == [
        "2026-03-27 09:00",
        "2026-03-28 09:00",
        "2026-03-29 09:00",
        "2026-03-30 09:00",
    ]
    autumn = recurrence(at(2026, 10, 24, 9))
    assert local(autumn, 2) == ["2026-10-24 09:00", "2026-10-25 09:00"]
    assert autumn.time(1) - autumn.time(0) == timedelta(hours=25)


def test_time_that_the_clock_leaves_out_comes_as_much_later():
    assert local(recurrence(at(2026, 3, 28, 2, 30)), 3) == [
        "2026-03-28 02:30",
        "2026-03-29 03:30",
        "2026-03-30 02:30",
    ]


def test_time_that_the_clock_shows_twice_comes_once_and_first():
    found = recurrence(at(2026, 10, 24, 2, 30))
    assert found.time(1) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert found.after(found.time(1)) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_first_time_is_the_very_moment_that_was_named():
    second = at(2026, 10, 25, 2, 30, fold=1)
    found = recurrence(second)
    assert found.time(0) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert found.after(second - timedelta(seconds=1)) == found.time(0)


def test_last_of_a_month_stands_for_days_that_it_has_not():
    assert local(recurrence(at(2027, 12, 31), "monthly"), 5) == [
        "2027-12-31 02:00",
        "2028-01-31 02:00",
        "2028-02-29 02:00",
        "2028-03-31 02:00",
        "2028-04-30 02:00",
    ]


def test_interval_counts_days_weeks_and_months():
    first = at(2026, 1, 31)
    assert local(recurrence(first, "daily", 10), 2)[1] == "2026-02-10 02:00"
    assert local(recurrence(first, "weekly", 2), 2)[1] == "2026-02-14 02:00"
    assert local(recurrence(first, "monthly", 13), 2)[1] == "2027-02-28 02:00"


def test_day_that_a_country_left_out_brings_no_time_of_its_own():
    apia = ZoneInfo("Pacific/Apia")
    found = recurrence(at(2011, 12, 29, zone=apia), zone=apia)
    friday = found.after(found.time(0))
    assert f"{friday.astimezone(apia):%Y-%m-%d}" == "2011-12-31"
    assert f"{found.after(friday).astimezone(apia):%Y-%m-%d}" == "2012-01-01"
    assert found.count_between(found.time(0), found.after(friday)) == 2


def test_once_is_once():
    found = recurrence(at(2026, 3, 1), "once")
    assert found.after(at(2026, 2, 1)) == at(2026, 3, 1)
    assert found.after(at(2026, 3, 1)) is None
    assert found.count_between(at(2026, 3, 1), at(2030, 1, 1)) == 0


def test_times_end_with_the_calendar():
    found = recurrence(datetime(9999, 12, 1, tzinfo=UTC), "monthly", zone=ZoneInfo("UTC"))
    assert found.after(found.first) is None


@_PATIENTLY
@given(RECURRENCES, st.integers(0, 5000), st.floats(0, 1, exclude_max=True))
def test_next_time_is_the_first_one_later(found, number, part):
    time, later = found.time(number), found.time(number + 1)
    if time is None or later is None:
        assert found.rhythm is Rhythm.ONCE or number > 300
        return
    moment = time + (later - time) * part
    following = later if later > moment else found.time(number + 2)  # a day was left out

    assert found.after(moment) == following
    assert found.count_between(moment, following) == 1


@_PATIENTLY
@given(RECURRENCES, MOMENTS)
def test_every_moment_but_the_last_has_a_next_time(found, moment):
    following = found.after(moment)
    if following is None:
        assert found.rhythm is Rhythm.ONCE
        assert found.first <= moment
    else:
        assert following > moment


@_PATIENTLY
@given(RECURRENCES.filter(lambda found: found.rhythm is not Rhythm.ONCE), st.integers(1, 200))
def test_time_of_day_is_the_first_ones_but_where_the_clock_leaves_it_out(found, number):
    first = found.first.astimezone(found.zone)
    then = found.time(number).astimezone(found.zone)
    if then.time() != first.time():
        assert _leaves_out(found.zone, then, first)


def _leaves_out(zone, then, first):
    """Whether the wall clock near `then` never shows the time of day of `first`."""
    for days in (0, -1):
        wall = datetime.combine(then.date() + timedelta(days), first.time(), zone)
        if wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
            return True
    return False


@_PATIENTLY
@given(RECURRENCES, st.integers(0, 50))
def test_times_never_go_back(found, count):
    times = [time for number in range(count) if (time := found.time(number)) is not None]
    assert all(earlier <= later for earlier, later in pairwise(times))


@_PATIENTLY
@given(RECURRENCES, st.integers(0, 40), st.integers(0, 40))
def test_missed_times_are_those_between(found, start, more):
    begin, end = found.time(start), found.time(start + more)
    if begin is None or end is None:
        return
    between = {found.time(number) for number in range(start, start + more + 1)} - {begin}
    assert found.count_between(begin, end) == len(between)


@_PATIENTLY
@given(
    RECURRENCES,
    MOMENTS,
    st.integers(0, 20),
    st.none() | st.integers(1, 20),
    st.integers(0, 8),
)
def test_schedule_goes_on_or_says_why_not(found, now, executions, most, refusals):
    then = following(
        found,
        now=now,
        executions=executions,
        most=most,
        refusals=refusals,
        most_refusals=5,
        refusal="No." if refusals else "",
    )
    assert (then.next_execution is None) == bool(then.because)
    if then.next_execution is not None:
        assert then.next_execution == found.after(now)
        assert refusals < 5
        assert most is None or executions < most
