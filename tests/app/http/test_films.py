"""Films by HTTP: whole, in parts, as lists of frames, and on their way in."""

from __future__ import annotations

import hashlib

import pytest

from framekeep.app.http.films import spread
from framekeep.app.http.inbox import Inbox
from framekeep.app.http.incoming import FILM_OR_CODE, FILM_SUFFIXES
from framekeep.app.http.pictures import download_name
from framekeep.media import scan
from tests.app.http.test_security import SCRIPT, TOKEN
from tests.app.http.test_uploads import put
from tests.helpers.films import make_film, scene

SHOTS = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A film of four shots, a second each."""
    path = tmp_path_factory.mktemp("made") / "film.mp4"
    make_film(path, [scene(seed) for seed in range(SHOTS)], 1.0, moves=False)
    return path


@pytest.fixture
def film(site, made):
    """The film in the library: its media id."""
    place = site.photos / "film.mp4"
    place.write_bytes(made.read_bytes())
    list(site.parts.library.add(place))
    return site.parts.library.media_id(place)


def test_a_film_is_sent_whole_and_in_parts(site, client, film):
    data = (site.photos / "film.mp4").read_bytes()
    address = f"/fk/media/{film}"
    whole = client.get(address)
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    size = len(data)
    for given, part, told in (
        ("bytes=100-199", data[100:200], f"bytes 100-199/{size}"),
        ("bytes=0-", data, f"bytes 0-{size - 1}/{size}"),
        ("bytes=-50", data[-50:], f"bytes {size - 50}-{size - 1}/{size}"),
        (f"bytes={size - 10}-{size + 1000}", data[-10:], f"bytes {size - 10}-{size - 1}/{size}"),
    ):
        answer = client.get(address, headers={"Range": given})
        assert (answer.status_code, answer.content) == (206, part), given
        assert answer.headers["content-range"] == told
        assert answer.headers["content-length"] == str(len(part))
    head = client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(size)


def test_a_part_beyond_the_end_is_416(client, film, made):
    size = made.stat().st_size
    answer = client.get(f"/fk/media/{film}", headers={"Range": f"bytes={size}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{size}"


def test_parts_of_another_version_are_not_mixed(site, client, film):
    address = f"/fk/media/{film}"
    etag = client.get(address).headers["etag"]
    part = {"Range": "bytes=5-9"}
    assert client.get(address, headers={**part, "If-Range": etag}).status_code == 206
    assert client.get(address, headers={**part, "If-Range": '"other"'}).status_code == 200
    assert client.get(address, headers={"If-None-Match": etag}).status_code == 304
    (site.photos / "film.mp4").write_bytes(b"another content")
    assert client.get(address, headers={**part, "If-Range": etag}).status_code == 200


def test_a_moment_is_sent_as_its_film(client, film):
    frame = client.get(f"/fk/film/{film}").json()["frames"][1][0]
    answer = client.get(f"/fk/media/{frame}", headers={"Range": "bytes=4-7"})
    assert (answer.status_code, answer.content) == (206, b"ftyp")
    picture = client.get(f"/fk/thumb/{frame}/small")
    assert picture.headers["content-type"] == "image/webp"


@pytest.mark.parametrize(
    ("name", "codec", "sent_as"),
    [
        ("a.mov", "libx264", "video/quicktime"),
        ("a.mkv", "libx264", "video/x-matroska"),
        ("a.webm", "libvpx", "video/webm"),
        ("a.avi", "mpeg4", "video/x-msvideo"),
    ],
)
def test_the_type_is_the_films_own_whatever_it_is_called(site, client, name, codec, sent_as):
    place = site.photos / name
    make_film(place, [scene(1), scene(2)], 0.4, (160, 90), codec=codec)
    place = place.rename(site.photos / "renamed.mp4")
    list(site.parts.library.add(place))
    answer = client.get(f"/fk/media/{site.parts.library.media_id(place)}")
    assert answer.headers["content-type"] == sent_as
    assert answer.headers["content-disposition"] == 'inline; filename="renamed.mp4"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_nobody_else_gets_a_film(site, client, film):
    addresses = [f"/fk/media/{film}", f"/fk/film/{film}"]
    for address in addresses:
        assert client.get(address, headers={"Host": "evil.example"}).status_code == 400
        assert client.get(address, headers={"Origin": "http://evil.example"}).status_code == 403
        assert client.get(address, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    site.change(token=TOKEN)
    for address in addresses:
        answer = site.client().get(address, headers={**SCRIPT, "Range": "bytes=0-9"})
        assert answer.status_code == 401


def test_a_films_frames_by_time(site, client, film):
    told = client.get(f"/fk/film/{film}").json()
    kept = site.parts.library.film(film)
    assert told["film"] == film
    assert told["duration_s"] == pytest.approx(SHOTS, abs=0.1)
    assert [frame[0] for frame in told["frames"]] == [i for i, _ in kept.moments]
    times = [frame[1] for frame in told["frames"]]
    assert times == sorted(times)
    assert all(start <= time <= end for _, time, start, end in told["frames"])
    assert len({frame[2] for frame in told["frames"]}) == SHOTS
    later = client.get(f"/fk/film/{film}?from={times[1]}&most=2").json()["frames"]
    assert later == told["frames"][1:3]
    assert client.get(f"/fk/film/{film}?most=1").json()["frames"] == told["frames"][:1]
    by_frame = client.get(f"/fk/film/{told['frames'][2][0]}").json()
    assert by_frame == told


def test_some_frames_are_spread_over_the_film():
    placed = [(str(number), float(number), 0.0, 100.0) for number in range(100)]
    assert [frame[1] for frame in spread(placed, 4)] == [0, 25, 50, 75]
    assert spread(placed, 100) == placed
    assert len({frame[0] for frame in spread(placed, 37)}) == 37


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/fk/film/" + "0" * 64, 404),
        ("/fk/film/..%2ffilm.mp4", 404),
        ("/fk/film/film.mp4", 404),
        ("/fk/film/", 404),
        ("/fk/film/{photo}", 400),
        ("/fk/film/{film}?most=many", 400),
        ("/fk/film/{film}?from=-1", 400),
        ("/fk/film/{film}?from=nan", 400),
    ],
)
def test_what_is_no_film_is_told_in_a_sentence(client, media_id, film, address, status):
    answer = client.get(address.format(film=film, photo=media_id("demo-01.jpg")))
    assert answer.status_code == status
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize(
    ("name", "kind", "saved"),
    [
        ("a.mp4", "mp4", "a.mp4"),
        ("../../.bashrc", "mkv", "bashrc.mkv"),
        ("a.html", "webm", "a.html.webm"),
        ("dir/", "mov", "film.mov"),
        ("a.exe", "unheard of", "a.exe.bin"),
    ],
)
def test_a_download_is_saved_as_a_film(name, kind, saved):
    assert download_name(name, kind) == saved


def test_the_same_suffixes_as_the_scan():
    assert FILM_SUFFIXES == scan.FILM_SUFFIXES | FILM_OR_CODE


def test_a_film_may_be_larger_than_a_photo(site, client):
    folder = site.parts.inbox.folder
    site.change(inbox=Inbox(folder, max_bytes=1000, max_film_bytes=3000, min_free_bytes=0))
    data = b"f" * 2000
    assert put(client, data, "a.jpg").status_code == 413
    assert put(client, data, "Ferien.MP4").status_code == 200
    sha = hashlib.sha256(data).hexdigest()
    assert (folder / sha[:2] / f"{sha}.mp4").read_bytes() == data
    answer = put(client, b"f" * 3001, "a.mkv")
    assert answer.status_code == 413
    assert "FRAMEKEEP_MAX_FILM_BYTES" in answer.json()["error"]
    # Told at its arrival, too, where the length was not given before.
    unknown = put(client, iter([b"f" * 3001]), "b.mkv", **{"Transfer-Encoding": "chunked"})
    assert unknown.status_code == 413
    assert len(list(folder.glob("[0-9a-f][0-9a-f]/*"))) == 1


def test_an_uploaded_film_becomes_searchable(site, client, made):
    assert put(client, made.read_bytes(), "holiday.mp4").status_code == 200
    (received,) = site.parts.inbox.take("batch-0001")
    library = site.parts.library
    events = list(library.add(received.path))
    assert (events[-1].counts.indexed, events[-1].counts.frames) == (1, SHOTS)
    assert library.count("kind:video") == 1
