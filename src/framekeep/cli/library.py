"""`framekeep library`: info, clear, encoder, check."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from framekeep.cli.adding import report
from framekeep.cli.common import JsonOption, LibraryOption, console, opened, print_json
from framekeep.cli.keeping import status
from framekeep.cli.progress import follow

app = typer.Typer(no_args_is_help=True, help="Look at, change or clear a library as a whole.")


class PrecisionName(StrEnum):
    """The precisions an encoder can run in."""

    fp32 = "fp32"
    bf16 = "bf16"
    int8 = "int8"


@app.command()
def info(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Show where the library is and what it holds; the same as `framekeep status`."""
    status(library, as_json)


@app.command()
def clear(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    library: LibraryOption = None,
) -> None:
    """Forget everything the library holds. Your photos are not touched.

    Example: framekeep library clear --yes
    """
    with opened(library) as lib:
        state = lib.status()
        question = f"Forget {state.media} photos and films and {state.tags} tags in {state.path}?"
        if not yes and not typer.confirm(question):
            console.print("Nothing was changed.")
            raise typer.Exit(1)
        lib.clear()
    console.print("The library is empty. Your photos were not touched.")


@app.command()
def encoder(
    name: Annotated[str, typer.Argument(help="See `framekeep models list`.")],
    precision: Annotated[PrecisionName, typer.Option()] = PrecisionName.fp32,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the library's encoder: every photo is encoded again, then searches use the new one.

    Until that is complete the former one serves. If it is stopped, the same command goes on.

    Example: framekeep library encoder clip-vit-b-32
    """
    with opened(library) as lib:
        counts = follow(lib.use_encoder(name, precision.value), "Encoding")
    report(counts, as_json)


@app.command()
def check(
    precision: Annotated[PrecisionName, typer.Argument()] = PrecisionName.int8,
    sample: Annotated[int, typer.Option(min=50, help="How many photos to compare.")] = 200,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check on your own photos whether a faster precision gives the results of fp32.

    Example: framekeep library check int8
    """
    with opened(library) as lib:
        found = lib.check_precision(precision.value, sample)
    if as_json:
        print_json({**{k: getattr(found, k) for k in found.__slots__}, "passed": found.passed})
        return
    console.print(
        f"{found.precision} against fp32 on {found.sample} photos: mean cosine "
        f"{found.mean_cosine:.4f}, top-10 overlap {found.top10_overlap:.2f}: "
        f"{'passed' if found.passed else 'not passed'}."
    )
