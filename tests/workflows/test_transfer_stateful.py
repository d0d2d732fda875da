"""The real workflow against a model of the law: random steps by right and wrong people, under skipped time.

After each step the case is what the model says: whether the step was allowed, the status, the funds, the open steps, who
holds them and which clocks stand still; its events add up to the workflow's own state; the money's books are whole.
`make test` takes a sample, `make test-long` some minutes of it; `-s` prints how often each kind of step was taken.
"""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from activities.dispatch import CaseClosedError, PendingCommand
from tests.cases import BALANCE_FEN, BEIJING, DESTINATION, EMPLOYER_ID, PERSON, SHANGHAI_POOL, staff
from tests.office import BY_POST, PAYING_OUT, RETAINING, WITH_CHECKER, Office, payout_ask
from tests.workflows.endings import NOT_COVERED
from tests.workflows.transfer_model import AT_AN_END, Model, Said, Stage
from workflows import commands as c
from workflows import events as e
from workflows.actors import Actor
from workflows.messages import CommandOutcome
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import (
    AGENCY_STAFF,
    CorrectionReason,
    FundsStatus,
    MailItem,
    RefusalCode,
    ReturnReason,
    Role,
    TransferAction,
    TransferStatus,
    TransferStepKind,
)

A = TransferAction
# The model does not know the money's other ways yet: `state_space` explores them.
MODELLED = [action for action in TransferAction if action not in (A.RELEASE_REMITTANCE, A.MATCH_FUNDS)]
LESS_FEN = BALANCE_FEN - 100_000
THIRD = "500000"
SUPERVISOR, EMPLOYER = staff(Role.SUPERVISOR, BEIJING), Actor(subject=EMPLOYER_ID, roles=(Role.EMPLOYER,))
ROADS = [
    (BEIJING, SHANGHAI_POOL),
    (BEIJING, SHANGHAI_POOL),
    (BY_POST, SHANGHAI_POOL),
    (BEIJING, BY_POST),
    (WITH_CHECKER, SHANGHAI_POOL),
    (PAYING_OUT, SHANGHAI_POOL),
    (RETAINING, SHANGHAI_POOL),
]
# Steps that end a case, or change little in it, are taken less often, so that cases grow old.
SELDOM = (A.WITHDRAW_TRANSFER, A.TERMINATE_TRANSFER, A.RETURN_TRANSFER, A.DECLINE_TRANSFER, A.REISSUE_CERTIFICATE)


CHANCE = st.integers(0, 2**32 - 1)


def _said(chance: random.Random) -> Said:
    return Said(
        balance_fen=chance.choice([None, None, LESS_FEN, 0, BALANCE_FEN + 1]),
        note=chance.random() < 0.75,
        mail=chance.choice(list(MailItem)),
        amount_is_right=chance.random() < 0.8,
    )


