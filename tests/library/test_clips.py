"""Clips: the moments that a search finds, cut out of their films."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framekeep.clipping import clip_name, stretches
from framekeep.errors import InputError
from framekeep.film_types import Moment, VideoFacts, parse_seconds
from framekeep.library import Library
from framekeep.types import Hit, MediaItem
from tests.helpers.films import make_film, scene
from tests.helpers.library import memory_library

SIZE_WH = (160, 96)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films of four shots of two seconds; one has sound."""
    folder = tmp_path_factory.mktemp("films")
    for number, name in enumerate(("holiday: the best?.mp4", "trip.mkv")):
        pictures = [scene(10 * number + n, SIZE_WH) for n in range(4)]
        make_film(folder / name, pictures, 2.0, SIZE_WH, 10, audio=number == 0)
    return folder


@pytest.fixture
def library(films: Path, tmp_path: Path) -> Iterator[Library]:
    shutil.copytree(films, tmp_path / "in")
    with memory_library(tmp_path / "library") as library:
        list(library.add(tmp_path / "in"))
        yield library


def length_s(path: Path) -> tuple[float, bool]:
    """How long a clip plays, by its pictures, and whether it has sound."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [float(frame.pts * frame.time_base) for frame in container.decode(stream)]
        return max(times) - min(times) + 0.1, bool(container.streams.audio)


def test_clips_are_cut_and_named_by_film_and_moment(library, tmp_path):
    out = tmp_path / "out"
    events = list(library.clip("red", out, limit=3, pad_s=0.0))
    assert [event.kind for event in events] == ["started", *["written"] * 3, "done"]
    assert events[-1].clip == str(out)
    moments = library.search("red", where="kind:video", limit=3)
    written = events[1:-1]
    assert [event.score for event in written] == [hit.score for hit in moments]
    assert sorted(path.name for path in out.iterdir()) == [
        f"00{n}_{hit.path.stem.replace(':', '_').replace('?', '_')}_0m0{int(hit.time_s)}s"
        f"{hit.path.suffix}"
        for n, hit in enumerate(moments, 1)
    ]
    for event, hit in zip(written, moments, strict=True):
        assert event.film == str(hit.path)
        assert (event.done, event.total) == (written.index(event) + 1, 3)
        start_s, end_s = hit.shot_s
        assert event.start_s <= start_s
        seconds, sound = length_s(Path(event.clip))
        assert seconds == pytest.approx(event.end_s - event.start_s, abs=0.15)
        assert event.end_s == pytest.approx(end_s, abs=0.15)
        assert sound == hit.media.video.has_audio


def test_exact_clips_begin_right_there(library, tmp_path):
    (event,) = list(library.clip("red", tmp_path / "out", limit=1, pad_s=0.5, exact=True))[1:-1]
    (hit,) = library.search("red", where="kind:video", limit=1)
    start_s, end_s = hit.shot_s
    assert not event.copied
    assert event.start_s == pytest.approx(max(0.0, start_s - 0.5), abs=0.11)
    assert event.end_s == pytest.approx(min(8.0, end_s + 0.5), abs=0.11)
    seconds, _ = length_s(Path(event.clip))
    assert seconds == pytest.approx(event.end_s - event.start_s, abs=0.15)


def test_moments_that_overlap_share_a_clip(library, tmp_path):
    events = list(library.clip("red", tmp_path / "out", "name:trip.mkv", limit=10, pad_s=1.0))
    assert [event.kind for event in events] == ["started", "written", "done"]
    assert (events[1].start_s, round(events[1].end_s)) == (0.0, 8)
    assert length_s(Path(events[1].clip))[0] == pytest.approx(8, abs=0.15)


def test_a_film_that_cannot_be_cut_is_told_and_the_others_go_on(library, tmp_path):
    (tmp_path / "in" / "trip.mkv").write_bytes(b"something else")
    events = list(library.clip("red", tmp_path / "out", limit=8))
    failed = [event for event in events if event.kind == "failed"]
    written = [event for event in events if event.kind == "written"]
    assert len(failed) == len(written) == 1
    assert "has changed" in failed[0].reason
    assert failed[0].film == str(tmp_path / "in" / "trip.mkv")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [Path(written[0].clip).name]
    with pytest.raises(InputError, match=r"No clip could be cut: .*has changed"):
        list(library.clip("red", tmp_path / "two", "name:trip.mkv"))
    assert not (tmp_path / "two").exists()


def test_what_is_there_is_replaced_only_when_told_and_never_the_films(library, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"not empty.*--overwrite"):
        list(library.clip("red", out))
    assert (out / "mine.txt").exists()
    list(library.clip("red", out, overwrite=True))
    assert not (out / "mine.txt").exists()
    for place in (tmp_path / "in", tmp_path / "library"):
        with pytest.raises(InputError):
            list(library.clip("red", place, overwrite=True))


def test_closing_it_leaves_nothing(library, tmp_path):
    events = library.clip("red", tmp_path / "out", pad_s=0.0)
    assert [next(events).kind for _ in range(2)] == ["started", "written"]
    events.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "library"]


def test_what_cannot_be_cut_for_is_refused(library, tmp_path):
    for arguments, choices, said in (
        ((" ", tmp_path / "out"), {}, "empty"),
        (("red", tmp_path / "out", "name:nothing"), {}, "no moment"),
        (("red", tmp_path / "out"), {"pad_s": -1}, "around a shot"),
        (("red", tmp_path / "out"), {"limit": 0}, "limit"),
        (("red", ""), {}, "Name the folder"),
    ):
        with pytest.raises(InputError, match=said):
            list(library.clip(*arguments, **choices))
    assert not (tmp_path / "out").exists()


# Which stretches


def moment(film: int, start_s: float, length_s: float, name: str = "film.mp4") -> Hit:
    film_id = f"{film:064x}"
    item = MediaItem(
        f"{abs(hash((film, start_s, length_s))):064x}"[:64],
        "frame",
        1,
        (8, 8),
        "mp4",
        video=VideoFacts(100.0, 25.0, "h264", False),
        moment=Moment(film_id, start_s, start_s, start_s + length_s),
    )
    return Hit(item.media_id, Path(f"/{name}"), 0.5, item)


MOMENTS = st.lists(
    st.builds(moment, st.integers(0, 2), st.integers(0, 95), st.integers(1, 5)), max_size=20
)


@given(MOMENTS, st.sampled_from([0.0, 0.5, 3.0]))
def test_every_moment_is_in_one_stretch_and_none_overlap(hits, pad_s):
    found = stretches(hits, pad_s)
    for hit in hits:
        start_s, end_s = hit.shot_s
        holding = [
            each
            for each in found
            if each.film_id == hit.film_id and each.start_s <= start_s and end_s <= each.end_s
        ]
        assert len(holding) == 1
        assert hits.index(holding[0].hit) <= hits.index(hit)
    for film in {each.film_id for each in found}:
        own = sorted((each.start_s, each.end_s) for each in found if each.film_id == film)
        assert all(end_s <= start_s for (_, end_s), (start_s, _) in pairwise(own))
    assert all(0 <= each.start_s < each.end_s <= 100 for each in found)
    ranks = [hits.index(each.hit) for each in found]
    assert ranks == sorted(ranks)


@given(st.text(max_size=300), st.integers(0, 90))
def test_names_of_clips_are_safe(stem, start_s):
    name = clip_name(7, stretches([moment(0, start_s, 1, f"{stem.replace('/', '')}.mov")], 0)[0])
    assert name.startswith("007_")
    assert name.endswith(f"_{start_s // 60}m{start_s % 60:02}s.mp4")
    assert not set(name) & set('<>:"/\\|?*\0')
    assert len(name.encode()) < 120


@pytest.mark.parametrize(
    ("text", "seconds"), [("1.5", 1.5), ("2s", 2), (" 500ms ", 0.5), ("1M", 60), ("0", 0)]
)
def test_seconds(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "-1s", "1h", "s", "1,5s"])
def test_no_seconds(text):
    with pytest.raises(InputError, match="A time is such as"):
        parse_seconds(text)
