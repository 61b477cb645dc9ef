"""Adding a film: its frames chosen in a thread, encoded in batches, stored as they come.

Order of writing: the film, then per batch its frames and vectors in SQL and how far that is; at the
end the index, the ledger, the film's file, and last that it has been read. What a crash leaves is
taken up by the next run where it stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from framekeep.errors import MediaError
from framekeep.film_types import FilmStep, FrameChoice, Moment, PickedFrame, Shot
from framekeep.lookahead import batched, in_background
from framekeep.media.quality import different_bits
from framekeep.store.catalog_films import FilmState
from framekeep.store.database import pages
from framekeep.stores import Stores, encode_carefully
from framekeep.types import MediaItem, RgbImage

if TYPE_CHECKING:
    from framekeep.media.film_reader import Film, FilmInfo, FilmLimits

_NOTHING = "The film shows nothing but black or blank pictures."
# So many frames are encoded at once: they come slower than from photos, and none shall wait long.
AT_ONCE = 8
# So many shots are chosen, and made ready, before their turn.
AHEAD_CHOSEN, AHEAD_READY = 4, 32
# A gallery's larger thumbnail of a wide picture.
THUMBNAIL_SIDE_PX = 360
INDEX_PAGE = 2048
# Frames of two versions of a film show the same up to so many seconds and bits of their hashes.
SAME_S, SAME_BITS = 0.5, 8


def frame_id(film_id: str, time_s: float) -> str:
    """The media id of a film's frame: the same film and moment always have the same."""
    return hashlib.sha256(f"{film_id}@{round(time_s * 1e6)}".encode()).hexdigest()


def is_settled(state: FilmState | None, choice: FrameChoice | None) -> bool:
    """Whether a film in this state has been read to its end, with this choice if one is given."""
    if state is None or state.read_to_s is not None:
        return False
    return choice is None or state.frames_by == choice.id


@dataclass(frozen=True, slots=True)
class _Ready:
    """A step with its frames' records; those without a vector are prepared for the encoder."""

    read_to_s: float
    ends_shot: bool
    items: tuple[MediaItem, ...]
    prepared: dict[str, RgbImage]


@dataclass(slots=True)
class _Batch:
    """Frames that wait to be encoded, and how far the film has been read with them."""

    items: list[MediaItem]
    prepared: dict[str, RgbImage]
    read_to_s: float = 0.0


