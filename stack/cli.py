"""The command line `yibao`. Each command imports what it needs when it runs, so that `--help` answers at once."""

import asyncio
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import click

from stack.bank_cli import bank
from stack.calendar_cli import calendar
from stack.contribution_cli import contributions
from stack.errors import StackError
from stack.funds_cli import funds
from stack.ledger_cli import ledger
from stack.mandate_cli import mandate
from stack.options import data_dir_option, port_options
from stack.reconcile_cli import reconcile
from stack.region_cli import region
from stack.register_cli import register
from stack.schema_cli import schema
from stack.staff_cli import staff

ROLE_NAMES = (
    "INSURED_PERSON",
    "EMPLOYER",
    "CLERK",
    "CHECKER",
    "FINANCE",
    "AGENCY_SYSTEM",
    "SUPERVISOR",
    "OPERATOR",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="yibao")
def yibao() -> None:
    """The transfer and continuation of basic medical insurance: 基本医疗保险关系转移接续."""


@yibao.command()
@data_dir_option
@port_options
def up(data_dir: Path, port: int, temporal_port: int, temporal_ui_port: int, postgres_port: int) -> None:
    """Run the whole system on this machine until Ctrl-C."""
    from stack.foreground import run_until_interrupted
    from stack.up import Ports

    ports = Ports(port, temporal_port, temporal_ui_port, postgres_port)
    asyncio.run(run_until_interrupted(data_dir, ports))


@yibao.command()
@data_dir_option
@click.option("--role", type=click.Choice(ROLE_NAMES), required=True, help="What the bearer is.")
@click.option("--region", metavar="CODE", help="Pooling region of an agency's person or system.")
@click.option("--resident-id", metavar="ID", help="Number of the insured person.")
@click.option("--subject", metavar="NAME", help="Who it is; of an employer, its unified social credit code.")
@click.option("--acting-person", metavar="NAME", help="Who acts for the bearer: the token's `act` claim (RFC 8693).")
def token(
    data_dir: Path,
    role: str,
    region: str | None,
    resident_id: str | None,
    subject: str | None,
    acting_person: str | None,
) -> None:
    """Print a bearer token for the local stack, good for 12 hours."""
    from stack.issuer import DevelopmentIssuer, require_no_real_issuer
    from workflows.vocabulary import Role

    require_no_real_issuer()
    issuer = DevelopmentIssuer.of(data_dir, make=False)
    made = issuer.token(
        Role(role), region=region, resident_id=resident_id, subject=subject, acting_person=acting_person
    )
    click.echo(made)


@yibao.command()
def gateway() -> None:
    """Serve the GraphQL API. Configured by environment; what is missing or unknown is named."""
    from gateway.app import main as serve

    serve()


@yibao.command()
def worker() -> None:
    """Carry out the transfers. Configured by environment."""
    from activities.worker import main as work

    work()


@yibao.command()
def migrate() -> None:
    """Bring a database to the present schema.

    YIBAO_DATABASE_URL is its owner's URL. YIBAO_WORKER_PASSWORD and YIBAO_GATEWAY_PASSWORD, when set, become the passwords of the two roles that the worker
    and the gateway log in with.
    """
    import asyncpg

    from activities.migrate import migrate as apply_migrations
    from activities.settings import SettingsError
    from activities.transport_security import require_encryption

    passwords = {
        role: os.environ[variable]
        for role, variable in (("yibao_worker", "YIBAO_WORKER_PASSWORD"), ("yibao_gateway", "YIBAO_GATEWAY_PASSWORD"))
        if os.environ.get(variable)
    }
    url = os.environ.get("YIBAO_DATABASE_URL")
    if not url:
        raise StackError("YIBAO_DATABASE_URL is missing: the owner's URL of the database to migrate")
    try:
        if os.environ.get("YIBAO_ENV") != "development":
            require_encryption(os.environ, temporal=False)
        applied = asyncio.run(apply_migrations(url, role_passwords=passwords))
    except SettingsError as error:
        raise StackError("\n".join(error.lines)) from None
    except OSError as error:
        raise StackError(f"The database of YIBAO_DATABASE_URL does not answer: {error}") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"The database of YIBAO_DATABASE_URL cannot be migrated: {error}") from None
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("the database is up to date")


@yibao.command()
@data_dir_option
@port_options
@click.option("--exit", "leave", is_flag=True, help="Stop when the transfers are shown.")
def demo(data_dir: Path, port: int, temporal_port: int, temporal_ui_port: int, postgres_port: int, leave: bool) -> None:
    """Carry a transfer from application to 已办结 before your eyes, on a running or a fresh stack."""
    from stack.demo import run_demo
    from stack.up import Ports

    asyncio.run(run_demo(data_dir, Ports(port, temporal_port, temporal_ui_port, postgres_port), leave=leave))


@yibao.command()
@click.argument("no")
@data_dir_option
@click.option("--proof", is_flag=True, help="Count every deadline again, day by day; exit 1 when one does not hold.")
def why(no: str, data_dir: Path, proof: bool) -> None:
    """Say on one screen where transfer NO is, who holds it, under which law, and what went wrong."""
    from stack.why import why_and_print

    why_and_print(no, data_dir, proof=proof)


for command in (bank, register, contributions, region, calendar, funds, mandate, staff, ledger, reconcile, schema):
    yibao.add_command(command)


def main() -> NoReturn:
    """Run the command line and leave without the interpreter's own exit.

    A process that used a Temporal client can crash there, and its exit code with it.
    """
    try:
        yibao.main(prog_name="yibao")
        code: str | int | None = 0
    except StackError as error:
        click.echo(f"yibao: {error}", err=True)
        code = 1
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:  # noqa: BLE001 - the last frame: shown, and turned into an exit code
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
