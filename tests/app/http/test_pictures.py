"""Thumbnails and originals: by id alone, and harmless whatever lies in the file."""

from __future__ import annotations

import io
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from framekeep.app.http.incoming import PICTURE_SUFFIXES
from framekeep.app.http.pictures import download_name
from framekeep.media import scan


@pytest.mark.parametrize(("size", "longest"), [("small", 320), ("large", 640), ("preview", 1024)])
def test_thumbnail_is_webp_of_its_size_and_kept_for_ever(client, media_id, size, longest):
    answer = client.get(f"/fk/thumb/{media_id('demo-01.jpg')}/{size}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.format == "WEBP"
        assert max(image.size) == longest


def test_a_thumbnail_the_browser_has_is_not_sent_again(client, media_id):
    address = f"/fk/thumb/{media_id('demo-01.jpg')}/small"
    etag = client.get(address).headers["etag"]
    again = client.get(address, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_lost_thumbnail_is_made_again(site, client, media_id):
    address = f"/fk/thumb/{media_id('demo-02.jpg')}/small"
    before = client.get(address).content
    shutil.rmtree(site.parts.library.path / "thumbnails", ignore_errors=True)
    assert client.get(address).content == before


def test_many_thumbnails_at_once(site, client, media_id):
    shutil.rmtree(site.parts.library.path / "thumbnails", ignore_errors=True)
    ids = [media_id(f"demo-0{n}.jpg") for n in (1, 2, 3, 4)]
    wanted = [f"/fk/thumb/{i}/{size}" for i in ids for size in ("small", "large")] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client.get, wanted))
    assert {a.status_code for a in answers} == {200}
    by_address = {(a.url.path, a.content) for a in answers}
    assert len(by_address) == 8


@pytest.mark.parametrize(
    "address",
    [
        "/fk/thumb/{unknown}/small",
        "/fk/thumb/{known}/huge",
        "/fk/thumb/..%2f..%2fcatalog/small",
        "/fk/thumb/%2e%2e/small",
        "/fk/thumb/{known}",
        "/fk/media/{unknown}",
        "/fk/media/%2e%2e%2fphotos%2fdemo-01.jpg",
        "/fk/media/{upper}",
        "/fk/media/",
        "/fk/query-image/{unknown}",
        "/fk/query-image/*",
        "/fk/nothing",
        "/fk/",
    ],
)
def test_what_is_not_there_answers_404_with_a_sentence(client, media_id, address):
    known = media_id("demo-01.jpg")
    answer = client.get(address.format(unknown="0" * 64, known=known, upper=known.upper()))
    assert answer.status_code == 404
    assert answer.json()["error"].endswith(".")


def test_no_thumbnail_of_a_file_that_is_gone_or_broken(site, client, media_id):
    gone, broken = media_id("demo-01.jpg"), media_id("demo-02.jpg")
    (site.photos / "demo-01.jpg").unlink()
    (site.photos / "demo-02.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture any more")
    shutil.rmtree(site.parts.library.path / "thumbnails", ignore_errors=True)
    for media in (gone, broken):
        answer = client.get(f"/fk/thumb/{media}/small")
        assert answer.status_code == 404
        assert answer.json()["error"].endswith(".")
    assert client.get(f"/fk/media/{gone}").status_code == 404


def test_original_whole_and_in_parts(site, client, media_id):
    address = f"/fk/media/{media_id('demo-03.jpg')}"
    data = (site.photos / "demo-03.jpg").read_bytes()
    whole = client.get(address)
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-type"] == "image/jpeg"
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get(address, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, data[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(data)}"
    beyond = client.get(address, headers={"Range": f"bytes={len(data)}-"})
    assert beyond.status_code == 416
    assert client.head(address).headers["content-length"] == str(len(data))
    again = client.get(address, headers={"If-None-Match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_original_may_do_nothing_in_the_browser(client, media_id):
    answer = client.get(f"/fk/media/{media_id('demo-03.jpg')}")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["content-disposition"] == 'inline; filename="demo-03.jpg"'


def test_a_file_that_has_become_html_is_still_sent_as_the_picture_it_was(site, client, media_id):
    known = media_id("demo-03.jpg")
    (site.photos / "demo-03.jpg").write_text("<script>alert(1)</script>")
    answer = client.get(f"/fk/media/{known}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_download_has_the_name_the_file_had(site, client, media_id):
    address = f"/fk/media/{media_id('demo-04.jpg')}?download=1"
    assert client.get(address).headers["content-disposition"] == (
        'attachment; filename="demo-04.jpg"'
    )
    path = str(site.photos / "demo-04.jpg")
    site.parts.library.note_upload(path, 'summer/"Köln"\r\nX-Evil: 1\\..\\päd.JPG')
    answer = client.get(address)
    assert answer.headers["content-disposition"] == ("attachment; filename*=utf-8''p%C3%A4d.JPG")
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    ("name", "kind", "saved"),
    [
        ("a.jpg", "jpeg", "a.jpg"),
        ("../../.bashrc", "png", "bashrc.png"),
        ("C:\\photos\\a.html", "jpeg", "a.html.jpeg"),
        ("a.exe", "raw", "a.exe.bin"),
        ("…", "webp", "….webp"),
        ("dir/", "gif", "picture.gif"),
        ("a\udcff.jpg", "jpeg", "a?.jpg"),
    ],
)
def test_a_download_is_never_saved_as_anything_but_a_picture(name, kind, saved):
    assert download_name(name, kind) == saved


def test_the_same_suffixes_as_the_scan():
    assert PICTURE_SUFFIXES == scan.PICTURE_SUFFIXES
