"""`framekeep models`: list, pull, add, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from framekeep.cli.common import JsonOption, console, print_json, settings
from framekeep.cli.progress import download_bar
from framekeep.modelling import (
    SEGMENTER,
    add_model,
    pull_model,
    verify_models,
)
from framekeep.modelling import list_models as all_models

app = typer.Typer(no_args_is_help=True, help="List, fetch, add and verify encoders and segmenters.")


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the encoders and segmenters there are, and whether each is on this machine."""
    found = all_models(settings())
    if as_json:
        print_json(found)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("name", "kind"):
        table.add_column(column)
    for column in ("numbers", "size"):
        table.add_column(column, justify="right")
    table.add_column("on disk")
    table.add_column("")
    for model in found:
        on_disk = "yes" if model.on_disk else "no"
        size = f"{model.bytes / 1e6:,.0f} MB"
        kind = SEGMENTER if model.kind == SEGMENTER else "encoder"
        numbers = str(model.dim) if model.dim else ""
        table.add_row(Text(model.name), kind, numbers, size, on_disk, model.note)
    console.print(table)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="See `framekeep models list`.")],
    as_json: JsonOption = False,
) -> None:
    """Fetch a model's weights, check their SHA-256 and keep them. Stopped, it resumes.

    Examples:

        framekeep models pull clip-vit-b-32

        framekeep models pull sam2.1-tiny
    """
    with download_bar() as progress:
        model = pull_model(name, settings(), progress)
    if as_json:
        print_json(model)
    else:
        console.print(f"{model.name} is ready.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name of your own.")],
    path: Annotated[
        Path, typer.Argument(help="A checkpoint of CLIP, SAM or SAM 2, or its folder.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Add a checkpoint from this machine, of CLIP (an encoder) or of SAM or SAM 2 (a segmenter).

    CLIP's may have OpenAI's, transformers' or open_clip's form, SAM's Meta's or transformers'.

    Example: framekeep models add my-clip ~/Downloads/model.safetensors
    """
    model = add_model(name, path.expanduser(), settings())
    if as_json:
        print_json(model)
    else:
        what = f"{model.dim} numbers a picture" if model.dim else "it finds objects"
        console.print(f"{model.name} is ready: {what}.", markup=False)


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="One model; all without it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the files of the models on this machine against their SHA-256."""
    results = verify_models(settings(), name)
    if as_json:
        print_json(results)
    else:
        for result in results:
            state = "whole" if result.ok else result.reason
            console.print(f"{result.name}: {state}", soft_wrap=True, markup=False)
    if not all(result.ok for result in results):
        raise typer.Exit(1)
