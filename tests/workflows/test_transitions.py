"""Every state that a platform case can reach, and in each what every kind of caller may do: all else is refused."""

from collections import Counter, deque
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any, NamedTuple

import pytest

from tests.workflows.pure_cases import (
    ACCEPTANCE,
    BALANCE_FEN,
    CALENDAR,
    DESTINATION,
    EMPLOYER,
    NOT_PAID,
    O_CLERK,
    O_FINANCE,
    PERSON,
    R_CLERK,
    R_FINANCE,
    REFERENCE,
    STOP,
    SUBMITTED_AT,
    THIRD,
    O,
    R,
    form_facts,
    receipt,
    returned,
    submission,
)
from workflows import commands as c
from workflows.actors import BANK, PLATFORM, Actor
from workflows.clocks import next_alarm, tick
from workflows.decide import decide, decide_submission, issue_certificate
from workflows.events import TransferEvent
from workflows.fold import Facts, advance, fold
from workflows.money import bank_took_order
from workflows.rules import RULES, NotAllowed, allowed_actions, objection
from workflows.state import TransferState
from workflows.vocabulary import RefusalCode, Role, StepState, TransferAction, TransferStatus
from workflows.vocabulary import TransferStepKind as K

A = TransferAction
STOPPED_ON = SUBMITTED_AT.date() - timedelta(days=1)

# Who may take each action, as the public contract has it: roles, and the region whose roles they must be.
WHO: dict[A, tuple[set[Role], str | None]] = {
    A.ACCEPT_TRANSFER: ({Role.CLERK, Role.AGENCY_SYSTEM}, R),
    A.DECLINE_TRANSFER: ({Role.CLERK, Role.AGENCY_SYSTEM}, R),
    A.STOP_COVERAGE: ({Role.CLERK, Role.AGENCY_SYSTEM}, O),
    A.REISSUE_CERTIFICATE: ({Role.CLERK, Role.AGENCY_SYSTEM, Role.INSURED_PERSON}, O),
    A.DELIVER_INFORMATION_FORM: ({Role.CLERK, Role.CHECKER, Role.AGENCY_SYSTEM}, O),
    A.RETURN_TRANSFER: ({Role.CLERK, Role.CHECKER, Role.AGENCY_SYSTEM}, O),
    A.REMIT_PERSONAL_ACCOUNT: ({Role.FINANCE, Role.AGENCY_SYSTEM}, O),
    A.CONFIRM_RECEIPT: ({Role.FINANCE, Role.AGENCY_SYSTEM}, R),
    A.CONFIRM_CONTINUATION: ({Role.CLERK, Role.CHECKER, Role.AGENCY_SYSTEM}, R),
    A.WITHDRAW_TRANSFER: ({Role.INSURED_PERSON, Role.EMPLOYER}, None),
}
# What may be done by somebody in each stage: status and open steps, the instant certificate apart. Two actions hang on
# something else: the certificate is reissued once there is one, and an application withdrawn before an agency did a step.
STAGES: dict[tuple[TransferStatus, frozenset[K]], set[A]] = {
    (TransferStatus.SUBMITTED, frozenset({K.ACCEPT_APPLICATION})): {A.ACCEPT_TRANSFER, A.DECLINE_TRANSFER},
    (TransferStatus.SUBMITTED, frozenset({K.STOP_COVERAGE})): {A.STOP_COVERAGE, A.RETURN_TRANSFER},
    (TransferStatus.TRANSFERRING_OUT, frozenset({K.DELIVER_INFORMATION_FORM})): {
        A.DELIVER_INFORMATION_FORM,
        A.RETURN_TRANSFER,
    },
    (TransferStatus.TRANSFERRING_IN, frozenset({K.REMIT_PERSONAL_ACCOUNT, K.CONFIRM_CONTINUATION})): {
        A.REMIT_PERSONAL_ACCOUNT,
        A.CONFIRM_CONTINUATION,
    },
    (TransferStatus.TRANSFERRING_IN, frozenset({K.CONFIRM_RECEIPT, K.CONFIRM_CONTINUATION})): {
        A.CONFIRM_RECEIPT,
        A.CONFIRM_CONTINUATION,
    },
    (TransferStatus.TRANSFERRING_IN, frozenset({K.CONFIRM_CONTINUATION})): {A.CONFIRM_CONTINUATION},
    (TransferStatus.AWAITING_FUNDS, frozenset({K.REMIT_PERSONAL_ACCOUNT})): {A.REMIT_PERSONAL_ACCOUNT},
    (TransferStatus.AWAITING_FUNDS, frozenset({K.CONFIRM_RECEIPT})): {A.CONFIRM_RECEIPT},
    (TransferStatus.COMPLETED, frozenset()): set(),
    (TransferStatus.DECLINED, frozenset()): set(),
    (TransferStatus.WITHDRAWN, frozenset()): set(),
}
# The steps whose being done is the reason why an action comes too late.
DONE_BY: dict[A, set[K]] = {
    A.ACCEPT_TRANSFER: {K.ACCEPT_APPLICATION},
    A.DECLINE_TRANSFER: {K.ACCEPT_APPLICATION},
    A.STOP_COVERAGE: {K.STOP_COVERAGE},
    A.REISSUE_CERTIFICATE: {K.ISSUE_CERTIFICATE},
    A.DELIVER_INFORMATION_FORM: {K.DELIVER_INFORMATION_FORM},
    A.RETURN_TRANSFER: {K.STOP_COVERAGE, K.DELIVER_INFORMATION_FORM},
    A.REMIT_PERSONAL_ACCOUNT: {K.REMIT_PERSONAL_ACCOUNT},
    A.CONFIRM_RECEIPT: {K.CONFIRM_RECEIPT},
    A.CONFIRM_CONTINUATION: {K.CONFIRM_CONTINUATION},
}
ACTORS = [
    Actor(subject=f"{role}-{region}", roles=(role,), region=region)
    for role, region in product(Role, (O, R, THIRD, None))
    if (role in (Role.INSURED_PERSON, Role.EMPLOYER)) == (region is None)
    or (role in (Role.SUPERVISOR, Role.OPERATOR) and region is None)
]