class TransferMachine(RuleBasedStateMachine):
    """One case after another. The office lives on the test's own loop; the machine runs in a thread beside it."""

    office: ClassVar[Office]
    loop: ClassVar[asyncio.AbstractEventLoop]
    taken: ClassVar[Counter[str]]

    transfer: PendingCommand
    model: Model
    rows: dict[str, str]
    applied = False
    throws = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)

    def count(self, kind: str) -> None:
        self.taken[kind] += 1

    # ---------------------------------------------------------------- a case

    @precondition(lambda self: not self.is_open)
    @rule(
        road=st.sampled_from(ROADS),
        begins=st.sampled_from(["", "", "", "", "waits", "manual", "stop"]),
        balance_fen=st.sampled_from([BALANCE_FEN, BALANCE_FEN, BALANCE_FEN, 0]),
    )
    def the_next_person_applies(self, road: tuple[str, str], begins: str, balance_fen: int) -> None:
        origin, destination = road
        self.model = Model(
            origin=origin,
            destination=destination,
            held_fen=balance_fen,
            unconnected=frozenset({BY_POST} & {origin, destination}),
            pays_out=origin == PAYING_OUT,
            retains=origin == RETAINING,
            needs_checker=origin == WITH_CHECKER,
            manual=begins == "manual",
            stop_needed=begins == "stop",
        )
        rows = {"personal_account_fen": str(balance_fen)}
        rows |= {"status": "ACTIVE", "stopped_on": ""} if begins == "stop" else {}
        self.rows = rows
        self.transfer = self.run(
            self.office.submit(
                between=road,
                manual=begins == "manual",
                request_stop=begins == "stop",
                wait=begins == "waits",
                destination=NOT_COVERED if begins == "waits" else DESTINATION | {"region": destination},
                **rows,
            )
        )
        self.applied = True
        if begins != "waits":
            self.model.registers_agree()
        self.count(f"apply: {origin} → {destination}, {begins or 'accepted at once'}")
        self.compare()

    @property
    def is_open(self) -> bool:
        return self.applied and self.model.ended is None

    # ---------------------------------------------------------------- what people do

    def actors(self) -> list[Actor]:
        """Everybody who could try. An agency that is not connected has nobody here."""
        regions = {self.model.origin, self.model.destination, THIRD} - self.model.unconnected
        officials = [staff(role, region) for region in sorted(regions) for role in AGENCY_STAFF]
        return [PERSON, EMPLOYER, SUPERVISOR, *officials]

    @precondition(lambda self: self.is_open)
    @rule(chance=CHANCE)
    def somebody_does_what_they_may(self, chance: int) -> None:
        self.right_step(self.dice(chance))

    @precondition(lambda self: self.is_open)
    @rule(chance=CHANCE)
    def somebody_goes_on_with_the_case(self, chance: int) -> None:
        """The same again: most steps are right ones."""
        self.right_step(self.dice(chance))

    def dice(self, chance: int) -> random.Random:
        """Thrown anew in each step: what is drawn small, and often, does not come to the same step each time."""
        self.throws += 1
        return random.Random(f"{chance} {self.throws}")

    def right_step(self, chance: random.Random) -> None:
        said = _said(chance)
        moves = [
            (action, actor) for action in MODELLED for actor in self.actors() if self.model.allows(action, actor, said)
        ]
        actions = sorted({action for action, _ in moves})
        if said.mail is MailItem.CERTIFICATE and A.RECORD_MAIL in actions:
            actions.remove(A.RECORD_MAIL)
        if chance.random() < 0.85:
            actions = [action for action in actions if action not in SELDOM]
        if actions:
            # Each action is as likely as another, however many people may take it.
            action = chance.choice(actions)
            self.attempt(action, chance.choice([actor for each, actor in moves if each is action]), said)

    @precondition(lambda self: self.applied)
    @rule(chance=CHANCE)
    def somebody_tries_something(self, chance: int) -> None:
        of = self.dice(chance)
        self.attempt(of.choice(MODELLED), of.choice(self.actors()), _said(of))

    def attempt(self, action: TransferAction, actor: Actor, said: Said) -> None:
        note(f"{action} by {actor.subject}: {said}")
        allowed = self.model.allows(action, actor, said)
        outcome = self.run(self.carry_out(action, actor, said))
        done = outcome is not None and outcome.kind == "DONE"
        assert done == allowed, f"{action} by {actor.subject}: {outcome}, but the law says {allowed} ({said})"
        self.count(f"{action} {'done' if done else 'refused'}")
        if done:
            self.model.take(action, actor, said)
        self.compare()

    async def carry_out(self, action: TransferAction, actor: Actor, said: Said) -> CommandOutcome | None:
        """What came of the step; None when the case had closed."""
        try:
            return await self.office.take(self.transfer, await self.ask(action, said), actor)
        except CaseClosedError:
            return None

    async def ask(self, action: TransferAction, said: Said) -> c.Ask:
        today, why = self.office.today(self.transfer), "核对" if said.note else None
        state = await self.office.cases.state(self.transfer.transfer_id)
        order = state.on_its_way
        due_fen = order.amount_fen if order else BALANCE_FEN
        asks: dict[TransferAction, c.Ask] = {
            A.ACCEPT_TRANSFER: c.AcceptTransfer(),
            A.DECLINE_TRANSFER: c.DeclineTransfer(reasons=(RefusalCode.SPECIAL_PERSONNEL,)),
            A.STOP_COVERAGE: c.StopCoverage(stopped_on=today),
            A.RETURN_TRANSFER: c.ReturnTransfer(reason=ReturnReason.NO_RECORD, note="查无此人"),
            A.REISSUE_CERTIFICATE: c.ReissueCertificate(reason="遗失"),
            A.ISSUE_CONTACT_LETTER: c.IssueContactLetter(),
            A.RECORD_MAIL: c.RecordMail(item=said.mail, carrier="邮政", tracking_no="1", arrived_on=today),
            A.DELIVER_INFORMATION_FORM: c.DeliverInformationForm(balance_fen=said.balance_fen, note=why),
            A.CHECK_INFORMATION_FORM: c.CheckInformationForm(),
            A.REQUEST_CORRECTION: c.RequestCorrection(reason=CorrectionReason.YEARS_DISPUTED, note="请核对"),
            A.REMIT_PERSONAL_ACCOUNT: c.RemitPersonalAccount(),
            A.CONFIRM_RECEIPT: c.ConfirmReceipt(
                amount_fen=due_fen if said.amount_is_right else due_fen + 1,
                bank_reference=uuid.uuid4().hex,
                received_on=today,
                note=why,
            ),
            A.CONFIRM_CONTINUATION: c.ConfirmContinuation(),
            A.APPROVE_REVERSE_REMITTANCE: c.ApproveReverseRemittance(
                remittance_reference=order.reference if order else "none"
            ),
            A.WITHDRAW_TRANSFER: c.WithdrawTransfer(reason="不转了"),
            A.TERMINATE_TRANSFER: c.TerminateTransfer(reason="重复办理"),
        }
        if action is A.PROVIDE_PAYOUT_ACCOUNT:
            return await payout_ask(self.office.cases, state)
        return asks[action]

    # ---------------------------------------------------------------- what happens beside people

    def at_the_bank(self) -> bool:
        order = self.model.on_its_way
        return order is not None and order.status is FundsStatus.ORDERED and not order.by_post

    @precondition(lambda self: self.is_open and self.at_the_bank())
    @rule()
    def the_bank_takes_the_order(self) -> None:
        self.run(self.hear_from_the_bank())
        self.model.bank_takes()
        self.count("the bank takes an order")
        self.compare()

    async def hear_from_the_bank(self) -> None:
        before = await self.office.cases.state(self.transfer.transfer_id)
        assert before.on_its_way is not None
        reference = before.on_its_way.reference
        with the_bank(takes=True):
            await self.office.until(
                self.transfer,
                lambda state: all(
                    each.status != "ORDERED" for each in state.remittances if each.reference == reference
                ),
            )

    @precondition(lambda self: self.is_open and not self.pending_at_the_bank())
    @rule(days=st.sampled_from([1, 30]))
    def time_passes(self, days: int) -> None:
        days = min(days, 3) if self.model.stage is Stage.WAITING else days
        self.run(self.office.skip_to(self.transfer, self.office.now(self.transfer) + timedelta(days=days)))
        self.count(f"{days} days pass")
        self.compare()
        self.run(self.clocks_have_said_what_they_must())

    def pending_at_the_bank(self) -> bool:
        """Whether an activity asks the bank for its word, be the order proved by an advice: time stands still meanwhile."""
        described = self.run(self.office.handle(self.transfer).describe())
        return bool(described.raw_description.pending_activities)

    async def clocks_have_said_what_they_must(self) -> None:
        state, now = await self.office.cases.state(self.transfer.transfer_id), self.office.now(self.transfer)
        for step in state.open_steps:
            deadline = step.deadline
            if deadline is None or deadline.paused_since is not None:
                continue
            assert step.missed_noted == (now >= deadline.due_at), step
            assert step.escalated == deadline.rungs_due(now), step

    @precondition(lambda self: self.is_open and self.model.stage is Stage.WAITING)
    @rule(what=st.sampled_from(["enrols", "enrols", "retires"]))
    def a_register_changes(self, what: str) -> None:
        self.run(self.load(what))
        if what == "enrols":
            self.model.registers_agree()
        else:
            self.model.decline_by_register()
        self.count(f"register: the person {what}")
        self.compare()

    async def load(self, what: str) -> None:
        if what == "retires":
            await self.office.note_at_origin(self.transfer, "retired")
        else:
            resident_id = self.office.residents[self.transfer.transfer_no]
            road = self.model.origin, self.model.destination
            await self.office.register(resident_id, road, origin=self.rows)
        await self.office.handle(self.transfer).signal(TransferWorkflow.recheck)
        await self.office.until(self.transfer, lambda state: not state.waiting)

    # ---------------------------------------------------------------- what holds after each step

    def compare(self) -> None:
        self.run(self.holds())

    async def holds(self) -> None:
        office, model = self.office, self.model
        events = await office.cases.events(self.transfer.transfer_id)
        state = await office.until(
            self.transfer, lambda state: state.closed or not state.is_open(TransferStepKind.ISSUE_CERTIFICATE)
        )
        seen = {step.kind: step.region for step in state.open_steps}
        standing = {step.kind for step in state.open_steps if step.deadline and step.deadline.paused_since is not None}
        assert (state.status, state.funds_status) == (model.status, model.funds)
        assert seen == model.open_steps
        assert standing == model.paused
        assert (state.status is not TransferStatus.COMPLETED) or (model.continued and model.funds in AT_AN_END)
        await office.types(self.transfer)
        await office.workflow_agrees(self.transfer, since=0)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        self.each_rung_once(events)
        await self.books_are_whole()

    def each_rung_once(self, events: list[e.TransferEvent]) -> None:
        """No clock says the same of the same date twice."""
        said = Counter(
            (event.fact.type, event.fact.step, event.fact.round, event.fact.due_on, getattr(event.fact, "rung", 0))
            for event in events
            if isinstance(event.fact, e.DeadlineDueSoon | e.DeadlineMissed | e.Escalated)
        )
        assert [key for key, times in said.items() if times > 1] == []

    async def books_are_whole(self) -> None:
        """Not a fen comes from nowhere; and nothing is frozen or half paid in a case that has ended."""
        books = await self.office.books(self.transfer)
        accounts = await self.office.accounts(self.transfer)
        assert sum(books.values()) == 0
        between = sum(fen for (account, _), fen in books.items() if account in ("IN_TRANSIT", "RECEIVED", "PAID_OUT"))
        usable_and_frozen = sum(usable + frozen for usable, frozen in accounts.values())
        assert usable_and_frozen + between == self.model.held_fen + 10_000
        if self.model.ended is not None:
            assert {account for account, _ in books} <= {"PERSONAL_ACCOUNTS", "PAID_OUT"}
            assert [frozen for _, frozen in accounts.values()] == [0, 0]

    def teardown(self) -> None:
        """An order that the bank has not taken is taken: nothing of this case is left behind for the next."""
        if self.is_open:
            self.run(self.office.handle(self.transfer).terminate("the machine leaves the case"))


