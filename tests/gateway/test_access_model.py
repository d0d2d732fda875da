"""The model of access is complete: whatever the schema, the router and the closed lists have has a rule, and no rule is idle."""

import pytest
from graphql import extend_schema, parse
from starlette.routing import Route

from gateway import access_model
from gateway.access_model import EMPLOYERS, FULL, SEES, Purpose, Relation, Rule, Show
from gateway.app import create_app
from gateway.settings import Settings
from tests.gateway.access_rows import ACTION_OF, GRAPHQL, paths, public, without_a_field, without_a_rule
from workflows.actors import ActorKind
from workflows.rules import RULES
from workflows.vocabulary import APPLICANTS, DocumentKind, Role, Side, TransferAction


def test_everything_that_can_be_asked_has_a_rule_and_every_rule_is_of_something() -> None:
    assert without_a_rule(GRAPHQL) == []
    assert without_a_field(GRAPHQL) == []


@pytest.mark.parametrize(
    ("addition", "missing"),
    [
        ("extend type Query { everybody: String }", ["Query.everybody"]),
        ("extend type Viewer { everything: String }", ["Viewer.everything"]),
        ("extend type Mutation { forget: String }", ["Mutation.forget"]),
        ("extend type Subscription { allEvents: String }", ["Subscription.allEvents"]),
        ("extend type Transfer { residentId: String }", ["Transfer.residentId"]),
        ("extend type TransferEvent { note: String }", ["TransferEvent.note"]),
        ("extend type Progress { amount: String }", ["Progress.amount"]),
        ("extend type TransferDocument { text: String }", ["TransferDocument.text"]),
        ("type Person implements Node { id: ID! }", ["node Person"]),
    ],
)
def test_what_is_added_without_a_rule_is_found_by_its_name(addition: str, missing: list[str]) -> None:
    assert without_a_rule(extend_schema(GRAPHQL, parse(addition))) == missing


async def test_every_route_has_a_rule_and_one_without_is_found_by_its_path(
    settings: Settings, development: Settings
) -> None:
    production = list(paths(create_app(settings).routes))
    routes = create_app(development).routes
    assert set(paths(routes)) == set(access_model.ROUTES)
    in_development = {
        path for path, rule in access_model.ROUTES.items() if rule is access_model.RouteAccess.DEVELOPMENT
    }
    assert set(production) == set(access_model.ROUTES) - in_development
    added = [*routes, Route("/everything", lambda _: None)]
    assert set(paths(added)) - set(access_model.ROUTES) == {"/everything"}


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        *access_model.ROOT_FIELDS.items(),
        *((f"Mutation.{name}", rule) for name, rule in access_model.MUTATIONS.items()),
    ],
)
def test_the_schema_asks_for_the_roles_of_the_model(field: str, rule: Rule) -> None:
    node = public(field)
    said = f"Roles: {', '.join(rule.roles)}." if rule.roles is not None else None
    assert node.description is None or ("Roles: " in node.description) == (said is not None), field
    if said is not None:
        assert node.description is not None
        assert node.description.endswith(said), field


SIDES = {Side.TRANSFER_OUT: {Relation.TRANSFER_OUT}, Side.TRANSFER_IN: {Relation.TRANSFER_IN}}


@pytest.mark.parametrize(("mutation", "action"), ACTION_OF.items())
def test_a_step_is_for_the_roles_and_the_side_of_its_rule(mutation: str, action: TransferAction) -> None:
    rule, model = RULES[action], access_model.MUTATIONS[mutation]
    assert model.roles is not None
    assert set(model.roles) == set(rule.roles)
    side = SIDES.get(rule.side, {Relation.TRANSFER_OUT, Relation.TRANSFER_IN}) if rule.side is not None else set()
    if action in (TransferAction.CONFIRM_RECEIPT, TransferAction.MATCH_FUNDS):
        # Of money that comes back: at the transfer-out agency.
        side = side | {Relation.TRANSFER_OUT}
    offices = set(model.relations) - access_model.OWN - EMPLOYERS
    assert offices == (side or ({Relation.SUPERVISOR} if Role.SUPERVISOR in rule.roles else set()))
    assert bool(model.relations & (access_model.OWN | EMPLOYERS)) == (not set(APPLICANTS).isdisjoint(rule.roles))


def test_every_relation_has_a_purpose_and_every_purpose_a_relation() -> None:
    assert set(access_model.PURPOSE) == set(Relation)
    assert set(access_model.PURPOSE.values()) == set(Purpose)
    assert access_model.purpose_of({Relation.SUPERVISOR, Relation.TRANSFER_IN}) is Purpose.CASE_HANDLING
    assert access_model.purpose_of(()) is Purpose.PRE_CHECK


def test_of_several_relations_the_one_that_is_shown_most_counts() -> None:
    table = access_model.TRANSFER_FIELDS
    assert access_model.show(table, "notices", frozenset({Relation.SELF})) is Show.PART
    assert access_model.show(table, "notices", frozenset({Relation.SELF, Relation.TRANSFER_OUT})) is Show.ALL
    assert access_model.show(table, "notices", frozenset()) is Show.NOTHING
    with pytest.raises(KeyError):
        access_model.show(table, "nothing", frozenset())
    assert access_model.is_limited(EMPLOYERS)
    assert not access_model.is_limited(EMPLOYERS | {Relation.SELF})


def test_no_field_is_for_who_does_not_see_the_transfer_and_money_is_for_nobody_who_is_an_employer_alone() -> None:
    for table in (access_model.TRANSFER_FIELDS, access_model.PROGRESS_FIELDS, access_model.EVENT_FIELDS):
        assert all(set(row) <= SEES for row in table.values())
    assert all(set(access_model.EVENT_KINDS[kind]) <= SEES for kind in access_model.EVENT_KINDS)
    for field in ("personalAccountBalance", "contributionPeriods", "continuation", "remittances", "coverageGap"):
        assert set(access_model.TRANSFER_FIELDS[field]) == FULL
    for kind in DocumentKind:
        readers = {each for each in Relation if access_model.document_shown(kind, frozenset({each}))}
        assert readers == access_model.OWN | access_model.AGENCIES


@pytest.mark.parametrize(
    ("relations", "kind"),
    [
        ({Relation.SELF, Relation.EMPLOYER}, ActorKind.PERSON),
        ({Relation.MANDATE, Relation.EMPLOYER}, ActorKind.AGENT),
        ({Relation.FORMER_EMPLOYER}, ActorKind.EMPLOYER),
        ({Relation.TRANSFER_OUT}, None),
        (set(), None),
    ],
)
def test_what_an_applicant_acts_as_follows_from_the_relation(relations: set[Relation], kind: ActorKind | None) -> None:
    assert access_model.acts_as(frozenset(relations)) is kind