class Reached(NamedTuple):
    """A state, how it came about, and whether an agency has taken a step in it."""

    state: TransferState
    events: tuple[TransferEvent, ...]
    agency_acted: bool


class Move(NamedTuple):
    ask: Any
    actor: Actor
    facts: c.StepFacts | None
    by_agency: bool = True


def moves(balance_fen: int, now: Any) -> list[Move]:
    """Every command that changes a case, by one who may give it, with input that is right."""
    today = now.date()
    return [
        Move(c.AcceptTransfer(), R_CLERK, ACCEPTANCE),
        Move(c.DeclineTransfer(reasons=(RefusalCode.ACCOUNT_FROZEN,)), R_CLERK, None),
        Move(c.StopCoverage(stopped_on=STOPPED_ON), O_CLERK, STOP),
        Move(returned(), O_CLERK, None),
        Move(c.ReissueCertificate(reason="lost"), PERSON, None, by_agency=False),
        Move(c.DeliverInformationForm(), O_CLERK, form_facts(balance_fen)),
        Move(c.RemitPersonalAccount(), O_FINANCE, None),
        Move(receipt(received_on=today), R_FINANCE, NOT_PAID),
        Move(receipt(BALANCE_FEN - 1, received_on=today), R_FINANCE, NOT_PAID),
        Move(c.ConfirmContinuation(), R_CLERK, DESTINATION),
        Move(c.WithdrawTransfer(reason="changed my mind"), EMPLOYER, None, by_agency=False),
    ]


def outcomes(reached: Reached, balance_fen: int) -> Iterator[Reached]:
    """What can come next: by a command, by the platform, by the bank, by the clocks."""
    state, now = reached.state, reached.events[-1].occurred_at

    def after(facts: Facts, actor: Actor, when: Any, *, by_agency: bool = False) -> Reached:
        events, then = advance(state, facts, at=when, actor=actor)
        return Reached(then, reached.events + events, reached.agency_acted or by_agency)

    for move in moves(balance_fen, now):
        command = c.Command(command_id="c", actor=move.actor, received_at=now, ask=move.ask)
        decided = decide(state, command, move.facts, CALENDAR)
        if isinstance(decided, tuple):
            yield after(decided, move.actor, now, by_agency=move.by_agency)
    if issued := issue_certificate(state):
        yield after((issued[0].model_copy(update={"number": "京2026000001"}),), PLATFORM, now)
    if taken := bank_took_order(state, REFERENCE):
        yield after(taken, BANK, now)
    alarm = next_alarm(state)
    if alarm:
        when = max(alarm.at, now)
        yield after(tick(state, when, CALENDAR), PLATFORM, when)


