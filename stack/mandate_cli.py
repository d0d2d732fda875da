"""`yibao mandate`: give, list and take back mandates on the local stack, over its public API.

In the person's own name, or in a clerk's for what a person has signed on paper.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click

from stack.options import data_dir_option

RELATIONS = ("SPOUSE", "PARENT", "CHILD", "GUARDIAN", "OTHER")
of_person = click.option("--resident-id", metavar="ID", required=True, help="Number of the person who gives it.")

F = TypeVar("F", bound=Callable[..., None])


def the_mandate(command: F) -> F:
    """The options that say what is given to whom."""
    for option in (
        click.option(
            "--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The last day; two years at most."
        ),
        click.option(
            "--relation", type=click.Choice(RELATIONS), required=True, help="What the agent is to the person."
        ),
        click.option("--agent", metavar="ID", required=True, help="Number of the one who is to act."),
        of_person,
    ):
        command = option(command)
    return command


def by_clerk(command: F) -> F:
    """The options that say which clerk acts."""
    for option in (
        click.option("--clerk", metavar="NAME", required=True, help="Name of the clerk who acts."),
        click.option("--region", metavar="CODE", required=True, help="Region of the clerk's agency."),
    ):
        command = option(command)
    return command


@click.group()
def mandate() -> None:
    """Mandates by which a relative acts for an insured person, on the local stack."""


@mandate.command()
@data_dir_option
@the_mandate
def grant(data_dir: Path, resident_id: str, agent: str, relation: str, until: datetime) -> None:
    """Let another person act for this one."""
    from stack.mandate_commands import grant_and_print

    grant_and_print(data_dir, resident_id, agent=agent, relation=relation, until=until.date())


@mandate.command()
@data_dir_option
@by_clerk
@the_mandate
@click.option("--paper", metavar="REF", required=True, help="Reference of the paper that the person has signed.")
def enter(
    data_dir: Path,
    clerk: str,
    region: str,
    resident_id: str,
    agent: str,
    relation: str,
    until: datetime,
    paper: str,
) -> None:
    """Enter at a window what this person has signed; a second clerk must approve it."""
    from stack.mandate_commands import Clerk, enter_and_print

    enter_and_print(
        data_dir,
        Clerk(clerk, region),
        resident_id=resident_id,
        agent=agent,
        relation=relation,
        until=until.date(),
        paper=paper,
    )


@mandate.command()
@data_dir_option
@by_clerk
@click.argument("mandate_id")
def approve(data_dir: Path, clerk: str, region: str, mandate_id: str) -> None:
    """Approve the mandate MANDATE_ID that another clerk has entered: it starts 24 hours later."""
    from stack.mandate_commands import Clerk, approve_and_print

    approve_and_print(data_dir, Clerk(clerk, region), mandate_id)


@mandate.command()
@data_dir_option
@of_person
@click.argument("mandate_id")
def confirm(data_dir: Path, resident_id: str, mandate_id: str) -> None:
    """Confirm the mandate MANDATE_ID that a window has entered: it starts now."""
    from stack.mandate_commands import confirm_and_print

    confirm_and_print(data_dir, resident_id, mandate_id)


@mandate.command()
@data_dir_option
@of_person
@click.argument("mandate_id")
def revoke(data_dir: Path, resident_id: str, mandate_id: str) -> None:
    """Take back the mandate MANDATE_ID."""
    from stack.mandate_commands import revoke_and_print

    revoke_and_print(data_dir, resident_id, mandate_id)


@mandate.command("list")
@data_dir_option
@of_person
def list_(data_dir: Path, resident_id: str) -> None:
    """List the mandates that a person has given and holds, masked."""
    from stack.mandate_commands import list_and_print

    list_and_print(data_dir, resident_id)