@contextmanager
def the_bank(*, takes: bool) -> Iterator[None]:
    """A bank that is asked again at once, and takes orders or does not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stack.bank.SECONDS_TO_TAKE", 0.0 if takes else 3600.0)
        yield


async def _explore(office: Office, *, examples: int, steps: int, by_chance: bool) -> Counter[str]:
    machine = type("Machine", (TransferMachine,), {"office": office, "loop": asyncio.get_running_loop()})
    machine.taken = Counter()  # type: ignore[attr-defined]
    found = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        derandomize=not by_chance,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    with the_bank(takes=False), pytest.MonkeyPatch.context() as patch:
        patch.setattr("activities.funds.SLOWEST_LOOK", timedelta(seconds=0.2))
        patch.setattr("activities.funds.QUICK_LOOK_SECONDS", 0.05)
        await asyncio.to_thread(run_state_machine_as_test, machine, settings=found)
    taken: Counter[str] = machine.taken  # type: ignore[attr-defined]
    for kind, times in sorted(taken.items()):
        print(f"{times:5} {kind}")  # noqa: T201 - figures for the reader
    print(f"{sum(taken.values()):5} steps in all")  # noqa: T201
    return taken


async def test_a_sample_of_random_cases_goes_as_the_law_says(office: Office) -> None:
    taken = await _explore(office, examples=3, steps=20, by_chance=False)
    assert sum(taken.values()) > 20


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_some_minutes_of_random_cases_go_as_the_law_says(office: Office) -> None:
    taken = await _explore(office, examples=40, steps=30, by_chance=True)
    assert sum(taken.values()) > 500
