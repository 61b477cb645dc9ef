"""Splitting a dataset so that nothing leaks: what shows the same thing stays in one split.

Groups come first (near-duplicates, bursts, frames of one film), then whole groups are dealt to the
splits by iterative stratification (Sechidis, Tsoumakas and Vlahavas, "On the Stratification of
Multi-Label Data", ECML PKDD 2011), which looks after the rarest class first. Which split is behind
its share is told by the divisors of Sainte-Laguë (1910) rather than by the absolute lack: groups
come largest first, and so they spread over all splits.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from framekeep.errors import InputError
from framekeep.export.records import Split

NAMES: dict[int, tuple[Split, ...]] = {
    1: ("train",),
    2: ("train", "val"),
    3: ("train", "val", "test"),
}
BURST_S = 3.0

Group = tuple[str, ...]
"""Media ids that must stay together, sorted."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What tells a burst: which camera took a medium, and when by the camera's own clock."""

    media_id: str
    camera: str | None
    taken_at_local: datetime | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which split each medium is in, and what a person should know of how that came."""

    splits: Mapping[str, Split]
    notes: tuple[str, ...] = ()


def parse_shares(text: str) -> dict[Split, float]:
    """Shares of the splits, 0..1, from "80/10/10", "90/10" or "100".

    Two parts are train and val. A part of 0 leaves its split out. Raises InputError.
    """
    hint = f'A split is such as 80/10/10 (train, val, test) or 90/10, not "{text}"'
    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError as exc:
        raise InputError(f"{hint}.") from exc
    if len(parts) not in NAMES or any(not 0 <= part <= 100 for part in parts):
        raise InputError(f"{hint}.")
    if abs(sum(parts) - 100) > 0.01:
        raise InputError(f"{hint}: its parts add up to {sum(parts):g} instead of 100.")
    names = NAMES[len(parts)]
    return {name: part / 100 for name, part in zip(names, parts, strict=True) if part > 0}


def bursts(shots: Iterable[Shot], within_s: float = BURST_S) -> list[list[str]]:
    """Media taken by one camera, each within so many seconds of the one before it.

    Media whose camera is not known count as of one camera; without a time, a medium is in none.
    """
    by_camera: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for shot in shots:
        if shot.taken_at_local is not None:
            by_camera[shot.camera or ""].append((shot.taken_at_local, shot.media_id))
    found: list[list[str]] = []
    for taken in by_camera.values():
        taken.sort()
        run = [taken[0][1]]
        for (before, _), (after, media_id) in pairwise(taken):
            if (after - before).total_seconds() > within_s:
                found.append(run)
                run = []
            run.append(media_id)
        found.append(run)
    return [run for run in found if len(run) > 1]


def of_one_film(films: Mapping[str, str]) -> list[list[str]]:
    """Frames that share a film, from each frame's film."""
    found: dict[str, list[str]] = defaultdict(list)
    for media_id, film_id in films.items():
        found[film_id].append(media_id)
    return list(found.values())


def groups(ids: Iterable[str], together: Iterable[Sequence[str]]) -> list[Group]:
    """All of `ids` in groups, by their first id; whoever shares a set in `together` shares one.

    A set may name media that are not among the ids: they join others and are then left out.
    """
    above: dict[str, str] = {}

    def root(name: str) -> str:
        above.setdefault(name, name)
        while above[name] != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    for members in together:
        for one, other in pairwise(members):
            above[root(one)] = root(other)
    found: dict[str, list[str]] = defaultdict(list)
    for media_id in sorted(set(ids)):
        found[root(media_id)].append(media_id)
    return sorted(tuple(members) for members in found.values())


def assign_splits(
    grouped: Sequence[Group],
    labels: Mapping[str, Iterable[str]],
    shares: Mapping[Split, float],
    seed: int = 0,
    previous: Mapping[str, Split] | None = None,
) -> Assignment:
    """Deal whole groups to the splits: the same for the same arguments, in whatever order.

    `labels` are the classes each medium shows; `previous` the splits of a former time, which are
    kept. A group with media in two of them goes where most of its media were, which a note tells.
    Every split gets a group, as long as there are enough that are not bound by a former time.
    """
    dealer = _Dealer(grouped, labels, shares, seed)
    dealer.keep(previous or {})
    dealer.deal()
    dealer.fill_empty()
    return Assignment(
        {media_id: split for group, split in dealer.split_of.items() for media_id in group},
        tuple(dealer.notes),
    )


