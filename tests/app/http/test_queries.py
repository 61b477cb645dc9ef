"""Pictures to search with: any kind that the library reads, kept for a while."""

from __future__ import annotations

import hashlib
import io
import os

import pytest
from PIL import Image

from framekeep.app.http import queries
from framekeep.app.http.queries import QueryImages
from framekeep.errors import NotFoundError
from tests.app.http.conftest import BASE, DEMO, OURS
from tests.helpers.pictures import noisy


def put(client, data, name="a.jpg"):
    headers = {**OURS, "Origin": BASE, "X-Name": name}
    return client.put("/fk/query-image", content=data, headers=headers)


def picture(seed=0, form="PNG", size_wh=(96, 64)):
    file = io.BytesIO()
    noisy((200, 30, 30), size_wh, seed).save(file, form)
    return file.getvalue()


def test_a_picture_is_kept_shown_small_and_searched_with(site, client):
    data = (DEMO / "demo-01.jpg").read_bytes()
    sha = hashlib.sha256(data).hexdigest()
    answer = put(client, data)
    assert (answer.status_code, answer.json()) == (200, {"image": sha})
    shown = client.get(f"/fk/query-image/{sha}")
    assert shown.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(shown.content)) as image:
        assert max(image.size) == 640
    etag = shown.headers["etag"]
    again = client.get(f"/fk/query-image/{sha}", headers={"If-None-Match": etag})
    assert again.status_code == 304
    path = site.parts.queries.path(sha)
    assert path.read_bytes() == data
    hits = site.parts.library.search(image=path, limit=1)
    assert hits[0].path == site.photos / "demo-01.jpg"


@pytest.mark.parametrize(("form", "name"), [("HEIF", "a.heic"), ("AVIF", ""), ("TIFF", "b.tif")])
def test_kinds_that_browsers_do_not_show(client, form, name):
    image = put(client, picture(form=form), name).json()["image"]
    with Image.open(io.BytesIO(client.get(f"/fk/query-image/{image}").content)) as shown:
        assert shown.size == (96, 64)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "a.jpg"),
        (b"not a picture", "a.txt"),
        (b"\xff\xd8\xff\xe0 cut off", "a.jpg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "a.svg"),
    ],
)
def test_what_is_no_picture_is_told_and_not_kept(site, client, data, name):
    answer = put(client, data, name)
    assert answer.status_code == 422
    assert answer.json()["error"].endswith(".")
    folder = site.parts.queries.folder
    assert [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


def test_a_picture_of_too_many_bytes(site, client, monkeypatch):
    monkeypatch.setattr(queries, "MAX_BYTES", 1000)
    for body in (b"x" * 1001, iter([b"x" * 1001])):
        assert put(client, body).status_code == 413
    assert [p for p in site.parts.queries.folder.rglob("*.part*") if p.is_file()] == []


def test_the_picture_used_longest_ago_goes_first(site, client):
    site.change(queries=QueryImages(site.parts.queries.folder, max_files=2, min_free_bytes=0))
    kept = site.parts.queries
    first, second = (put(client, picture(seed)).json()["image"] for seed in (1, 2))
    for age, sha in ((100, first), (200, second)):
        os.utime(kept.path(sha), (1_000_000_000 - age,) * 2)
    kept.path(second)
    third = put(client, picture(3)).json()["image"]
    with pytest.raises(NotFoundError, match="no longer kept"):
        kept.path(first)
    assert client.get(f"/fk/query-image/{first}").status_code == 404
    assert kept.path(second).exists()
    assert client.get(f"/fk/query-image/{third}").status_code == 200
    assert len(list((kept.folder / "previews").iterdir())) == 2


def test_the_bytes_are_bounded_but_the_newest_stays(site, client):
    site.change(queries=QueryImages(site.parts.queries.folder, max_bytes=1, min_free_bytes=0))
    first, second = (put(client, picture(seed)).json()["image"] for seed in (1, 2))
    assert site.parts.queries.path(second).exists()
    assert client.get(f"/fk/query-image/{first}").status_code == 404


def test_the_same_picture_again_under_another_name(site, client):
    image = put(client, picture(), "a.png").json()["image"]
    assert put(client, picture(), "a.jpg").json()["image"] == image
    assert len(list(site.parts.queries.folder.glob(f"{image}.*"))) == 1


def test_a_preview_that_was_deleted(site, client):
    image = put(client, picture()).json()["image"]
    site.parts.queries.preview(image).unlink()
    assert client.get(f"/fk/query-image/{image}").status_code == 404
