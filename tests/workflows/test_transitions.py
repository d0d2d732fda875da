"""Who may take each action and when: the committed table of stages, and in each of them everybody asked for everything."""

from collections import Counter
from itertools import product

import pytest

from tests.workflows.pure_cases import THIRD, O, R
from tests.workflows.state_machine import COMMAND, allowed, read, stage, table
from tests.workflows.state_space import (
    ALL_WORLDS,
    FEW_WORLDS,
    MONEY_WORLDS,
    Move,
    Node,
    Space,
    decided_on,
    explore,
    moves,
)
from workflows.actors import Actor, ActorKind
from workflows.rules import RULES, NotAllowed, allowed_actions, objection
from workflows.state import Submitter, TransferState
from workflows.vocabulary import RemittanceKind, RemittanceStatus, Role, TransferAction
from workflows.vocabulary import TransferStepKind as K

pytestmark = pytest.mark.timeout(3600)
A = TransferAction
CLERKS = {Role.CLERK, Role.AGENCY_SYSTEM}
MAKERS = {Role.CLERK, Role.CHECKER, Role.AGENCY_SYSTEM}
FINANCE = {Role.FINANCE, Role.AGENCY_SYSTEM}
BOTH, NOBODY_S = "either side", "no side"
# Who may take each action, as the public contract has it: roles, and the region whose roles they must be.
WHO: dict[A, tuple[set[Role], str]] = {
    A.ACCEPT_TRANSFER: (CLERKS, R),
    A.DECLINE_TRANSFER: (CLERKS, R),
    A.STOP_COVERAGE: (CLERKS, O),
    A.REISSUE_CERTIFICATE: (CLERKS | {Role.INSURED_PERSON}, O),
    A.ISSUE_CONTACT_LETTER: (CLERKS, R),
    A.RECORD_MAIL: (CLERKS, BOTH),
    A.DELIVER_INFORMATION_FORM: (MAKERS, O),
    A.CHECK_INFORMATION_FORM: ({Role.CHECKER, Role.AGENCY_SYSTEM}, O),
    A.RETURN_TRANSFER: (MAKERS, O),
    A.REQUEST_CORRECTION: (MAKERS, R),
    A.REMIT_PERSONAL_ACCOUNT: (FINANCE, O),
    A.RELEASE_REMITTANCE: (FINANCE, O),
    A.PROVIDE_PAYOUT_ACCOUNT: ({Role.INSURED_PERSON}, NOBODY_S),
    A.CONFIRM_RECEIPT: (FINANCE, R),
    A.MATCH_FUNDS: ({Role.FINANCE}, R),
    A.CONFIRM_CONTINUATION: (MAKERS, R),
    A.APPROVE_REVERSE_REMITTANCE: ({Role.SUPERVISOR}, NOBODY_S),
    A.WITHDRAW_TRANSFER: ({Role.INSURED_PERSON, Role.EMPLOYER}, NOBODY_S),
    A.TERMINATE_TRANSFER: ({Role.SUPERVISOR}, NOBODY_S),
}
# The steps whose being done is the reason why an action comes too late.
DONE_BY: dict[A, set[K]] = {
    A.ACCEPT_TRANSFER: {K.ACCEPT_APPLICATION},
    A.DECLINE_TRANSFER: {K.ACCEPT_APPLICATION},
    A.STOP_COVERAGE: {K.STOP_COVERAGE},
    A.REISSUE_CERTIFICATE: {K.ISSUE_CERTIFICATE},
    A.ISSUE_CONTACT_LETTER: {K.ISSUE_CONTACT_LETTER},
    A.DELIVER_INFORMATION_FORM: {K.DELIVER_INFORMATION_FORM},
    A.CHECK_INFORMATION_FORM: {K.DELIVER_INFORMATION_FORM},
    A.RETURN_TRANSFER: {K.STOP_COVERAGE, K.DELIVER_INFORMATION_FORM},
    A.REQUEST_CORRECTION: {K.CONFIRM_CONTINUATION},
    A.REMIT_PERSONAL_ACCOUNT: {K.REMIT_PERSONAL_ACCOUNT},
    A.RELEASE_REMITTANCE: {K.REMIT_PERSONAL_ACCOUNT},
    A.PROVIDE_PAYOUT_ACCOUNT: {K.REMIT_PERSONAL_ACCOUNT},
    A.CONFIRM_RECEIPT: {K.CONFIRM_RECEIPT},
    A.MATCH_FUNDS: {K.CONFIRM_RECEIPT},
    A.CONFIRM_CONTINUATION: {K.CONFIRM_CONTINUATION},
}
ONCE = {A.WITHDRAW_TRANSFER, A.TERMINATE_TRANSFER}
APPLICANTS = (Role.INSURED_PERSON, Role.EMPLOYER)
ACTORS = [
    Actor(subject=f"{role}-{region}", roles=(role,), region=region)
    for role, region in product(Role, (O, R, THIRD, None))
    if (role in APPLICANTS) == (region is None) or (role in (Role.SUPERVISOR, Role.OPERATOR) and region is None)
]


@pytest.fixture(scope="module")
def space() -> Space:
    return explore(FEW_WORLDS)


@pytest.fixture(scope="module")
def stages(space: Space) -> list[Node]:
    """One state of each stage and set of possible actions, on each path of the post; and each kind of end."""
    found: dict[object, Node] = {}
    for node in space.values():
        done = frozenset(step.kind for step in node.state.steps if step.done_at is not None)
        found.setdefault(
            (stage(node.state), allowed(node.state), node.state.unconnected, _money_comes_home(node.state), done), node
        )
    return list(found.values())


