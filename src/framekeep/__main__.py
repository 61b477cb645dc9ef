"""`python -m framekeep` is the `framekeep` command."""

from framekeep.cli.main import run

run()