class Filming:
    """Reads one film at a time into the stores; `frames` counts those that were encoded."""

    def __init__(self, stores: Stores, limits: FilmLimits, default: FrameChoice) -> None:
        self.stores = stores
        self.default = default
        self.catalog = stores.catalog
        self.limits = limits
        self.frames = 0
        self._refusal: str | None = None

    def choice_for(self, film_id: str, asked: FrameChoice | None) -> FrameChoice:
        """Which frames of a film to look at: as asked, as before, or as the settings say."""
        state = self.catalog.film_states([film_id]).get(film_id)
        if asked is not None:
            return asked
        kept = state.frames_by if state else None
        return FrameChoice.from_id(kept) if kept else self.default

    def done(self, film_id: str) -> None:
        """Note that a film has been read to its end; called when its file's row is written."""
        state = self.catalog.film_states([film_id])[film_id]
        self.catalog.note_film(film_id, state.frames_by or self.default.id, None)

    def read(
        self, path: str, film_id: str, bytes_: int, choice: FrameChoice
    ) -> Iterator[tuple[float, float]]:
        """Read a film to its end, telling how far it has come and how long it is, in seconds.

        Goes on where a run with the same choice stopped, but one that was read another way before
        from its start. Raises MediaError where the film is broken; then nothing of it is kept,
        unless it was there before.
        """
        from framekeep.media.film_reader import open_film

        was_there, self._refusal = self.catalog.was_settled(film_id), None
        with open_film(path, self.limits) as opened:
            film = _film(film_id, bytes_, opened.info)
            start_s = 0.0 if was_there else self._resumed_s(film_id, choice)
            self.catalog.put_media([film])
            self.catalog.note_film(film_id, choice.id, start_s)
            try:
                chosen = list(self._chosen_before(film_id, start_s))
                with closing(self._frames(opened, film, choice, start_s)) as stored:
                    for read_to_s, ids in stored:
                        chosen += ids
                        yield read_to_s, opened.info.video.duration_s
                if not chosen:
                    raise MediaError(self._refusal or _NOTHING)
            except MediaError:
                # One that was there keeps its tags and frames, also while its file is missing.
                if not was_there:
                    self.catalog.delete_media([film_id])
                raise
        self._finish(film, chosen)

    def _resumed_s(self, film_id: str, choice: FrameChoice) -> float:
        """Up to where the frames of a film that is new were stored; those of another choice go."""
        state = self.catalog.film_states([film_id]).get(film_id)
        if state is None:
            return 0.0
        ids = self.catalog.frame_ids(film_id)
        if state.frames_by == choice.id:
            # An encoder that was chosen since then has not seen them.
            whole = len(self.catalog.have_vectors(self.stores.space, ids)) == len(ids)
            return (state.read_to_s or 0.0) if whole else 0.0
        self.catalog.delete_media(ids)
        return 0.0

    def settled(self, film_id: str, choice: FrameChoice | None) -> bool:
        """Whether a film has been read to its end, with this choice of frames if one is given."""
        return is_settled(self.catalog.film_states([film_id]).get(film_id), choice)

    def complete(self, path: str, film_id: str) -> None:
        """Bring back a film that has been read: encode frames without a vector, and index them.

        There are such where another encoder was chosen while the film was away. Raises MediaError.
        """
        from framekeep.media.video import frames_at

        space, encoder = self.stores.space, self.stores.encoder
        moments = self.catalog.moments_of(film_id)
        have = self.catalog.have_vectors(space, list(moments))
        lacking = [some for some in moments if some not in have]
        pictures = frames_at(path, [moments[some].time_s for some in lacking], self.limits)
        prepared = (
            (some, encoder.prepare(rgb)) for some, (_, rgb) in zip(lacking, pictures, strict=True)
        )
        for batch in batched(prepared if lacking else (), encoder.batch_size):
            rows, bad = encode_carefully(encoder, batch)
            good = [some for some, _ in batch if some not in bad]
            self.catalog.put_vectors(space, good, rows)
            self.frames += len(good)
        self.index(film_id)

    def copy_said(self, from_id: str, to_id: str) -> None:
        """Give a film's frames the tags and annotations of another's: of the same moment and look.

        For a film whose file has changed, as where its title was edited.
        """
        untouched = set(self.catalog.spare_frames(from_id, ()))
        said_of = [some for some in self.catalog.frame_ids(from_id) if some not in untouched]
        if not said_of:
            return
        frames = list(self.catalog.media(self.catalog.frame_ids(to_id)).values())
        for frame in self.catalog.media(said_of).values():
            same = min(frames, key=partial(_apart_s, frame), default=None)
            if same is not None and _is_same_moment(frame, same):
                self.catalog.copy_tags(frame.media_id, same.media_id)
                self.catalog.copy_annotations(frame.media_id, same.media_id)

    def index(self, film_id: str) -> None:
        """Put those of a film's frames into the index that it has not acknowledged."""
        ids, space = self.catalog.frame_ids(film_id), self.stores.space
        for page in pages(self.catalog.unacknowledged(space, ids), INDEX_PAGE):
            held, rows = self.catalog.get_vectors(space, page)
            if held:
                self.stores.vectors.upsert(space, held, rows)
                self.catalog.mark_indexed(space, held)

    def _chosen_before(self, film_id: str, until_s: float) -> Iterator[str]:
        moments = self.catalog.moments_of(film_id) if until_s else {}
        return (some for some, moment in moments.items() if moment.time_s < until_s)

    def _frames(
        self, opened: Film, film: MediaItem, choice: FrameChoice, start_s: float
    ) -> Generator[tuple[float, list[str]], None, None]:
        """How far the film has come, and the ids of the frames that were stored up to there."""
        from framekeep.media.shots import frames_of

        size = min(AT_ONCE, self.stores.encoder.batch_size)
        side_px = max(self.stores.encoder.decode_side_px, THUMBNAIL_SIDE_PX)
        steps = frames_of(opened, choice, min_side_px=side_px, start_s=start_s)
        chosen = in_background(steps, AHEAD_CHOSEN)
        have = self.catalog.have_vectors(self.stores.space, self.catalog.frame_ids(film.media_id))
        batch = _Batch([], {}, start_s)
        with closing(in_background(self._ready(film, chosen, have), AHEAD_READY)) as made:
            for ready in made:
                if ready.ends_shot:
                    batch.items += ready.items
                    batch.prepared |= ready.prepared
                    batch.read_to_s = ready.read_to_s
                full = len(batch.prepared) >= size or len(batch.items) >= INDEX_PAGE
                yield ready.read_to_s, self._flush(film, choice, batch) if full else []
        yield batch.read_to_s, self._flush(film, choice, batch)

    def _ready(
        self, film: MediaItem, steps: Generator[FilmStep, None, None], have: Collection[str]
    ) -> Generator[_Ready, None, None]:
        """Make those frames that have no vector ready to be encoded and shown; runs in a thread."""
        encoder, thumbnails = self.stores.encoder, self.stores.thumbnails
        with closing(steps):
            for step in steps:
                shot, prepared = step.shot, {}
                frames = shot.frames if shot else ()
                items = tuple(_item(film, shot, frame) for frame in frames if shot)
                for item, frame in zip(items, frames, strict=True):
                    if item.media_id in have:
                        continue
                    if thumbnails is not None:
                        thumbnails.put_new(item.media_id, frame.rgb, film.size_wh)
                    prepared[item.media_id] = encoder.prepare(frame.rgb)
                yield _Ready(step.read_to_s, shot is not None, items, prepared)

    def _flush(self, film: MediaItem, choice: FrameChoice, batch: _Batch) -> list[str]:
        """Encode and store what waits; frames that have a vector already keep it."""
        items, prepared = batch.items, batch.prepared
        batch.items, batch.prepared = [], {}
        rows, bad = encode_carefully(self.stores.encoder, list(prepared.items()))
        self._refusal = next(iter(bad.values()), self._refusal)
        good = [some for some in prepared if some not in bad]
        kept = [item for item in items if item.media_id not in bad]
        self.catalog.put_media(kept)
        self.catalog.put_vectors(self.stores.space, good, rows)
        self.catalog.note_film(film.media_id, choice.id, batch.read_to_s)
        self.frames += len(good)
        return [item.media_id for item in kept]

    def _finish(self, film: MediaItem, chosen: Sequence[str]) -> None:
        """Drop frames that are no longer chosen, and give the film its best frame's figures."""
        for page in pages(self.catalog.spare_frames(film.media_id, chosen), INDEX_PAGE):
            self.stores.vectors.delete(self.stores.space, page)
            self.catalog.delete_media(page)
        best_id = self.catalog.poster(film.media_id)
        best = self.catalog.media([best_id or ""]).get(best_id or "")
        if best is not None:
            film = replace(film, sharpness=best.sharpness, brightness=best.brightness)
            self.catalog.put_media([film])
        self.index(film.media_id)


def _apart_s(one: MediaItem, other: MediaItem) -> float:
    if one.moment is None or other.moment is None:
        return float("inf")
    return abs(one.moment.time_s - other.moment.time_s)


def _is_same_moment(one: MediaItem, other: MediaItem) -> bool:
    bits = different_bits(one.phash, other.phash)
    return _apart_s(one, other) <= SAME_S and bits <= SAME_BITS


def _film(film_id: str, bytes_: int, info: FilmInfo) -> MediaItem:
    return MediaItem(
        media_id=film_id,
        kind="video",
        bytes=bytes_,
        size_wh=info.size_wh,
        format=info.format,
        taken_at_local=info.taken_at_local,
        camera=info.camera,
        video=info.video,
    )


def _item(film: MediaItem, shot: Shot, frame: PickedFrame) -> MediaItem:
    taken = film.taken_at_local
    return replace(
        film,
        media_id=frame_id(film.media_id, frame.time_s),
        kind="frame",
        taken_at_local=taken and taken + timedelta(seconds=frame.time_s),
        sharpness=frame.sharpness,
        brightness=frame.brightness,
        phash=frame.phash,
        moment=Moment(film.media_id, frame.time_s, shot.start_s, shot.end_s),
    )