def signature(reached: Reached) -> tuple[Any, ...]:
    """What tells two states apart for the rules and the clocks: instants, dates and numbers do not."""
    state = reached.state
    steps = tuple((step.kind, step.state) for step in state.steps)
    clocks = tuple(
        (step.kind, step.due_soon_noted, step.missed_noted, step.opened_at >= step.deadline.due_at)
        for step in state.open_steps
        if step.deadline and step.opened_at
    )
    order = state.remittance.status if state.remittance else None
    return (
        state.status, state.funds_status, steps, clocks, state.certificate is not None, order, state.continued, state.returned,
        state.stop_needed, reached.agency_acted,
    )  # fmt: skip


def explore() -> dict[tuple[Any, ...], Reached]:
    """Every state that can be told apart, each with one way to it."""
    found: dict[tuple[Any, ...], Reached] = {}
    for manual, stop_needed, balance_fen in product((False, True), (False, True), (0, BALANCE_FEN)):
        facts = decide_submission(submission(manual=manual, stop_needed=stop_needed), SUBMITTED_AT, CALENDAR)
        events, state = advance(None, facts, at=SUBMITTED_AT, actor=PERSON)
        waiting = deque([Reached(state, events, agency_acted=False)])
        seen: set[tuple[Any, ...]] = set()
        while waiting:
            reached = waiting.popleft()
            if signature(reached) in seen:
                continue
            seen.add(signature(reached))
            found[signature(reached)] = reached
            waiting.extend(outcomes(reached, balance_fen))
    return found


@pytest.fixture(scope="module")
def reached() -> list[Reached]:
    return list(explore().values())


def stage(state: TransferState) -> tuple[TransferStatus, frozenset[K]]:
    return state.status, frozenset(step.kind for step in state.open_steps) - {K.ISSUE_CERTIFICATE}


def legal(each: Reached) -> set[A]:
    state = each.state
    actions = set(STAGES[stage(state)])
    if not state.closed and state.certificate is not None:
        actions.add(A.REISSUE_CERTIFICATE)
    if not state.closed and not each.agency_acted:
        actions.add(A.WITHDRAW_TRANSFER)
    return actions


def expected(each: Reached, action: A, actor: Actor) -> NotAllowed | None:
    roles, side = WHO[action]
    if actor.roles[0] not in roles:
        return NotAllowed(why="WRONG_ROLE")
    if actor.roles[0] is not Role.INSURED_PERSON and side is not None and actor.region != side:
        return NotAllowed(why="WRONG_SIDE")
    if action in legal(each):
        return None
    if each.state.closed:
        return NotAllowed(why="CLOSED")
    done = action is A.WITHDRAW_TRANSFER or any(each.state.step(kind).done_at for kind in DONE_BY[action])
    return NotAllowed(why="ALREADY_DONE" if done else "NOT_YET")


def test_every_stage_of_the_table_is_reached_and_there_is_no_other(reached: list[Reached]) -> None:
    stages = Counter(stage(each.state) for each in reached)
    print(f"\n{len(reached)} states")  # noqa: T201 - counts for the reader of -s
    for (status, steps), count in sorted(stages.items(), key=str):
        print(f"{count:5} {status} {'+'.join(sorted(steps)) or '-'}")  # noqa: T201 - counts for the reader of -s
    assert stages.keys() == STAGES.keys()


def test_every_action_has_its_rule_and_every_rule_its_row_in_the_table() -> None:
    assert set(RULES) == set(TransferAction) == set(WHO)


def test_each_action_is_allowed_exactly_where_the_table_says_and_refused_elsewhere_with_the_reason(
    reached: list[Reached],
) -> None:
    answers: Counter[str] = Counter()
    for each in reached:
        before = each.state.model_dump_json()
        for action, actor in product(TransferAction, ACTORS):
            answer = objection(each.state, action, actor)
            assert answer == expected(each, action, actor), (stage(each.state), action, actor)
            answers[answer.why if isinstance(answer, NotAllowed) else "ALLOWED"] += 1
        assert each.state.model_dump_json() == before
    print(f"\n{len(reached)} states × {len(TransferAction)} actions × {len(ACTORS)} actors: {dict(answers)}")  # noqa: T201 - counts for the reader of -s
    assert sum(answers.values()) == len(reached) * len(TransferAction) * len(ACTORS)
    assert answers.keys() == {"ALLOWED", "WRONG_ROLE", "WRONG_SIDE", "CLOSED", "ALREADY_DONE", "NOT_YET"}


