"""Options that several commands of `yibao` share."""

from pathlib import Path

import click

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="YIBAO_DATA_DIR",
    default=Path(".yibao"),
    show_default=True,
    show_envvar=True,
    help="Where the local stack keeps everything.",
)
