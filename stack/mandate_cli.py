"""`yibao mandate`: give, list and take back mandates on the local stack, over its public API in the person's own name."""

from datetime import datetime
from pathlib import Path

import click

from stack.options import data_dir_option

RELATIONS = ("SPOUSE", "PARENT", "CHILD", "GUARDIAN", "OTHER")
of_person = click.option("--resident-id", metavar="ID", required=True, help="Number of the person who gives it.")


@click.group()
def mandate() -> None:
    """Mandates by which a relative acts for an insured person, on the local stack."""


@mandate.command()
@data_dir_option
@of_person
@click.option("--agent", metavar="ID", required=True, help="Number of the one who is to act.")
@click.option("--relation", type=click.Choice(RELATIONS), required=True, help="What the agent is to the person.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The last day; two years at most.")
def grant(data_dir: Path, resident_id: str, agent: str, relation: str, until: datetime) -> None:
    """Let another person act for this one."""
    from stack.mandate_commands import grant_and_print

    grant_and_print(data_dir, resident_id, agent=agent, relation=relation, until=until.date())


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
