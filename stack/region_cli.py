"""`yibao region`: what a pooling region decides for itself, as effective-dated data."""

from datetime import date, datetime
from pathlib import Path

import click

from stack.options import data_dir_option

dry_run_option = click.option("--dry-run", is_flag=True, help="Show the difference and change nothing.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask at a terminal.")
on_option = click.option(
    "--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day to look at; today when left out."
)


@click.group()
def region() -> None:
    """The directory of pooling regions and their policies."""


@region.command(name="set")
@click.argument("code")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE...")
@data_dir_option
@click.option(
    "--effective-from",
    "--from",
    "effective_from",
    type=click.DateTime(["%Y-%m-%d"]),
    help="In force from; today when left out, never a day that is past.",
)
@dry_run_option
@yes_option
def set_(
    code: str, changes: tuple[str, ...], data_dir: Path, effective_from: datetime | None, dry_run: bool, yes: bool
) -> None:
    """Change the policy of region CODE, e.g. `arrears=block` or `connected=no`.

    The difference to the edition in force on the first day is shown before it takes effect. Dotted keys reach inside:
    `shortened_periods.CONFIRM_CONTINUATION=3`, `waiting.months=3`; the value `default` takes a key out. Lists have a
    notation of their own or are JSON: `'open_for=EMPLOYEE>EMPLOYEE'`, `disposition=retain`. `receiving_account=none` takes
    the agency's bank account out of the directory. All keys: docs/operating.md.
    """
    from stack.region_commands import set_and_print

    set_and_print(code, changes, data_dir, _date(effective_from), dry_run=dry_run, yes=yes)


@region.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@data_dir_option
@dry_run_option
@yes_option
def load(file: Path, data_dir: Path, dry_run: bool, yes: bool) -> None:
    """Load policies of many regions from FILE, all or nothing.

    FILE is a JSON list of `{"code", "effective_from", "policy"}`. A policy is whole: what it leaves out is the default. Bad
    entries are listed by position, field and reason; the difference is shown before it takes effect.
    """
    from stack.region_file import load_and_print

    load_and_print(file, data_dir, dry_run=dry_run, yes=yes)


@region.command()
@click.argument("code")
@data_dir_option
@on_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(code: str, data_dir: Path, day: datetime | None, as_json: bool) -> None:
    """Show region CODE: its agency, the policy in force, where each value comes from, and what is to come."""
    from stack.region_show import show_and_print

    show_and_print(code, data_dir, _date(day), as_json=as_json)


@region.command(name="list")
@data_dir_option
@on_option
@click.option("--unconnected", is_flag=True, help="Those only whose forms travel by post.")
def list_(data_dir: Path, day: datetime | None, unconnected: bool) -> None:
    """List the pooling regions, whether they are connected, and the edition of the policy in force."""
    from stack.region_show import list_and_print

    list_and_print(data_dir, _date(day), unconnected=unconnected)


def _date(given: datetime | None) -> date | None:
    return given.date() if given else None