def test_every_stage_and_what_may_be_done_in_it_is_in_the_table(space: Space) -> None:
    assert table(space) - read() == set(), f"read the difference: {COMMAND}"


@pytest.mark.long
def test_the_table_is_exactly_what_can_be_reached() -> None:
    assert table(explore(ALL_WORLDS + MONEY_WORLDS)) == read(), f"read the difference: {COMMAND}"


def test_every_action_has_its_rule_and_every_rule_its_row_in_the_table() -> None:
    assert set(RULES) == set(TransferAction) == set(WHO)
    assert {action for _, actions in read() for action in actions.split()} == set(TransferAction)


def test_each_action_is_allowed_exactly_where_the_table_says_and_refused_elsewhere_with_the_reason(
    stages: list[Node],
) -> None:
    answers: Counter[str] = Counter()
    for node in stages:
        before = node.state.model_dump_json()
        for action, actor in product(TransferAction, ACTORS):
            answer = objection(node.state, action, actor)
            assert answer == expected(node.state, action, actor), (stage(node.state), action, actor)
            answers[answer.why if isinstance(answer, NotAllowed) else "ALLOWED"] += 1
        assert node.state.model_dump_json() == before
    print(f"\n{len(stages)} stages × {len(TransferAction)} actions × {len(ACTORS)} actors: {dict(answers)}")  # noqa: T201 - for the reader of -s
    assert sum(answers.values()) == len(stages) * len(TransferAction) * len(ACTORS)
    assert answers.keys() == {
        *("ALLOWED", "WRONG_ROLE", "WRONG_SIDE", "CLOSED", "ALREADY_DONE", "NOT_YET", "SAME_PERSON"),
        "NOT_THE_SUBMITTER",
    }


def test_an_employer_takes_back_what_it_submitted_exactly_where_the_person_may(stages: list[Node]) -> None:
    employer = next(actor for actor in ACTORS if actor.roles == (Role.EMPLOYER,))
    person = next(actor for actor in ACTORS if actor.roles == (Role.INSURED_PERSON,))
    by_employer = {"submitted_by": Submitter(subject=employer.subject, kind=ActorKind.EMPLOYER)}
    for node in stages:
        state = node.state.model_copy(update=by_employer)
        answer = objection(state, A.WITHDRAW_TRANSFER, employer)
        assert answer == expected(state, A.WITHDRAW_TRANSFER, employer) == objection(state, A.WITHDRAW_TRANSFER, person)


def test_what_the_api_shows_as_allowed_is_what_objection_lets_pass(stages: list[Node]) -> None:
    for node, actor in product(stages, ACTORS):
        shown = allowed_actions(node.state, actor)
        assert shown == tuple(action for action in TransferAction if expected(node.state, action, actor) is None)


def test_decide_refuses_what_objection_refuses(space: Space, stages: list[Node]) -> None:
    """Every ask of the whole space is put in every stage."""
    asks: dict[TransferAction, Move] = {}
    for node in space.values():
        for move in () if node.state.closed else moves(node.world, node.state, node.now.date()):
            asks.setdefault(move.ask.action, move)
    assert asks.keys() == set(TransferAction)
    for node, (action, move) in product(stages, asks.items()):
        refused = expected(node.state, action, move.actor)
        answer = decided_on(node, move, node.now) if refused is not None else None
        assert answer == refused


def expected(state: TransferState, action: A, actor: Actor) -> NotAllowed | None:
    roles, side = WHO[action]
    (role,) = actor.roles
    if role not in roles:
        return NotAllowed(why="WRONG_ROLE")
    if role not in APPLICANTS and not _on_its_side(state, action, side, actor):
        return NotAllowed(why="WRONG_SIDE")
    if role is Role.EMPLOYER and state.submitted_by != Submitter(subject=actor.subject, kind=ActorKind.EMPLOYER):
        return NotAllowed(why="NOT_THE_SUBMITTER")
    if state.closed:
        return NotAllowed(why="CLOSED")
    if (stage(state), allowed(state)) in read_once() and action in allowed(state).split():
        made_by = state.to_release.prepared_by if action is A.RELEASE_REMITTANCE and state.to_release else None
        return NotAllowed(why="SAME_PERSON") if made_by == actor.subject else None
    done = action in ONCE or any(step.done_at and step.kind in DONE_BY.get(action, ()) for step in state.steps)
    return NotAllowed(why="ALREADY_DONE" if done else "NOT_YET")


def _on_its_side(state: TransferState, action: A, side: str, actor: Actor) -> bool:
    if side is NOBODY_S:
        return True
    if side is BOTH:
        return actor.region in (O, R)
    if action in (A.CONFIRM_RECEIPT, A.MATCH_FUNDS) and _money_comes_home(state):
        side = O
    # 94号: what comes by post from an agency that is not connected is entered by the other one.
    return actor.region == side or (side in state.unconnected and actor.region in (O, R))


def _money_comes_home(state: TransferState) -> bool:
    order = state.on_its_way
    approved = order is not None and order.status is not RemittanceStatus.AWAITING_RELEASE
    return approved and order is not None and order.kind is RemittanceKind.REVERSE


TABLE: set[tuple[str, str]] = set()


def read_once() -> set[tuple[str, str]]:
    TABLE.update(() if TABLE else read())
    return TABLE
