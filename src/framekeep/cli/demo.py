"""`framekeep demo`: real searches over the packaged photos, with nothing to download."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from framekeep.cli.common import GlobalOptions, LibraryOption, console, opened
from framekeep.cli.progress import follow
from framekeep.cli.searching import show_hits
from framekeep.cli.web import serve
from framekeep.settings import data_dir

SEARCHES = ("a cat", "rocket launch", "a cup of coffee")


def demo(
    app: Annotated[
        bool, typer.Option("--app/--no-app", help="Open the web app afterwards.")
    ] = True,
    library: LibraryOption = None,
) -> None:
    """Add the packaged demo photos to a demo library, search them, and open the web app on them.

    All of it happens on this machine. Ctrl-C ends the app.

    Example: framekeep demo --no-app
    """
    folder = library or GlobalOptions.library or data_dir() / "demo"
    photos = Path(str(resources.files("framekeep") / "data" / "demo"))
    with opened(folder, create=True, encoder="starter") as lib:
        files = sorted(photos.glob("*.jpg"))
        follow(lib.add(*files), "Adding the demo photos")
        for text in SEARCHES:
            console.print(f'\n[bold]framekeep search "{text}"[/bold]')
            show_hits(lib.search(text, limit=3))
        console.print(f"\n[bold]framekeep search --image {files[0].name}[/bold]")
        show_hits(lib.search(image=files[0], limit=3))
    console.print(
        f'\nSearch on here:\n  framekeep --library {folder} search "a dog"\n'
        "\nNow your own photos, which stay where they are:\n"
        "  framekeep add ~/Pictures\n"
        '  framekeep search "sunset over ocean"\n'
        "The demo used the shipped `starter` encoder. For finer results take CLIP, once its\n"
        "weights can be fetched:\n"
        "  framekeep models pull clip-vit-b-32\n"
        "  framekeep library encoder clip-vit-b-32",
        highlight=False,
    )
    if app:
        console.print()
        serve(folder)
