"""The how-to on films: its commands run, and make what it says."""

from __future__ import annotations

import json
from pathlib import Path

from framekeep.filters import FIELDS
from framekeep.settings import Settings
from tests.helpers.documents import ROOT, commands_of, run_commands

DOCUMENT = "docs/films.md"


def test_commands_run_and_make_what_they_say(tmp_path: Path) -> None:
    commands = commands_of(DOCUMENT)
    assert len(commands) >= 15
    assert all(command.startswith("framekeep ") for command in commands)
    said = dict(zip(commands, run_commands(commands, tmp_path), strict=True))
    (hit,) = json.loads(said['framekeep search "a cat" --where "kind:video" --limit 1 --json'])
    assert hit["path"] == str(tmp_path / "Videos" / "holiday.mp4")
    start_s, end_s = hit["shot_s"]
    assert start_s <= hit["time_s"] < end_s
    assert "holiday.mp4" in said['framekeep search --where "kind:video and codec:h264"']
    grouped = said['framekeep search "a cat" --where "kind:video" --group']
    assert grouped.count("holiday.mp4") == 1
    assert all(
        path.name.startswith(f"00{number}_holiday_0m")
        for number, path in enumerate(sorted((tmp_path / "clips").iterdir()), 1)
    )
    assert len(list((tmp_path / "clips-exact").iterdir())) == 1
    frames = list((tmp_path / "film-cats").rglob("holiday_t00*.jpg"))
    assert frames
    assert len({path.parent for path in frames}) == 1
    for path in (tmp_path / "film-cats").rglob("*.*"):
        again = tmp_path / "film-cats-again" / path.relative_to(tmp_path / "film-cats")
        assert again.read_bytes() == path.read_bytes(), path


def test_settings_and_filters_are_there() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    for name in ("frames", "frames_per_minute", "max_film_bytes", "max_film_s"):
        assert f"`FRAMEKEEP_{name.upper()}`" in text
        assert name in Settings.model_fields
    for field in ("kind", "duration", "fps", "codec", "film"):
        assert field in FIELDS
        assert f"| `{field}" in text
        assert f"| `{field}" in (ROOT / "docs" / "searching.md").read_text(encoding="utf-8")
