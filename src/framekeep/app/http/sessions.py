"""Who has signed in, and who tries too often."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

LIFE_S = 30 * 86_400
TICKET_LIFE_S = 60.0
MOST_SESSIONS = 1000
MOST_TRIES = 10
TRIES_WINDOW_S = 60.0
MOST_ADDRESSES = 10_000
_NEVER = float("-inf"), ""


class Sessions:
    """The sign-ins of this run of the server, by random names; thread-safe.

    `clock` gives seconds. Names are kept as hashes, so that memory shows none that can be used.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._tickets: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, user: str = "") -> str:
        """Begin a session of a user; gives its name, which is for the browser's cookie alone."""
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._ends[_hashed(name)] = self._clock() + LIFE_S, user
            while len(self._ends) > MOST_SESSIONS:
                self._ends.popitem(last=False)
        return name

    def ticket(self, user: str = "") -> str:
        """For a user whom a page knows: the browser turns it into a session, once and soon."""
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._tickets[_hashed(name)] = self._clock() + TICKET_LIFE_S, user
            while len(self._tickets) > MOST_SESSIONS:
                self._tickets.popitem(last=False)
        return name

    def redeem(self, ticket: str) -> str | None:
        """A new session's name for a ticket that is good; None for any other."""
        with self._lock:
            end, user = self._tickets.pop(_hashed(ticket), _NEVER)
            good = end > self._clock()
        return self.open(user) if good else None

    def known(self, name: str | None) -> bool:
        """Whether this session was begun here and has not ended."""
        if not name:
            return False
        with self._lock:
            return self._ends.get(_hashed(name), _NEVER)[0] > self._clock()

    def user(self, name: str | None) -> str | None:
        """Whose session this is; None for one that is not known, or without a user's name."""
        with self._lock:
            end, user = self._ends.get(_hashed(name or ""), _NEVER)
            return (user or None) if end > self._clock() else None

    def end(self, name: str | None) -> None:
        """End a session; one that is not known is no error."""
        with self._lock:
            self._ends.pop(_hashed(name or ""), None)

    def wait_s(self, address: str) -> float:
        """How long this address must wait before it may try again; 0 where it need not."""
        with self._lock:
            tries = self._recent(_group(address))
            if len(tries) < MOST_TRIES:
                return 0.0
            return tries[0] + TRIES_WINDOW_S - self._clock()

    def wrong(self, address: str) -> None:
        """Note that this address gave a wrong token."""
        group = _group(address)
        with self._lock:
            tries = self._recent(group)
            tries.append(self._clock())
            self._wrong[group] = tries
            self._wrong.move_to_end(group)
            while len(self._wrong) > MOST_ADDRESSES:
                self._wrong.popitem(last=False)

    def _recent(self, group: str) -> deque[float]:
        tries = self._wrong.get(group, deque())
        while tries and tries[0] <= self._clock() - TRIES_WINDOW_S:
            tries.popleft()
        return tries


def same(given: str, token: str) -> bool:
    """Compare two texts in a time that tells nothing of where they differ."""
    return hmac.compare_digest(_hashed(given), _hashed(token))


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def _group(address: str) -> str:
    """One household has 2^64 addresses of version 6: they count as one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)
