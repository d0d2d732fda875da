"""No message about a document or its variables holds a value that the caller sent."""

from typing import Any

import pytest
from graphql import GraphQLError, OperationDefinitionNode, parse, specified_rules, validate
from graphql.execution import get_variable_values

from gateway.request_errors import MAX_MESSAGE_LENGTH, without_values
from gateway.schema import schema

SCHEMA = schema._schema
# A synthetic number of a foreign resident, which no pattern of digits finds, and a name.
NUMBER, NAME = "CHN0A1234567", "王小琪"
INPUT = {
    "residentId": NUMBER,
    "name": NAME,
    "fromRegion": "110000",
    "toRegion": "319900",
    "fromScheme": "EMPLOYEE",
    "toScheme": "EMPLOYEE",
}
OPERATION = parse("query ($input: EligibilityInput!) { eligibility(input: $input) { eligible } }").definitions[0]
HAS_INVALID_VALUE = "Variable '$input' has invalid value"


def messages_of_variables(value: object) -> list[str]:
    assert isinstance(OPERATION, OperationDefinitionNode)
    errors: Any = get_variable_values(SCHEMA, OPERATION.variable_definitions or (), {"input": value})
    return [without_values(error.message) for error in errors]


def messages_of_document(text: str) -> list[str]:
    try:
        errors = validate(SCHEMA, parse(text), specified_rules)
    except GraphQLError as error:
        errors = [error]
    return [without_values(error.message) for error in errors]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            INPUT | {"bogus": 1},
            f"{HAS_INVALID_VALUE}: Expected value of type 'EligibilityInput' not to include unknown field 'bogus'.",
        ),
        (
            INPUT | {f"{NAME} {NUMBER}": 1},
            f"{HAS_INVALID_VALUE}: Expected value of type 'EligibilityInput' not to include unknown field '…'.",
        ),
        (
            {name: each for name, each in INPUT.items() if name != "toRegion"},
            f"{HAS_INVALID_VALUE}: Expected value of type 'EligibilityInput' to include required field 'toRegion'.",
        ),
        (NAME, f"{HAS_INVALID_VALUE}: Expected value of type 'EligibilityInput' to be an object."),
        (
            INPUT | {"fromScheme": f"{NAME}' does not exist in '{NUMBER}"},
            f"{HAS_INVALID_VALUE} at .fromScheme: The value does not exist in 'InsuranceScheme' enum.",
        ),
        (
            INPUT | {"requestStop": NUMBER},
            f"{HAS_INVALID_VALUE} at .requestStop: Boolean cannot represent a non boolean value",
        ),
        (
            INPUT | {"name": {"first\nline": NAME}},
            f"{HAS_INVALID_VALUE} at .name: String cannot represent a non string value",
        ),
        (INPUT | {"residentId": [NUMBER]}, f"{HAS_INVALID_VALUE} at .residentId: ResidentId: a string is expected"),
    ],
)
def test_a_wrong_variable_is_named_by_its_place_and_not_by_its_value(value: object, message: str) -> None:
    assert messages_of_variables(value) == [message]


@pytest.mark.parametrize(
    "document",
    [
        f'{{ eligibility(input: {{residentId: "{NUMBER}", name: "{NAME}", bogus: 1}}) {{ eligible }} }}',
        f'{{ eligibility(input: "{NAME} {NUMBER}") {{ eligible }} }}',
        f'{{ transfer(no: ["{NUMBER}", "{NAME}"]) {{ no }} }}',
        f'{{ transfer("{NAME}": "{NUMBER}") {{ no }} }}',
        f'{{ transfer("""{NAME} "{NUMBER}\n""") {{ no }} }}',
        f'{{ viewer(first: "{NUMBER}", after: {{ name: "{NAME}" }}) {{ roles }} }}',
        "{ transfer(110101199003071233) { no } }",
        "{ transfer(13800138000) { no } }",
    ],
)
def test_a_wrong_document_is_described_without_its_literals(document: str) -> None:
    messages = messages_of_document(document)
    assert messages
    for message in messages:
        assert NUMBER not in message
        assert NAME not in message
        assert "13800138000" not in message
        assert "110101199003071233" not in message


def test_a_message_without_values_stays_as_it_is_and_is_cut_to_its_length() -> None:
    for message in ("Cannot query field 'greetin' on type 'Query'.", "Variable '$x' is not defined."):
        assert without_values(message) == message
    assert len(without_values("x" * 10_000)) == MAX_MESSAGE_LENGTH
