"""What routes and guards work on; the app makes one at start and hands it to both."""

from __future__ import annotations

from dataclasses import dataclass, field

from framekeep.app.http.inbox import Inbox
from framekeep.app.http.queries import QueryImages
from framekeep.app.http.samples import Samples
from framekeep.app.http.sessions import Sessions
from framekeep.library import Library
from framekeep.segmenters.base import Segmenter


@dataclass(frozen=True)
class Parts:
    """The library and the folders for what arrives; `token` None asks for no sign-in with one.

    `users` are those who may sign in with an identity provider ("*" in them stands for anything);
    None asks nobody to.
    `hosts` are the names, without ports, under which the app may be asked for. `segmenter`
    answers prompts; None is the best one that is here.
    """

    library: Library
    inbox: Inbox
    queries: QueryImages
    token: str | None = None
    users: tuple[str, ...] | None = None
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    sessions: Sessions = field(default_factory=Sessions)
    segmenter: str | Segmenter | None = None
    samples: Samples = field(default_factory=Samples)