def test_decide_refuses_what_objection_refuses_and_carries_out_the_rest(reached: list[Reached]) -> None:
    carried_out: Counter[A] = Counter()
    for each in reached:
        now = each.events[-1].occurred_at
        for move in moves(BALANCE_FEN, now):
            command = c.Command(command_id="c", actor=move.actor, received_at=now, ask=move.ask)
            answer = decide(each.state, command, move.facts, CALENDAR)
            refused = expected(each, move.ask.action, move.actor)
            if refused is None:
                assert isinstance(answer, tuple), answer
                assert answer
                carried_out[move.ask.action] += 1
            else:
                assert answer == refused
    assert carried_out.keys() == set(TransferAction)


def test_what_the_api_shows_as_allowed_is_what_objection_lets_pass(reached: list[Reached]) -> None:
    for each, actor in product(reached, ACTORS):
        shown = allowed_actions(each.state, actor)
        assert shown == tuple(action for action in TransferAction if expected(each, action, actor) is None)


def test_a_closed_case_accepts_nothing_from_anybody_and_no_clock_runs_in_it(reached: list[Reached]) -> None:
    closed = [each.state for each in reached if each.state.closed]
    assert {state.status for state in closed} == {
        TransferStatus.COMPLETED,
        TransferStatus.DECLINED,
        TransferStatus.WITHDRAWN,
    }
    for state in closed:
        assert [allowed_actions(state, actor) for actor in ACTORS] == [()] * len(ACTORS)
        assert {step.state for step in state.steps} <= {StepState.DONE, StepState.SKIPPED}
        assert state.open_steps == ()
        assert next_alarm(state) is None
        assert state.closed_at is not None
        assert tick(state, state.closed_at + timedelta(days=365), CALENDAR) == ()
        assert issue_certificate(state) == ()
        assert bank_took_order(state, REFERENCE) == ()


def test_an_open_case_always_waits_for_somebody(reached: list[Reached]) -> None:
    for each in reached:
        if not each.state.closed:
            assert legal(each), stage(each.state)
            assert any(step.deadline for step in each.state.open_steps)


def test_completed_means_continued_and_the_money_where_it_belongs(reached: list[Reached]) -> None:
    for each in reached:
        state = each.state
        assert (state.status is TransferStatus.COMPLETED) == (
            state.continued and state.funds_status in ("NOT_REQUIRED", "CREDITED")
        )
        assert (state.status is TransferStatus.COMPLETED) == (each.events[-1].fact.type == "completed.1")


def test_events_are_numbered_without_holes_and_fold_to_the_state(reached: list[Reached]) -> None:
    for each in reached:
        assert [event.seq for event in each.events] == list(range(1, each.state.revision + 1))
        assert fold(each.events) == each.state
        assert fold([event.without_words() for event in each.events]) == each.state


def test_each_date_is_due_soon_at_most_once_and_missed_at_most_once_and_in_this_order(reached: list[Reached]) -> None:
    for each in reached:
        said = [
            (event.fact.step, event.fact.type)
            for event in each.events
            if event.fact.type in ("deadline_due_soon.1", "deadline_missed.1")
        ]
        assert len(said) == len(set(said))
        for kind, what in said:
            if what == "deadline_due_soon.1" and (kind, "deadline_missed.1") in said:
                assert said.index((kind, what)) < said.index((kind, "deadline_missed.1"))


def test_the_clocks_have_something_to_say_at_their_alarm_and_nothing_before(reached: list[Reached]) -> None:
    alarms = 0
    for each in reached:
        alarm, now = next_alarm(each.state), each.events[-1].occurred_at
        if alarm is None:
            continue
        alarms += 1
        assert tick(each.state, max(alarm.at, now), CALENDAR) != ()
        if alarm.at > now:
            assert tick(each.state, alarm.at - timedelta(microseconds=1), CALENDAR) == ()
    assert alarms > 0


def test_money_leaves_once_before_it_arrives_and_is_credited_as_ordered(reached: list[Reached]) -> None:
    arrived = 0
    for each in reached:
        money = [event.fact.type for event in each.events if event.fact.type.startswith("funds_")]
        assert money.count("funds_ordered.1") <= 1
        assert money.count("funds_remitted.1") <= 1
        for later in ("funds_received.1", "funds_mismatched.1", "funds_credited.1"):
            if later in money:
                arrived += 1
                assert money.index("funds_ordered.1") < money.index("funds_remitted.1") < money.index(later)
        if "funds_credited.1" in money:
            [credited] = [event.fact for event in each.events if event.fact.type == "funds_credited.1"]
            assert credited.amount_fen == BALANCE_FEN
    assert arrived > 0
