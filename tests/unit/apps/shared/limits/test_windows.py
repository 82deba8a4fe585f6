import logging
import socketserver
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.shared.limits.passwords import (
    PER_ACCOUNT,
    PER_ADDRESS,
    TooManyAttempts,
    count_password_attempt,
    remember_success,
)
from apps.shared.limits.requests import windows_of
from apps.shared.limits.windows import Limiter, LimitExceeded, Window

THREE = Window(name="three", amount=3, seconds=60)


@pytest.fixture(autouse=True)
def _limits_on(settings):
    settings.RATE_LIMITS = True


@pytest.fixture
def limiter(settings):
    return Limiter(url=settings.REDIS_URL, prefix=f"test:{uuid.uuid4().hex}")


def within(limiter, window, *key):
    try:
        limiter.count(window, *key)
    except LimitExceeded:
        return False
    return True


def test_a_window_takes_its_amount_and_tells_when_it_has_room(limiter):
    assert [within(limiter, THREE, "ada") for _ in range(4)] == [True, True, True, False]
    with pytest.raises(LimitExceeded) as refused:
        limiter.count(THREE, "ada")
    assert 50 <= refused.value.wait <= 60
    assert refused.value.window == THREE


def test_windows_are_apart_by_name_and_by_every_part_of_the_key(limiter):
    other = Window(name="other", amount=3, seconds=60)
    for _ in range(3):
        limiter.count(THREE, "a", "bc")
    assert not within(limiter, THREE, "a", "bc")
    assert within(limiter, THREE, "ab", "c")
    assert within(limiter, THREE, "abc")
    assert within(limiter, other, "a", "bc")


def test_a_window_has_room_again_after_its_time(limiter):
    short = Window(name="short", amount=1, seconds=1)
    limiter.count(short, "ada")
    with pytest.raises(LimitExceeded) as refused:
        limiter.count(short, "ada")
    threading.Event().wait(refused.value.wait + 0.05)
    limiter.count(short, "ada")


def test_parallel_attempts_do_not_pass_together(settings):
    prefix = f"test:{uuid.uuid4().hex}"
    threads = 20
    ready = threading.Barrier(threads)

    def attempt(_):
        limiter = Limiter(url=settings.REDIS_URL, prefix=prefix)  # a process of its own
        ready.wait(timeout=20)
        return within(limiter, THREE, "ada")

    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(attempt, range(threads))) == THREE.amount


def test_names_of_people_are_not_kept_in_redis(limiter, settings):
    limiter.count(THREE, "grace@example.org")
    limiter.remember("mark", "grace@example.org", seconds=60)
    keys = limiter._redis.keys("test:*")
    assert keys
    assert not [key for key in keys if b"grace" in key]


def test_without_redis_everything_passes_and_one_line_a_minute_is_logged(caplog):
    now = [0.0]
    limiter = Limiter(url="redis://127.0.0.1:1/0", prefix="test", clock=lambda: now[0])
    with caplog.at_level(logging.ERROR, "apps.shared.limits.windows"):
        for second in range(0, 120, 2):
            now[0] = second
            assert within(limiter, Window(name="none", amount=0, seconds=60), "ada")
            limiter.remember("mark", "ada", seconds=60)
            assert not limiter.remembers("mark", "ada")
    assert len(caplog.records) == 2
    assert "Redis does not answer" in caplog.text


def test_after_a_failure_redis_is_left_alone_for_a_second():
    now, calls = [0.0], []

    class HangUp(socketserver.BaseRequestHandler):
        def handle(self):
            calls.append(now[0])

    with socketserver.TCPServer(("127.0.0.1", 0), HangUp) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        limiter = Limiter(
            url=f"redis://127.0.0.1:{server.server_address[1]}/0",
            prefix="test",
            clock=lambda: now[0],
        )
        for second in (0.0, 0.5, 0.9, 1.1, 1.2):
            now[0] = second
            assert within(limiter, THREE, "ada")
        server.shutdown()
        thread.join()
    assert set(calls) == {0.0, 1.1}


def attempts(limiter, number, account="ada", address="192.0.2.7"):
    passed = 0
    for _ in range(number):
        try:
            count_password_attempt(account=account, address=address, limiter=limiter)
            passed += 1
        except TooManyAttempts:
            continue
    return passed


def test_guesses_at_one_account_from_many_addresses_are_limited(limiter):
    passed = sum(attempts(limiter, 1, address=f"192.0.2.{n}") for n in range(30))
    assert passed == PER_ACCOUNT.amount
    assert attempts(limiter, 1, account="grace", address="192.0.2.1") == 1


def test_guesses_at_many_accounts_from_one_network_are_limited(limiter):
    passed = sum(
        attempts(limiter, 1, account=f"user{n}", address=f"2001:db8::{n:x}") for n in range(120)
    )
    assert passed == PER_ADDRESS.amount


def test_strangers_do_not_keep_the_owner_out(limiter):
    remember_success(account="ada", address="192.0.2.7", limiter=limiter)
    assert attempts(limiter, 30, address=None) == PER_ACCOUNT.amount
    assert attempts(limiter, 1, address="203.0.113.9") == 0
    assert attempts(limiter, 1, address="192.0.2.7") == 1


def test_with_limits_off_nothing_is_counted(limiter, settings):
    settings.RATE_LIMITS = False
    assert attempts(limiter, 30) == 30


@pytest.mark.parametrize(
    ("method", "path", "windows"),
    [
        ("GET", "/healthz", {}),
        ("GET", "/readyz", {}),
        ("GET", "/metrics", {}),
        ("POST", "/api/auth/login/", {"attempts": 10}),
        ("POST", "/api/auth/change-password/", {"attempts": 10}),
        ("POST", "/admin/login/", {"attempts": 10}),
        ("POST", "/api/auth/token/refresh/", {"api": 100, "api-address": 1000}),
        ("POST", "/api/auth/logout/", {"api": 100, "api-address": 1000}),
        ("GET", "/api/auth/user/", {"api": 100, "api-address": 1000}),
        ("GET", "/api/jobs/1/", {"api": 100, "api-address": 1000}),
        ("POST", "/api/jobs/", {"api": 100, "api-address": 1000}),
        ("GET", "/admin/", {"pages": 200, "pages-address": 2000}),
        ("GET", "/health/", {"pages": 200, "pages-address": 2000}),
    ],
)
def test_each_request_is_counted_as_the_legacy_system_did(method, path, windows):
    counted = windows_of(method=method, path=path, client="192.0.2.7", credential="a cookie")
    assert {each.window.name: each.window.amount for each in counted} == windows
    assert all("192.0.2.7" in each.key for each in counted)
    assert all(path in each.key for each in counted)


def test_making_up_credentials_gains_ten_times_as_much_and_no_more(limiter):
    passed = 0
    for number in range(1_200):
        counted = windows_of(
            method="GET", path="/api/jobs/", client="192.0.2.7", credential=str(number)
        )
        passed += all(within(limiter, each.window, *each.key) for each in counted)
    assert passed == 1_000
