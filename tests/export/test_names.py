"""Names of files and folders that are safe on any system, and unique."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framekeep.export.dataset import LONGEST_NAME, Wish, safe_folders, safe_names, safe_text

HOSTILE = st.one_of(
    st.text(max_size=80),
    st.text("aA.ß/\\:é\u0301 -", max_size=6),
    st.sampled_from(["CON", "con.x", "LPT1", "..", ".", "", "a/../b", "é" * 100, "e\u0301", "é"]),
)


def media_id(n: int) -> str:
    return f"{n:02x}" * 32


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("IMG_0001", "IMG_0001"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a:b\\c", "a_b_c"),
        ("nul", "_nul"),
        ("Aux.backup", "_Aux.backup"),
        ("COM1", "_COM1"),
        ("COM10", "COM10"),
        ("conduct", "conduct"),
        (" trailing. ", "trailing"),
        (".hidden", "hidden"),
        ("--flag", "flag"),
        ("e\u0301te\u0301", "été"),
        ("фото 写真 📷", "фото 写真 📷"),
        ("tab\tline\n\x00", "tab_line__"),
        ("\udcff broken", "_ broken"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("...", ""),
    ],
)
def test_a_text_made_safe(text, safe):
    assert safe_text(text) == safe


def test_a_name_too_long_is_cut_between_characters():
    assert safe_text("é" * 100, 21) == "é" * 10
    (name,) = safe_names([Wish(media_id(1), "é" * 100, ".jpeg")]).values()
    assert len(name.encode()) <= LONGEST_NAME
    assert name.endswith("é.jpeg")


def test_names_that_clash_get_their_contents_id():
    wishes = [
        Wish(media_id(1), "a", ".jpg"),
        Wish(media_id(2), "A", ".jpg"),
        Wish(media_id(3), "b", ".jpg"),
        Wish(media_id(4), "b", ".png"),  # YOLO's labels would be b.txt for both
        Wish(media_id(5), "c", ".jpg"),
    ]
    names = safe_names(wishes)
    assert names[media_id(1)] == "010101010101-a.jpg"
    assert names[media_id(2)] == "020202020202-A.jpg"
    assert names[media_id(3)] == "030303030303-b.jpg"
    assert names[media_id(4)] == "040404040404-b.png"
    assert names[media_id(5)] == "c.jpg"


def test_a_name_that_looks_like_one_with_an_id_clashes_with_nothing():
    wishes = [
        Wish(media_id(1), "a", ".jpg"),
        Wish(media_id(2), "a", ".jpg"),
        Wish(media_id(3), "010101010101-a", ".jpg"),
    ]
    assert len({name.casefold() for name in safe_names(wishes).values()}) == 3


def test_a_name_of_nothing_is_the_contents_id():
    assert safe_names([Wish(media_id(7), "..", ".png")])[media_id(7)] == media_id(7) + ".png"


@settings(max_examples=200, deadline=None)
@given(st.lists(HOSTILE, max_size=12), st.data())
def test_names_are_unique_and_safe_whatever_they_were(texts, data):
    wishes = [
        Wish(media_id(n), text, data.draw(st.sampled_from([".jpg", ".JPG", ".png"])))
        for n, text in enumerate(texts)
    ]
    names = safe_names(wishes)
    assert list(names) == [wish.media_id for wish in wishes]
    seen = set()
    for name in names.values():
        assert len(name.encode()) <= LONGEST_NAME
        assert not set(name) & set('<>:"/\\|?*\x00\n')
        assert name == unicodedata.normalize("NFC", name)
        assert not name.startswith((".", "-"))
        seen.add(unicodedata.normalize("NFC", name.rpartition(".")[0].casefold()))
    assert len(seen) == len(wishes)


@settings(max_examples=100, deadline=None)
@given(st.lists(HOSTILE, max_size=12, unique=True))
def test_folders_are_unique_and_safe_whatever_the_classes_are_called(classes):
    folders = safe_folders(classes)
    assert list(folders) == classes
    assert len({unicodedata.normalize("NFC", f.casefold()) for f in folders.values()}) == len(
        classes
    )
    for folder in folders.values():
        assert folder
        assert len(folder.encode()) <= LONGEST_NAME
        assert not set(folder) & set('<>:"/\\|?*\x00')
        assert folder.rstrip(" .") == folder


def test_folders_of_plain_classes_are_called_like_them():
    assert safe_folders(["dog", "v1.0", "v1.1", "Kätzchen"]) == {
        "dog": "dog", "v1.0": "v1.0", "v1.1": "v1.1", "Kätzchen": "Kätzchen"
    }  # fmt: skip
