"""Sessions end, and are bounded; wrong tries are counted by address."""

from __future__ import annotations

from framekeep.app.http.sessions import (
    LIFE_S,
    MOST_ADDRESSES,
    MOST_SESSIONS,
    MOST_TRIES,
    TRIES_WINDOW_S,
    Sessions,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_by_itself():
    clock = Clock()
    sessions = Sessions(clock)
    name = sessions.open()
    assert sessions.known(name)
    assert not sessions.known(None)
    assert not sessions.known(name + "x")
    clock.now += LIFE_S
    assert not sessions.known(name)


def test_a_session_knows_whose_it_is():
    clock = Clock()
    sessions = Sessions(clock)
    name = sessions.redeem(sessions.ticket("ann@example.org"))
    assert sessions.user(name) == "ann@example.org"
    assert sessions.user(sessions.open()) is None
    assert sessions.user("unknown") is None
    assert sessions.user(None) is None
    clock.now += LIFE_S
    assert sessions.user(name) is None


def test_the_oldest_session_goes_first():
    sessions = Sessions(Clock())
    names = [sessions.open() for _ in range(MOST_SESSIONS + 1)]
    assert len(set(names)) == len(names)
    assert not sessions.known(names[0])
    assert sessions.known(names[1])


def test_wrong_tries_are_forgiven_after_a_minute():
    clock = Clock()
    sessions = Sessions(clock)
    for _ in range(MOST_TRIES):
        assert sessions.wait_s("10.0.0.7") == 0
        sessions.wrong("10.0.0.7")
    assert sessions.wait_s("10.0.0.7") == TRIES_WINDOW_S
    assert sessions.wait_s("10.0.0.8") == 0
    clock.now += TRIES_WINDOW_S
    assert sessions.wait_s("10.0.0.7") == 0


def test_one_household_of_addresses_counts_as_one():
    sessions = Sessions(Clock())
    for number in range(MOST_TRIES):
        sessions.wrong(f"2001:db8::{number:x}")
    assert sessions.wait_s("2001:db8::ffff") > 0
    assert sessions.wait_s("2001:db8:0:1::1") == 0


def test_addresses_are_bounded():
    sessions = Sessions(Clock())
    for number in range(MOST_ADDRESSES + 5):
        sessions.wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(sessions._wrong) == MOST_ADDRESSES
