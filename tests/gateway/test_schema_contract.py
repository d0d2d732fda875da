"""The schema in use contains the public contract, field by field."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    build_schema,
    is_required_input_field,
)

from gateway.schema import PRINTED, printed, schema
from stack.schema_cli import schema as schema_command

ROOT = Path(__file__).parents[2]
CONTRACT_FILE = ROOT / "docs" / "contract.graphql"
# Version 1, as it was agreed: whoever changes it changes a public promise.
CONTRACT_SHA256 = "e06d6165201d1479f7e751e86dcbba86b994086a4ad718416aa0f8a01887738c"
CONTRACT = build_schema(CONTRACT_FILE.read_text("utf-8"))
OURS = build_schema(printed())


def contract_types() -> Iterable[GraphQLNamedType]:
    return [each for each in CONTRACT.type_map.values() if not each.name.startswith("__")]


@pytest.mark.parametrize("theirs", contract_types(), ids=lambda each: each.name)
def test_a_type_of_the_contract_is_there_with_all_that_it_has(theirs: GraphQLNamedType) -> None:
    ours = OURS.type_map[theirs.name]
    assert type(ours) is type(theirs)
    match theirs:
        case GraphQLEnumType():
            assert isinstance(ours, GraphQLEnumType)
            assert list(ours.values)[: len(theirs.values)] == list(theirs.values)
        case GraphQLUnionType():
            assert isinstance(ours, GraphQLUnionType)
            assert {each.name for each in theirs.types} <= {each.name for each in ours.types}
        case GraphQLInputObjectType():
            assert isinstance(ours, GraphQLInputObjectType)
            for name, field in theirs.fields.items():
                assert str(ours.fields[name].type) == str(field.type), name
                assert ours.fields[name].default_value == field.default_value, name
            added = ours.fields.keys() - theirs.fields.keys()
            assert not any(is_required_input_field(ours.fields[name]) for name in added)
        case GraphQLObjectType() | GraphQLInterfaceType():
            assert isinstance(ours, GraphQLObjectType | GraphQLInterfaceType)
            assert {each.name for each in theirs.interfaces} <= {each.name for each in ours.interfaces}
            for name, field in theirs.fields.items():
                assert str(ours.fields[name].type) == str(field.type), name
                for argument, expected in field.args.items():
                    actual = ours.fields[name].args[argument]
                    assert str(actual.type) == str(expected.type), (name, argument)
                    assert actual.default_value == expected.default_value, (name, argument)
                assert ours.fields[name].args.keys() == field.args.keys(), name
        case GraphQLScalarType():
            pass
        case _:
            pytest.fail(f"{theirs.name} is of a kind that this test does not know")


def test_every_auth_of_the_contract_is_ours_with_the_same_roles() -> None:
    for theirs in contract_types():
        if not isinstance(theirs, GraphQLObjectType):
            continue
        ours = OURS.type_map[theirs.name]
        assert isinstance(ours, GraphQLObjectType)
        for name, field in theirs.fields.items():
            required = roles(field.ast_node)
            assert roles(ours.fields[name].ast_node) == required, f"{theirs.name}.{name}"
            if required:
                assert (ours.fields[name].description or "").endswith(f"Roles: {', '.join(required)}.")


def roles(node: object) -> list[str]:
    directives = [each for each in (getattr(node, "directives", None) or ()) if each.name.value == "auth"]
    return [value.value for directive in directives for value in directive.arguments[0].value.values]


def test_the_contracts_own_words_are_kept_where_it_says_something() -> None:
    transfer, ours = CONTRACT.type_map["Transfer"], OURS.type_map["Transfer"]
    assert isinstance(transfer, GraphQLObjectType)
    assert isinstance(ours, GraphQLObjectType)
    for name, field in transfer.fields.items():
        assert ours.fields[name].description == field.description


def test_the_committed_schema_is_the_one_in_use() -> None:
    assert PRINTED.read_text("utf-8") == printed()
    assert CliRunner().invoke(schema_command, ["--check"]).exit_code == 0


def test_a_schema_that_differs_from_the_committed_one_is_shown_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = tmp_path / "schema.graphql"
    committed.write_text(printed().replace("  maskedName: String!\n", "  maskedName: String\n"), "utf-8")
    monkeypatch.setattr("gateway.schema.PRINTED", committed)
    result = CliRunner().invoke(schema_command, ["--check"])
    assert result.exit_code == 1
    assert "+  maskedName: String!\n" in result.output
    assert "-  maskedName: String\n" in result.output


def test_the_copy_of_the_contract_is_the_contract() -> None:
    assert hashlib.sha256(CONTRACT_FILE.read_bytes()).hexdigest() == CONTRACT_SHA256


def test_no_field_shows_a_resident_identity_number() -> None:
    outputs = [each for each in schema._schema.type_map.values() if isinstance(each, GraphQLObjectType)]
    shown = {
        f"{each.name}.{name}"
        for each in outputs
        for name, field in each.fields.items()
        if "ResidentId" in str(field.type)
    }
    assert shown == set()
