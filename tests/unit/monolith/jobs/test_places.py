"""Users take turns with the transfers of a service, and no more run than it has places."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from federated_imputation.monolith.jobs import lease, places
from federated_imputation.monolith.jobs.models import JobWork
from federated_imputation.monolith.jobs.places import Waiting, admitted
from tests.factories import NOW, make_service, make_user
from tests.job_world import World

SECOND = timedelta(seconds=1)


def waiting(number: int, user: int, since: int) -> Waiting:
    return Waiting(job_id=UUID(int=number), user_id=user, since=NOW + since * SECOND)


WAITERS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), max_size=20).map(
    lambda found: [waiting(n, user, since) for n, (user, since) in enumerate(found)]
)
HOLDERS = st.dictionaries(st.integers(1, 4), st.integers(1, 5))


@given(HOLDERS, WAITERS, st.integers(1, 12))
def test_places_are_all_given_and_never_more(holding, waiters, most):
    chosen = admitted(holding=holding, waiting=waiters, most=most)

    free = max(0, most - sum(holding.values()))
    assert len(chosen) == len(set(chosen)) == min(free, len(waiters))


@given(HOLDERS, WAITERS, st.integers(1, 12))
def test_nobody_gets_a_place_while_somebody_with_fewer_waits(holding, waiters, most):
    chosen = set(admitted(holding=holding, waiting=waiters, most=most))

    after = Counter(holding) + Counter(w.user_id for w in waiters if w.job_id in chosen)
    got = {w.user_id for w in waiters if w.job_id in chosen}
    left = {w.user_id for w in waiters if w.job_id not in chosen}
    for lucky in got:
        for other in left:
            assert after[lucky] - 1 <= after[other]


@given(WAITERS)
def test_jobs_of_one_user_come_in_the_order_in_which_they_asked(waiters):
    mine = [Waiting(job_id=w.job_id, user_id=1, since=w.since) for w in waiters]

    chosen = admitted(holding={}, waiting=mine, most=64)

    assert list(chosen) == [w.job_id for w in sorted(mine, key=lambda w: (w.since, w.job_id))]


def wake_next(world: World) -> None:
    with transaction.atomic():
        places.wake_next(service=world.service, now=world.clock())


def test_number_of_places_is_a_setting_of_the_service(db):
    def most(**config: object) -> int:
        return places.most_transfers(make_service(str(config), api_config=config))

    assert most() == 4
    assert most(most_transfers=9) == 9
    assert most(most_transfers=0) == 1
    assert most(most_transfers=10**9) == 64
    assert most(most_transfers="many") == 4
    assert most(most_transfers=True) == 4


def test_job_waits_for_a_place_and_is_woken_when_one_is_free(world: World):
    world.service.api_config = {**world.service.api_config, "most_transfers": 1}
    world.service.save()
    first, second = world.submit(), world.submit()
    holder = lease.claim(first, now=world.clock())
    assert holder is not None
    assert places.take(holder, service=world.service, now=world.clock()) is None

    world.step()

    assert world.server.count("submit") == 0
    assert world.messages(second)[-1].startswith("Waiting: other jobs")
    row = JobWork.objects.get(job_id=second)
    assert row.place_wanted_at == world.clock()
    assert row.next_poll_at == world.clock() + 15 * SECOND

    JobWork.objects.filter(job_id=first).update(holds_place=False)
    wake_next(world)

    assert JobWork.objects.get(job_id=second).next_poll_at == world.clock()
    assert world.finish(second).status == "completed"
    assert not JobWork.objects.filter(job_id=second, holds_place=True).exists()


def test_place_of_a_worker_that_died_is_free_when_its_lease_ends(world: World):
    world.service.api_config = {**world.service.api_config, "most_transfers": 1}
    world.service.save()
    first, second = world.submit(), world.submit()
    dead = lease.claim(first, now=world.clock())
    assert dead is not None
    places.take(dead, service=world.service, now=world.clock())
    JobWork.objects.filter(job_id=first).update(next_poll_at=world.clock() + timedelta(hours=1))

    assert world.finish(second).status == "completed"
    assert world.clock() - NOW >= lease.LEASE


def test_user_with_many_jobs_does_not_keep_another_waiting(world: World):
    world.service.api_config = {**world.service.api_config, "most_transfers": 1}
    world.service.save()
    mine = [world.submit() for _ in range(3)]
    holder = lease.claim(mine[0], now=world.clock())
    assert holder is not None
    assert places.take(holder, service=world.service, now=world.clock()) is None
    world.step()
    world.clock.move(SECOND)
    world.user = make_user("bea")
    theirs = world.submit()
    world.step()
    assert JobWork.objects.filter(place_wanted_at__isnull=False).count() == 3

    world.service.api_config = {**world.service.api_config, "most_transfers": 2}
    world.service.save()
    wake_next(world)

    woken = JobWork.objects.filter(next_poll_at=world.clock(), place_wanted_at__isnull=False)
    assert list(woken.values_list("job_id", flat=True)) == [theirs]
