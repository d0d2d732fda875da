"""`yibao schema`: the GraphQL schema in use, and whether it is the committed one."""

import difflib
import sys

import click


@click.command()
@click.option("--check", is_flag=True, help="Show how the committed schema.graphql differs, and exit 1 if it does.")
@click.option("--write", is_flag=True, help="Write it to the committed schema.graphql.")
def schema(check: bool, write: bool) -> None:
    """Print the GraphQL schema."""
    from gateway.schema import PRINTED, printed

    text = printed()
    if write:
        PRINTED.write_text(text, "utf-8")
    elif check:
        committed = PRINTED.read_text("utf-8") if PRINTED.exists() else ""
        lines = difflib.unified_diff(
            committed.splitlines(keepends=True), text.splitlines(keepends=True), "schema.graphql", "schema in use"
        )
        difference = "".join(lines)
        if difference:
            click.echo(difference, nl=False)
            click.echo("The schema has changed: look at it, then `yibao schema --write` and commit.", err=True)
            sys.exit(1)
    else:
        click.echo(text, nl=False)
