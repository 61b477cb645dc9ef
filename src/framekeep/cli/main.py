"""The `framekeep` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from framekeep import __version__
from framekeep.cli import (
    adding,
    clips,
    datasets,
    demo,
    keeping,
    labels,
    library,
    models,
    notes,
    objects,
    searching,
    web,
)
from framekeep.cli.common import GlobalOptions, say
from framekeep.errors import FramekeepError, LibraryLockedError

EXIT_ERROR, EXIT_LOCKED, EXIT_INTERRUPTED = 1, 3, 130

app = typer.Typer(
    name="framekeep",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 an error told in one sentence, 2 wrong usage, "
    "3 another process holds the library, 130 stopped with Ctrl-C.",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"framekeep {__version__}")
        raise typer.Exit


@app.callback()
def main(
    library: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The library's folder, for any command."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Search your own photos and films by meaning, on your own machine.

    Start with `framekeep demo`, then `framekeep add FOLDER` and `framekeep search "…"`.
    """
    GlobalOptions.library = library


app.command()(demo.demo)
app.command("app")(web.app)
app.command()(adding.add)
app.command()(objects.segment)
app.command()(searching.search)
app.command()(searching.similar)
app.command()(searching.duplicates)
app.command()(clips.clip)
app.command()(keeping.status)
app.command()(keeping.problems)
app.command()(keeping.tag)
app.command()(keeping.repair)
app.command()(labels.objects)
app.command()(labels.label)
app.command()(notes.note)
app.command()(notes.attribute)
app.command()(labels.accept)
app.command()(labels.reject)
app.command()(labels.reopen)
app.add_typer(labels.app, name="classes")
app.command()(labels.undo)
app.add_typer(models.app, name="models")
app.command()(datasets.export)
app.command("import")(datasets.import_)
app.command("export-list")(searching.export_list)
app.add_typer(library.app, name="library")


def run() -> None:
    """Run the command line; errors become one sentence and an exit code."""
    try:
        app()
    except LibraryLockedError as exc:
        say(str(exc))
        sys.exit(EXIT_LOCKED)
    except FramekeepError as exc:
        say(str(exc))
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        say("Stopped. What was done is kept; the same command goes on from here.")
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(EXIT_ERROR)
    except OSError as exc:
        say(f"The output or a file could not be written or read: {exc}.")
        sys.exit(EXIT_ERROR)