@dataclass(slots=True)
class _Dealer:
    """Deals groups; `has` counts the media in each split by class, `size` all of them."""

    grouped: Sequence[Group]
    labels: Mapping[str, Iterable[str]]
    shares: Mapping[Split, float]
    seed: int
    split_of: dict[Group, Split] = field(default_factory=dict)
    bound: set[Group] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    counts: dict[Group, Counter[str]] = field(default_factory=dict)
    has: dict[Split, Counter[str]] = field(default_factory=dict)
    size: Counter[Split] = field(default_factory=Counter)
    total: int = 0

    def __post_init__(self) -> None:
        self.counts = {
            group: Counter(name for i in group for name in set(self.labels.get(i, ())))
            for group in self.grouped
        }
        self.has = {split: Counter() for split in self.shares}
        self.total = sum(map(len, self.grouped))

    def keep(self, previous: Mapping[str, Split]) -> None:
        """Put each group that has a former split back there."""
        for group in self.grouped:
            former = Counter(previous[i] for i in group if previous.get(i) in self.shares)
            if not former:
                continue
            most = max(former.values())
            split = next(name for name in self.shares if former[name] == most)
            self.bound.add(group)
            self._put(group, split)
            moved = sum(former.values()) - most
            if moved:
                what = "1 image moved" if moved == 1 else f"{moved} images moved"
                others = ", ".join(name for name in self.shares if former[name] and name != split)
                self.notes.append(
                    f"{what} from {others} to {split}: what was added shows that they belong "
                    f"together with images there ({group[0][:12]}…)."
                )

    def deal(self) -> None:
        """Iterative stratification of what is left, the rarest class first.

        Classes of fewer groups than there are splits come last, the largest first: they cannot be
        balanced, and would only take the room that others need in the largest split.
        """
        open_groups = set(self.grouped) - self.bound
        holders: dict[str, set[Group]] = defaultdict(set)
        for group in open_groups:
            for name in self.counts[group]:
                holders[name].add(group)
        spread = Counter(name for counted in self.counts.values() for name in counted)
        few = {name for name, number in spread.items() if number < len(self.shares)}
        left = {name: sum(self.counts[g][name] for g in held) for name, held in holders.items()}
        while left:
            scarce = min(left, key=lambda n: (n in few, -left[n] if n in few else left[n], n))
            for group in sorted(holders[scarce], key=lambda g: self._order(g, scarce)):
                self._put(group, self._neediest(group, scarce))
                open_groups.discard(group)
                for name, count in self.counts[group].items():
                    holders[name].discard(group)
                    left[name] -= count
            left = {name: count for name, count in left.items() if count > 0}
        for group in sorted(open_groups, key=lambda g: self._order(g, None)):
            self._put(group, self._neediest(group, None))

    def fill_empty(self) -> None:
        """Give every split a group, from the split with the most that may be moved."""
        for split in self.shares:
            if split in self.split_of.values():
                continue
            free: dict[Split, list[Group]] = defaultdict(list)
            held = Counter(self.split_of.values())
            for group, where in self.split_of.items():
                if group not in self.bound and held[where] > 1:
                    free[where].append(group)
            if not free:
                self.notes.append(self._why_empty(split))
                continue
            giver = max(self.shares, key=lambda name: len(free[name]))
            smallest = min(free[giver], key=lambda g: (len(g), self._draw(g)))
            self.split_of[smallest] = split

    def _why_empty(self, split: Split) -> str:
        if len(self.grouped) < len(self.shares):
            return (
                f"{split} is empty: the images make only {len(self.grouped)} groups that may not "
                "be torn apart."
            )
        return (
            f"{split} is empty: all images were in other splits the last time and stay there; "
            "another seed deals them anew."
        )

    def _put(self, group: Group, split: Split) -> None:
        self.split_of[group] = split
        self.size[split] += len(group)
        self.has[split].update(self.counts[group])

    def _neediest(self, group: Group, name: str | None) -> Split:
        """The split most behind its share of a class, then of all media, among those with room."""
        room = {s: share * self.total - self.size[s] for s, share in self.shares.items()}
        # Without regard to room, classes of few images would all end in the largest split.
        whole = [s for s in self.shares if room[s] >= len(group)]
        half = [s for s in self.shares if room[s] >= len(group) / 2]
        fitting = whole or half or [max(self.shares, key=lambda s: room[s])]
        much = self.counts[group][name] if name is not None else 1

        def behind(split: Split) -> tuple[float, float, str]:
            share, of_class = self.shares[split], self.has[split][name] if name is not None else 0
            return (
                round(share / (of_class + much / 2), 12) if name is not None else 0.0,
                round(share / (self.size[split] + len(group) / 2), 12),
                self._draw(group, split),
            )

        return max(fitting, key=behind)

    def _order(self, group: Group, name: str | None) -> tuple[int, int, str]:
        """What is hard to place comes first: much of the class, many media."""
        much = self.counts[group][name] if name is not None else 0
        return (-much, -len(group), self._draw(group))

    def _draw(self, group: Group, split: Split = "") -> str:
        """A random text, always the same for one seed, group and split."""
        return hashlib.sha256(f"{self.seed}/{group[0]}/{split}".encode()).hexdigest()
