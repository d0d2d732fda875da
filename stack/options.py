"""Options that several commands of `yibao` share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="YIBAO_DATA_DIR",
    default=Path(".yibao"),
    show_default=True,
    show_envvar=True,
    help="Where the local stack keeps everything.",
)


def port_options(command: Command) -> Command:
    """The four ports of a local stack, as `port`, `temporal_port`, `temporal_ui_port` and `postgres_port`."""
    port = click.IntRange(1, 65535)
    for name, default, part in reversed(
        [
            ("--port", 8000, "the gateway"),
            ("--temporal-port", 7233, "Temporal"),
            ("--temporal-ui-port", 8233, "the Temporal UI"),
            ("--postgres-port", 5433, "PostgreSQL"),
        ]
    ):
        command = click.option(name, type=port, default=default, show_default=True, help=f"Port of {part}.")(command)
    return command
