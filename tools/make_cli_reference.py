"""Write docs/cli.md from the command line itself.

python tools/make_cli_reference.py           write it
python tools/make_cli_reference.py --check   exit with 1 where it is not current
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
INTRODUCTION = """\
# The command line

Written by `tools/make_cli_reference.py` from the commands themselves; a test holds it current.
`framekeep --install-completion` sets up completion for your shell.

"""


def reference() -> str:
    """The whole page."""
    from framekeep.cli.main import app

    command: Any = typer.main.get_command(app)
    return INTRODUCTION + "\n".join(_sections(command, ["framekeep"])).rstrip() + "\n"


def _sections(command: Any, words: list[str]) -> Iterator[str]:
    context = command.context_class(command, info_name=words[-1])
    yield f"## {' '.join(words)}\n"
    yield _description(command.help or "")
    yield _usage(command, words)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and _is_ours(p)]
    yield from _listed([(f"`{_metavar(a)}`", a) for a in arguments])
    yield from _listed([(_option(o), o) for o in options])
    if command.epilog:
        yield f"{command.epilog}\n"
    for name in _names(command, context):
        yield from _sections(command.get_command(context, name), [*words, name])


def _is_ours(option: Any) -> bool:
    return not option.hidden and not option.opts[0].endswith("-completion")


def _names(command: Any, context: Any) -> list[str]:
    return command.list_commands(context) if hasattr(command, "list_commands") else []


def _description(text: str) -> str:
    """A command's help as Markdown: lines set in become one block of code."""
    lines = [line.rstrip() for line in text.replace("\b", "").strip().splitlines()]
    out: list[str] = []
    for line in lines:
        code = line.startswith("    ")
        inside = bool(out) and out[-1].startswith("    ")
        if code and inside and not line.strip():
            continue
        out.append(line)
    return "\n".join(out) + "\n"


def _usage(command: Any, words: list[str]) -> str:
    arguments = [_metavar(p) for p in command.params if p.param_type_name == "argument"]
    tail = ["COMMAND [ARGS]..."] if hasattr(command, "list_commands") else []
    return f"```console\n{' '.join([*words, '[OPTIONS]', *arguments, *tail])}\n```\n"


def _metavar(parameter: Any) -> str:
    """How a value is written; our own, since Typer's differs between its versions."""
    if parameter.metavar:
        return str(parameter.metavar)
    if parameter.param_type_name == "argument":
        name = parameter.name.upper()
        return name if parameter.required else f"[{name}]"
    if isinstance(parameter.default, Enum):
        return "|".join(choice.value for choice in type(parameter.default))
    return "N" if isinstance(parameter.default, int | float) else "VALUE"


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} `{_metavar(parameter)}`"


def _listed(parameters: list[tuple[str, Any]]) -> Iterator[str]:
    for label, parameter in parameters:
        told = f"- {label}"
        if parameter.help:
            told += f": {parameter.help}"
        default = parameter.default
        if isinstance(default, int | float | str) and not isinstance(default, bool):
            told += f" Default: `{getattr(default, 'value', default)}`."
        yield told
    if parameters:
        yield ""


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description="Write docs/cli.md from the commands.")
    parser.add_argument("--check", action="store_true")
    page = reference()
    if parser.parse_args().check:
        return int(page != PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
