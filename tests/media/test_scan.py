"""Scanning real folders: what is found, and the reason for what cannot be read."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import pytest

from framekeep.errors import InputError, MediaError
from framekeep.media.scan import FoundFile, content_id, resolve_roots, scan


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found(*roots: Path, **limits: int) -> list[FoundFile]:
    return list(scan(roots, **limits))


def names(*roots: Path) -> list[str]:
    return [Path(f.path).name for f in found(*roots)]


def problem(path: Path, *roots: Path, **limits: int) -> str:
    """The reason told for one path, which is told once."""
    (reason,) = [f.problem for f in found(*roots, **limits) if f.path == str(path)]
    assert reason is not None
    assert reason.endswith(".")
    return reason


def test_files_of_nested_folders_come_once_and_in_order(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/1.jpg", "a/x/3.jpg", "c.jpg"):
        put(tmp_path / name, name.encode())
    files = found(tmp_path)
    assert [os.path.relpath(f.path, tmp_path) for f in files] == [
        "a/x/3.jpg",
        "b/1.jpg",
        "b/2.jpg",
        "c.jpg",
    ]
    status = (tmp_path / "c.jpg").stat()
    assert files[-1] == FoundFile(str(tmp_path / "c.jpg"), 5, status.st_mtime_ns, None)


def test_overlapping_roots_give_every_file_once(tmp_path: Path) -> None:
    put(tmp_path / "a/1.jpg")
    put(tmp_path / "a/b/2.jpg")
    file = tmp_path / "a/1.jpg"
    for roots in ([tmp_path, tmp_path / "a", file], [file, tmp_path / "a/b", tmp_path, file]):
        assert sorted(names(*roots)) == ["1.jpg", "2.jpg"]


def test_hidden_files_and_rubbish_are_passed_over_unless_named(tmp_path: Path) -> None:
    for name in (".hidden.jpg", ".cache/1.jpg", "Thumbs.db", "@eaDir/1.jpg", "kept.jpg"):
        put(tmp_path / name)
    assert names(tmp_path) == ["kept.jpg"]
    hidden = tmp_path / ".hidden.jpg"
    assert names(hidden) == [".hidden.jpg"]
    assert sorted(names(tmp_path, hidden)) == [".hidden.jpg", "kept.jpg"]
    assert names(tmp_path / ".cache") == ["1.jpg"]


def test_a_folder_with_a_pictures_name_is_told_and_walked(tmp_path: Path) -> None:
    put(tmp_path / "x.jpg/inside.jpg")
    assert "folder" in problem(tmp_path / "x.jpg", tmp_path)
    assert "inside.jpg" in names(tmp_path)


def test_links_to_folders_are_followed_and_each_real_folder_is_walked_once(tmp_path: Path) -> None:
    put(tmp_path / "real/1.jpg")
    (tmp_path / "root").mkdir()
    for name in ("one", "two"):
        (tmp_path / "root" / name).symlink_to(tmp_path / "real")
    assert names(tmp_path / "root") == ["1.jpg"]


def test_a_linked_file_is_taken_under_the_links_name(tmp_path: Path) -> None:
    put(tmp_path / "real/1.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link.jpg").symlink_to(tmp_path / "real/1.jpg")
    (file,) = found(tmp_path / "root")
    assert file == FoundFile(
        str(tmp_path / "root/link.jpg"), 1, (tmp_path / "real/1.jpg").stat().st_mtime_ns
    )


def test_link_loops_and_broken_links_get_reasons(tmp_path: Path) -> None:
    put(tmp_path / "a/b/1.jpg")
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
    (tmp_path / "a/self.jpg").symlink_to("self.jpg")
    (tmp_path / "a/gone.jpg").symlink_to("nowhere.jpg")
    assert "folder above" in problem(tmp_path / "a/b/up", tmp_path)
    assert "itself" in problem(tmp_path / "a/self.jpg", tmp_path)
    assert "not there" in problem(tmp_path / "a/gone.jpg", tmp_path)
    assert "1.jpg" in names(tmp_path)


def test_pipes_and_sockets_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "pipe" in problem(tmp_path / "pipe.jpg", tmp_path)
    cwd = Path.cwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)  # a socket's address holds about a hundred characters
        try:
            server.bind("s.jpg")
        finally:
            os.chdir(cwd)
        assert "socket" in problem(tmp_path / "s.jpg", tmp_path)
    assert "device" in problem(Path("/dev/null"), Path("/dev/null"))


def test_empty_and_oversized_files_get_reasons(tmp_path: Path) -> None:
    put(tmp_path / "empty.jpg", b"")
    put(tmp_path / "big.jpg", b"x" * 101)
    put(tmp_path / "fits.jpg", b"x" * 100)
    assert "empty" in problem(tmp_path / "empty.jpg", tmp_path)
    assert "limit" in problem(tmp_path / "big.jpg", tmp_path, max_bytes=100)
    assert [f.problem for f in found(tmp_path / "fits.jpg", max_bytes=100)] == [None]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any byte in a name")
def test_a_name_that_is_not_utf8_is_shown_with_escapes(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    Path(os.fsdecode(folder + b"/caf\xe9.jpg")).write_bytes(b"x")
    Path(os.fsdecode(folder + b"/caf\xc3\xa9.jpg")).write_bytes(b"x")
    bad = os.fsdecode(folder + b"/fol\xffder")
    Path(bad).mkdir()
    Path(bad, "1.jpg").write_bytes(b"x")
    files = {os.path.relpath(f.path, tmp_path): f.problem for f in found(tmp_path)}
    assert files.keys() == {"caf\\xe9.jpg", "café.jpg", "fol\\xffder/1.jpg"}
    assert files["café.jpg"] is None
    for name in ("caf\\xe9.jpg", "fol\\xffder/1.jpg"):
        assert "rename" in str(files[name])


def test_unreadable_files_and_folders_get_reasons_and_others_do_not_suffer() -> None:
    script = (
        "import json, os, sys\n"
        "from framekeep.media.scan import scan\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"  # root may read everything
        "print(json.dumps({f.path: f.problem for f in scan(sys.argv[1:])}))\n"
    )
    # Not tmp_path: a process without our rights could not come near it.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        put(folder / "locked/1.jpg").parent.chmod(0)
        put(folder / "secret.jpg").chmod(0)
        put(folder / "fine.jpg").chmod(0o644)
        shown = subprocess.run(
            [sys.executable, "-c", script, name], capture_output=True, text=True, check=True
        ).stdout
        (folder / "locked").chmod(0o755)
    reasons = {Path(path).name: reason for path, reason in json.loads(shown).items()}
    assert reasons.keys() == {"locked", "secret.jpg", "fine.jpg"}
    assert "permission denied" in reasons["locked"]
    assert "permission denied" in reasons["secret.jpg"]
    assert reasons["fine.jpg"] is None


def test_folders_may_nest_deeper_than_calls(tmp_path: Path) -> None:
    depth, cwd = 1_500, Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        put(Path("1.jpg"))
    finally:
        os.chdir(cwd)
    try:
        assert names(tmp_path) == ["1.jpg"]
    finally:  # pytest's own cleaning up would call itself too deeply
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_memory_stays_flat_over_many_folders(tmp_path: Path) -> None:
    for i in range(40):
        folder = tmp_path / f"{i:02}"
        folder.mkdir()
        for k in range(100):
            (folder / f"{k:03}.jpg").touch()
    list(scan([tmp_path]))
    tracemalloc.start()
    assert sum(1 for _ in scan([tmp_path])) == 4_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000  # 4,000 records kept would be more than a million bytes


def test_roots_are_made_absolute_expanded_and_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1.jpg", "a/2.jpg", "a/3.png", "[x].jpg"):
        put(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path)
    assert resolve_roots(["a", "a", Path("a")]) == [f"{here}/a"]
    assert resolve_roots(["a/*.jpg"]) == [f"{here}/a/1.jpg", f"{here}/a/2.jpg"]
    assert resolve_roots(["**/3.*"]) == [f"{here}/a/3.png"]
    assert resolve_roots(["[x].jpg"]) == [f"{here}/[x].jpg"]


def test_a_root_that_matches_nothing_is_an_error_unless_it_was_known(tmp_path: Path) -> None:
    for missing in ("gone", "gone/*.jpg"):
        with pytest.raises(InputError, match="no file or folder"):
            resolve_roots([tmp_path / missing])
    gone = str(tmp_path / "gone")
    assert resolve_roots([gone], known=lambda path: path == gone) == [gone]
    assert found(Path(gone)) == []


def test_content_id_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    file = put(tmp_path / "1.jpg", b"abc")
    assert content_id(str(file)) == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    with pytest.raises(MediaError, match="cannot be read"):
        content_id(str(tmp_path / "gone.jpg"))
