"""`yibao reconcile`: ledger, bank and registers held against each other, and what does not agree cleared with a reason."""

import getpass
from datetime import datetime
from pathlib import Path

import click

from stack.options import data_dir_option

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
DAY = click.DateTime(["%Y-%m-%d"])


@click.group(invoke_without_command=True)
@data_dir_option
@click.option("--on", "on", type=DAY, help="Until the end of this day; today when left out.")
@click.option("--from", "since", type=DAY, help="The first day of those to look at, with --to.")
@click.option("--to", "until", type=DAY, help="The last day of those to look at, with --from.")
@json_option
@click.pass_context
def reconcile(
    context: click.Context,
    data_dir: Path,
    on: datetime | None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Hold our ledger, the bank's statements and both registers against each other, and print what stands open.

    Every order that anything happened to in the last 92 days is looked at, and whatever stands open from before; with --from
    and --to those of these days. A difference that is not found any more is cleared by the run, with that reason.
    """
    if context.invoked_subcommand is not None:
        return
    if (since is None) != (until is None):
        raise click.UsageError("--from and --to go together")
    if on is not None and since is not None:
        raise click.UsageError("either --on, or --from and --to")
    from stack.reconcile_commands import reconcile_and_print

    last = until or on
    reconcile_and_print(data_dir, since and since.date(), last and last.date(), as_json=as_json)


@reconcile.command(name="open")
@data_dir_option
@json_option
def open_(data_dir: Path, as_json: bool) -> None:
    """Print what stands open, by who must clear it, without a run."""
    from stack.reconcile_commands import open_and_print

    open_and_print(data_dir, as_json=as_json)


@reconcile.command()
@click.argument("difference_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@data_dir_option
@click.option("--reason", required=True, help="Why it is no difference any more.")
@click.option("--by", "cleared_by", metavar="NAME", default=getpass.getuser, help="Who says so; you when left out.")
def clear(difference_id: int, data_dir: Path, reason: str, cleared_by: str) -> None:
    """Clear the open difference ID. It stays on record, with the reason and who gave it."""
    from stack.reconcile_commands import clear_and_print

    clear_and_print(data_dir, difference_id, reason=reason, cleared_by=cleared_by)


@reconcile.command()
@data_dir_option
def cleared(data_dir: Path) -> None:
    """Print what was cleared by hand, the latest first: when, by whom and why. The reasons are kept sealed."""
    from stack.reconcile_commands import cleared_and_print

    cleared_and_print(data_dir)
