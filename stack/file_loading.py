"""What the commands that load a file share: the progress bar, and the list of what is wrong with its rows."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from activities.csv_batches import SHOWN
from activities.csv_file import RowError
from stack.errors import StackError

Report = TypeVar("Report")


async def with_progress(file: Path, load: Callable[[Callable[[int, int], None]], Awaitable[Report]]) -> Report:
    """Await `load`, which tells (bytes read, rows read), behind a bar on the terminal. Raises `OSError` for the file."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    size = file.stat().st_size
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=size)

        def on_progress(read_bytes: int, rows: int) -> None:
            doing = f"{rows:,} rows read" if read_bytes < size else f"writing {rows:,} rows"
            progress.update(task, completed=read_bytes, description=doing)

        return await load(on_progress)


def refuse_faults(errors: Sequence[RowError], count: int, rows: int) -> None:
    """List what is wrong with the file, if anything is, and raise `StackError`."""
    for error in errors:
        click.echo(str(error))
    if count > SHOWN:
        click.echo(f"and {count - SHOWN:,} more")
    if count:
        raise StackError(f"nothing was loaded: {count:,} errors in {rows:,} rows")
