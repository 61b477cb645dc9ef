"""Run framekeep in a real terminal and draw what it shows, for the README.

    python tools/make_screenshot.py docs/images/search.png

The demo photos are put into a Pictures folder of a home made for it. The commands run on a
pseudo-terminal with 24-bit colours; their output is drawn cell by cell with DejaVu Sans Mono.
Linux and macOS only.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

DEMO = Path(__file__).parents[1] / "src" / "framekeep" / "data" / "demo"
SESSION = (
    ("add", "~/Pictures", "--encoder", "starter"),
    ("search", "a cat", "--limit", "2"),
    ("search", "rocket launch", "--limit", "2"),
)
COLUMNS, ROWS = 96, 200
FONT_PX, MARGIN_PX, BAR_PX, SCALE = 26, 28, 44, 2
DARK = "282c34 e06c75 98c379 e5c07b 61afef c678dd 56b6c2 abb2bf"
BRIGHT = "5c6370 f08089 acd78d f9d48f 75c3ff da8cf1 6acad6 ffffff"
THEME = TerminalTheme(
    (24, 26, 31),
    (220, 223, 228),
    [tuple(bytes.fromhex(code)) for code in DARK.split()],  # type: ignore[misc]
    [tuple(bytes.fromhex(code)) for code in BRIGHT.split()],  # type: ignore[misc]
)
CURSOR = re.compile(r"\x1b\[\?25[lh]")
REDRAWN = re.compile(r".*\x1b\[2K|.*\r(?=.)")


def in_terminal(command: list[str]) -> str:
    """All that a command writes to its terminal; raises CalledProcessError where it fails."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "COLUMNS": str(COLUMNS),
    }
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    chunks = []
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # how Linux tells that the other end was closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(leader)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)
    return b"".join(chunks).decode("utf-8")


def lines_left(output: str) -> list[Text]:
    """The lines as they stand in the end: of a line that was redrawn, its last state."""
    lines = CURSOR.sub("", output).replace("\r\n", "\n").rstrip("\n").split("\n")
    return [Text.from_ansi(REDRAWN.sub("", line)) for line in lines]


def draw(lines: list[Text]) -> Image.Image:
    """The lines as a picture of a terminal's window."""
    folder = Path(os.environ.get("FONTS", "/usr/share/fonts/truetype/dejavu"))
    regular = ImageFont.truetype(str(folder / "DejaVuSansMono.ttf"), FONT_PX)
    bold = ImageFont.truetype(str(folder / "DejaVuSansMono-Bold.ttf"), FONT_PX)
    cell_w, cell_h = round(regular.getlength("M")), round(FONT_PX * 1.3)
    size = (COLUMNS * cell_w + 2 * MARGIN_PX, len(lines) * cell_h + BAR_PX + 2 * MARGIN_PX)
    image = Image.new("RGB", size, tuple(THEME.background_color))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, size[0], BAR_PX), fill=(40, 44, 52))
    for number, colour in enumerate(((237, 106, 94), (245, 191, 79), (98, 197, 84))):
        left = MARGIN_PX + number * 30
        pen.ellipse((left, BAR_PX // 2 - 8, left + 16, BAR_PX // 2 + 8), fill=colour)
    console = Console(color_system="truecolor", width=COLUMNS, force_terminal=True)
    for row, line in enumerate(lines):
        column = 0
        for segment in line.render(console):
            style = segment.style or Style()
            ink, paper = rgb(style.color, True), rgb(style.bgcolor, False)
            if style.dim:
                ink = tuple((a + b) // 2 for a, b in zip(ink, paper, strict=True))
            for character in segment.text.rstrip("\n"):
                x, y = MARGIN_PX + column * cell_w, BAR_PX + MARGIN_PX + row * cell_h
                font = bold if style.bold else regular
                cell(pen, (x, y, cell_w, cell_h), character, ink, paper, font)
                column += 1
    return image


def cell(
    pen: ImageDraw.ImageDraw,
    xywh: tuple[int, int, int, int],
    character: str,
    ink: tuple[int, ...],
    paper: tuple[int, ...],
    font: ImageFont.FreeTypeFont,
) -> None:
    """One character; the upper half block is drawn as a rectangle, as terminals do."""
    x, y, width, height = xywh
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=paper)
    if character == "▀":
        pen.rectangle((x, y, x + width - 1, y + height // 2 - 1), fill=ink)
    elif character.strip():
        pen.text((x, y + height * 0.08), character, font=font, fill=ink)


def rgb(colour: Color | None, is_ink: bool) -> tuple[int, ...]:
    """A colour of rich as red, green, blue."""
    if colour is None:
        return tuple(THEME.foreground_color if is_ink else THEME.background_color)
    return tuple(colour.get_truecolor(THEME, foreground=is_ink))


def session(home: Path) -> list[Text]:
    """The lines of the whole session, prompts included."""
    shutil.copytree(DEMO, home / "Pictures", ignore=shutil.ignore_patterns("*.md"))
    os.environ.update(HOME=str(home), XDG_DATA_HOME=str(home / "data"))
    lines: list[Text] = []
    for command in SESSION:
        prompt = " ".join(f'"{word}"' if " " in word else word for word in command)
        lines.append(Text.assemble(("$ ", "green"), (f"framekeep {prompt}", "bold")))
        words = [word.replace("~", str(home)) for word in command]
        lines += [*lines_left(in_terminal([sys.executable, "-m", "framekeep", *words])), Text()]
    return lines[:-1]


def main() -> int:
    """Run, draw, save."""
    parser = argparse.ArgumentParser(description="A picture of framekeep at work.")
    parser.add_argument("picture", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        picture = draw(session(Path(home)))
    args.picture.parent.mkdir(parents=True, exist_ok=True)
    small = picture.resize(
        (picture.width // SCALE, picture.height // SCALE), Image.Resampling.LANCZOS
    )
    small.quantize(256, dither=Image.Dither.NONE).save(args.picture, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
