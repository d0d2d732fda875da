"""The state machine as a table, explored to closure: every state has a way to an end, and no end breaks what must hold.

`-s` prints the counts. What `make test` explores is the platform route whole and a part of the paper route; `make test-long`
explores all of both.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.workflows.invariants import check_case
from tests.workflows.pure_cases import CALENDAR, EMPLOYER, O_CHECKER, PERSON, SUPERVISOR, THIRD, O, R
from tests.workflows.state_space import ALL_WORLDS, FEW_WORLDS, HELD_FEN, MONEY_WORLDS, Node, Signature, Space, explore
from workflows import events as e
from workflows.actors import PLATFORM, Actor
from workflows.clocks import next_alarm, tick
from workflows.decide import issue_certificate
from workflows.events import AnyFact
from workflows.fold import advance
from workflows.law import ESCALATION_WORKING_DAYS
from workflows.money import bank_took_order
from workflows.rules import RULES, allowed_actions
from workflows.state import TransferState
from workflows.vocabulary import (
    FUNDS_AT_AN_END,
    FundsStatus,
    RemittanceStatus,
    Role,
    TransferAction,
    TransferRoute,
    TransferStatus,
)

RUNGS = len(ESCALATION_WORKING_DAYS)
# On a machine that does other things at the same time.
pytestmark = pytest.mark.timeout(3600)
CLOCK_FACTS = (e.DeadlineDueSoon, e.DeadlineMissed, e.Escalated, e.GapWarned)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(FEW_WORLDS, id="few worlds"),
        pytest.param(ALL_WORLDS + MONEY_WORLDS, id="all worlds", marks=pytest.mark.long),
    ],
)
def space(request: pytest.FixtureRequest) -> Space:
    return explore(request.param)


def test_the_space_is_explored_and_counted(space: Space) -> None:
    ends = Counter((node.state.status, node.state.funds_status) for node in space.values() if node.state.closed)
    routes = Counter(node.state.route for node in space.values() if not node.state.closed)
    transitions = sum(len(node.leads_to) for node in space.values())
    refusals = sum(len(node.refused) for node in space.values())
    print(f"\n{len(space)} states, {transitions} transitions, {refusals} refusals of input that may not be")  # noqa: T201 - for the reader of -s
    for route, count in sorted(routes.items()):
        print(f"{count:6} open states on the {route} route")  # noqa: T201 - for the reader of -s
    for (status, funds), count in sorted(ends.items()):
        print(f"{count:6} ends {status} {funds}")  # noqa: T201 - for the reader of -s
    assert {status for status, _ in ends} == {
        TransferStatus.COMPLETED,
        TransferStatus.DECLINED,
        TransferStatus.WITHDRAWN,
        TransferStatus.TERMINATED,
    }
    assert {node.state.status for node in space.values()} == set(TransferStatus)
    assert routes.keys() == set(TransferRoute)
    assert {known for node in space.values() for known in node.leads_to.values()} <= space.keys()


def test_every_state_keeps_what_must_hold_and_folds_from_its_events(space: Space) -> None:
    for node in space.values():
        check_case(node.events, node.state, HELD_FEN)


def test_from_every_open_state_a_sequence_of_events_leads_to_an_end(space: Space) -> None:
    ends = [known for known, node in space.items() if node.state.closed]
    assert _without_a_way(space, ends) == []


def test_every_case_can_still_be_completed_unless_a_supervisor_has_ended_it(space: Space) -> None:
    """Withdrawal and termination are ways out, but no state needs them."""
    completed = [known for known, node in space.items() if node.state.status is TransferStatus.COMPLETED]
    ended = [node for node in _without_a_way(space, completed) if not node.state.terminating]
    assert ended == []


def test_what_may_not_be_is_refused_everywhere_and_what_may_be_comes_to_pass(space: Space) -> None:
    assert [(node.state, move) for node in space.values() for move in node.wrong] == []


def test_every_action_is_taken_and_every_kind_of_fact_occurs(space: Space) -> None:
    taken = {name.partition("(")[0] for node in space.values() for name in node.leads_to}
    assert taken >= {str(action) for action in RULES}
    assert set(RULES) == set(TransferAction)
    occurred = {kind for node in space.values() for kind in node.happened} | {e.Submitted}
    # The clocks have their own exploration, and the working-day table its own tests.
    kinds = set(AnyFact.__origin__.__args__)  # type: ignore[attr-defined] # the union behind the annotation
    # What was recorded before 已办结 said where the money is, is read and never made.
    assert kinds - occurred == {*CLOCK_FACTS, e.DeadlineRevised, e.CompletedUnsaid}


def test_every_status_of_an_order_is_reached(space: Space) -> None:
    reached = {order.status for node in space.values() for order in node.state.remittances}
    # Received money is credited in the same step.
    assert reached == set(RemittanceStatus) - {RemittanceStatus.RECEIVED}


def test_nobody_changes_a_closed_case_any_more(space: Space) -> None:
    for node in space.values():
        if not node.state.closed:
            continue
        state, later = node.state, node.now + timedelta(days=365)
        assert [allowed_actions(state, actor) for actor in EVERYBODY] == [()] * len(EVERYBODY)
        assert (next_alarm(state), tick(state, later, CALENDAR), issue_certificate(state)) == (None, (), ())
        assert [bank_took_order(state, order.reference) for order in state.remittances] == [()] * len(state.remittances)


def test_only_late_money_opens_a_closed_case_again_and_only_a_completed_one(space: Space) -> None:
    opened: Counter[tuple[str, TransferStatus, FundsStatus]] = Counter()
    for node in space.values():
        if not node.state.closed:
            continue
        if node.state.status is not TransferStatus.COMPLETED:
            assert node.leads_to == {}
        for by, known in node.leads_to.items():
            then = space[known].state
            opened[by.partition(":")[0], then.status, then.funds_status] += 1
            # The record stands, and the person sees that money is under way; what the province keeps is not.
            assert then.continued
            assert then.status is TransferStatus.AWAITING_FUNDS or then.funds_status is FundsStatus.RETAINED_IN_PROVINCE
    late, returned = "late contribution", "bank"
    assert opened.keys() >= {
        (returned, TransferStatus.AWAITING_FUNDS, FundsStatus.RETURNED),
        (late, TransferStatus.AWAITING_FUNDS, FundsStatus.PENDING),
        (late, TransferStatus.AWAITING_FUNDS, FundsStatus.ORDERED),
        (late, TransferStatus.COMPLETED, FundsStatus.RETAINED_IN_PROVINCE),
    }


def test_no_case_is_completed_while_money_is_not_where_it_belongs(space: Space) -> None:
    """At every moment of every way that was found, and over money of every kind of trouble."""
    completed, troubles = 0, Counter[str]()
    for node in space.values():
        state = node.state
        troubles.update(_troubles(state))
        if state.status is not TransferStatus.COMPLETED:
            continue
        completed += 1
        assert state.continued
        assert state.funds_status in FUNDS_AT_AN_END
        assert (state.on_its_way, state.to_release, state.correction) == (None, None, None)
        assert (state.owed_fen, state.frozen_fen) == (0, 0)
        assert (state.returned_fen, state.missing_fen, state.uncredited_fen) == (0, 0, 0)
        said = [event.fact.funds for event in node.events if isinstance(event.fact, e.Completed)]
        assert said[-1] == state.funds_status
    assert completed > 0
    assert troubles.keys() == {"returned", "missing", "uncredited", "mismatched", "prepared", "reopened", "late"}
    assert min(troubles.values()) > 1


def _troubles(state: TransferState) -> Iterator[str]:
    order = state.on_its_way
    yield from (
        name
        for name, is_so in {
            "returned": state.returned_fen,
            "missing": state.missing_fen,
            "uncredited": state.uncredited_fen,
            "mismatched": order is not None and order.status is RemittanceStatus.MISMATCHED,
            "prepared": state.to_release,
            "reopened": state.reopenings,
            "late": state.late_fen,
        }.items()
        if is_so
    )


def test_an_open_case_always_waits_for_somebody(space: Space) -> None:
    """An agency with a step, the registers, or money that a bank or a supervisor has to send."""
    for node in space.values():
        if not node.state.closed:
            assert node.state.open_steps or node.state.waiting or node.state.on_its_way


@pytest.mark.long
def test_the_clocks_change_nothing_but_themselves_and_say_each_thing_once(space: Space) -> None:
    """So that the space need not be explored once more for every hand of every clock."""
    said: Counter[str] = Counter()
    for node in space.values():
        state = node.state
        if state.closed:
            continue
        told: list[Any] = []
        while (alarm := next_alarm(state)) is not None:
            when = max(alarm.at, node.now)
            facts = tick(state, when, CALENDAR)
            assert facts, alarm
            assert alarm.at <= node.now or tick(state, alarm.at - timedelta(microseconds=1), CALENDAR) == ()
            assert {type(fact) for fact in facts} <= set(CLOCK_FACTS)
            told += facts
            _, state = advance(state, facts, at=when, actor=PLATFORM)
        assert len({fact.model_dump_json() for fact in told}) == len(told)
        assert _apart_from_clocks(state) == _apart_from_clocks(node.state)
        assert [allowed_actions(state, actor) for actor in EVERYBODY] == [
            allowed_actions(node.state, actor) for actor in EVERYBODY
        ]
        running = {step.kind for step in state.open_steps if step.deadline and step.deadline.paused_since is None}
        assert {fact.step for fact in told if not isinstance(fact, e.GapWarned)} == running
        assert all(state.step(kind).missed_noted and state.step(kind).escalated == RUNGS for kind in running)
        said.update(fact.type for fact in told)
    print(f"\nsaid by the clocks: {dict(said)}")  # noqa: T201 - for the reader of -s
    assert said.keys() == {kind.model_fields["type"].default for kind in CLOCK_FACTS}


# One of each role on each side.
EVERYBODY = [
    *(PERSON, EMPLOYER, SUPERVISOR, O_CHECKER),
    *(Actor(subject="system", roles=(Role.AGENCY_SYSTEM,), region=region) for region in (O, R, THIRD)),
]


def _apart_from_clocks(state: TransferState) -> dict[str, Any]:
    steps = [
        step.model_copy(update={"due_soon_noted": False, "missed_noted": False, "escalated": 0}) for step in state.steps
    ]
    gap = state.gap and state.gap.model_copy(update={"warned": ()})
    told = {"revision": 0, "clock_at": None, "steps": tuple(steps), "gap": gap}
    return dict(state.model_copy(update=told))


def _without_a_way(space: Space, ends: list[Signature]) -> list[Node]:
    """The states from which none of `ends` can be reached."""
    before: defaultdict[Signature, list[Signature]] = defaultdict(list)
    for known, node in space.items():
        for then in node.leads_to.values():
            before[then].append(known)
    reached, waiting = set(ends), deque(ends)
    while waiting:
        for known in before[waiting.popleft()]:
            if known not in reached:
                reached.add(known)
                waiting.append(known)
    return [node for known, node in space.items() if known not in reached and not node.state.closed]
