"""A library whose index lies on a Chroma server."""

from __future__ import annotations

import pytest

from framekeep.errors import IndexUnavailableError, InputError, StoreError
from framekeep.library import Library
from framekeep.testing import HashEncoder
from tests.helpers.pictures import write_folder


def test_libraries_share_a_server_without_mixing(tmp_path, chroma_url):
    write_folder(tmp_path / "a", 6)
    write_folder(tmp_path / "b", 3, start=50)
    with (
        Library.open(tmp_path / "one", HashEncoder(), vectors=chroma_url) as one,
        Library.open(tmp_path / "two", HashEncoder(), vectors=chroma_url) as two,
    ):
        list(one.add(tmp_path / "a"))
        list(two.add(tmp_path / "b"))
        assert len(one.search("red", limit=50)) == 6
        assert len(two.search("red", limit=50)) == 3
        assert one.status().vectors == chroma_url
        assert not (tmp_path / "one" / "chroma").exists()
        two.clear()
        assert one.repair().clean
        assert len(one.search("red", limit=50)) == 6
    with Library.open(tmp_path / "one", HashEncoder()) as again:
        assert len(again.search("red", limit=50)) == 6
    with pytest.raises(InputError, match="leave --vectors out"):
        Library.open(tmp_path / "one", vectors="http://127.0.0.1:1")


def test_a_lost_index_is_mended_on_the_server(tmp_path, chroma_url):
    write_folder(tmp_path / "a", 5)
    with Library.open(tmp_path / "one", HashEncoder(), vectors=chroma_url) as library:
        list(library.add(tmp_path / "a"))
        library._vectors.drop(library.info.space)
        with pytest.raises(IndexUnavailableError, match="framekeep repair"):
            library.search("red")
        assert library.repair().added == 5
        assert len(library.search("red")) == 5


def test_a_server_that_does_not_answer_is_told(tmp_path):
    write_folder(tmp_path / "a", 1)
    with Library.open(tmp_path / "one", HashEncoder(), vectors="http://127.0.0.1:1") as library:
        with pytest.raises(IndexUnavailableError, match=r"127\.0\.0\.1:1"):
            list(library.add(tmp_path / "a"))
    with pytest.raises(StoreError, match="not the address"):
        Library.open(tmp_path / "two", HashEncoder(), vectors="nonsense")
