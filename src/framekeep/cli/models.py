"""`framekeep models`: list, pull, add, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from framekeep.cli.common import JsonOption, console, print_json, settings
from framekeep.cli.progress import download_bar
from framekeep.encoders import registry

app = typer.Typer(no_args_is_help=True, help="List, fetch, add and verify encoders.")


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the encoders there are, and whether each is on this machine."""
    found = registry.list_models(settings())
    if as_json:
        print_json(found)
        return
    table = Table(box=None, pad_edge=False)
    for column, justify in (("name", "left"), ("numbers", "right"), ("size", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    table.add_column("on disk")
    table.add_column("")
    for model in found:
        on_disk = "yes" if model.on_disk else "no"
        size = f"{model.bytes / 1e6:,.0f} MB"
        table.add_row(Text(model.name), str(model.dim), size, on_disk, model.note)
    console.print(table)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="See `framekeep models list`.")],
    as_json: JsonOption = False,
) -> None:
    """Fetch an encoder's weights, check their SHA-256 and keep them. Stopped, it resumes.

    Example: framekeep models pull clip-vit-b-32
    """
    with download_bar() as progress:
        model = registry.pull(name, settings(), progress)
    if as_json:
        print_json(model)
    else:
        console.print(f"{model.name} is ready.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name of your own.")],
    path: Annotated[Path, typer.Argument(help="A CLIP checkpoint, or the folder it lies in.")],
    as_json: JsonOption = False,
) -> None:
    """Add a CLIP checkpoint from this machine: OpenAI's, transformers' or open_clip's form.

    Example: framekeep models add my-clip ~/Downloads/model.safetensors
    """
    model = registry.add_model(name, path.expanduser(), settings())
    if as_json:
        print_json(model)
    else:
        console.print(f"{model.name} is ready: {model.dim} numbers a picture.", markup=False)


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="One model; all without it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the files of the models on this machine against their SHA-256."""
    results = registry.verify(settings(), name)
    if as_json:
        print_json(results)
    else:
        for result in results:
            state = "whole" if result.ok else result.reason
            console.print(f"{result.name}: {state}", soft_wrap=True, markup=False)
    if not all(result.ok for result in results):
        raise typer.Exit(1)
