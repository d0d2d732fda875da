"""Cases that stand still at one step each, and who may ask about them: every bad input is held against one of them."""

from dataclasses import dataclass

from tests.e2e.caller import Caller
from tests.e2e.case import Case, Desks, done
from tests.e2e.people import (
    BALANCE_FEN,
    SHENZHEN,
    Registers,
    active,
)
from tests.e2e.system import System
from workflows.vocabulary import Role


@dataclass
class Scene:
    """Cases that stand still at one step each; every bad input is held against one of them."""

    system: System
    desks: Desks
    opened: Case
    stopping: Case
    remitted: Case
    completed: Case

    def callers(self) -> dict[str, Caller]:
        caller = self.system.caller
        return {
            "person": self.opened.applicant,
            "another person": self.stopping.applicant,
            "O clerk": self.desks.o_clerk,
            "O finance": self.desks.o_finance,
            "R clerk": self.desks.r_clerk,
            "R finance": self.desks.r_finance,
            "another agency": caller(Role.CLERK, SHENZHEN),
            "another agency's finance": caller(Role.FINANCE, SHENZHEN),
            "supervisor": caller(Role.SUPERVISOR, "310000"),
            "operator": caller(Role.OPERATOR),
            "nobody": self.system.bearer(None),
        }

    def case(self, name: str) -> Case:
        found: Case = getattr(self, name)
        return found


async def standing_cases(system: System, registers: Registers, desks: Desks) -> Scene:
    """Carry four cases to where they stand still."""
    plain = await registers.persons(3)
    insured = await registers.person(origin=active())
    cases = [Case(system, person, desks) for person in plain]
    cases.insert(1, Case(system, insured, desks, request_stop=True))
    for case in cases:
        await done(case.submit())
    for case in cases[2:]:
        await done(case.deliver())
        await done(case.remit())
        await case.reaches(fundsStatus="REMITTED")
    await done(cases[3].continue_())
    await done(cases[3].receive())
    return Scene(system, desks, *cases)


ADVICE = {"amount": BALANCE_FEN, "bankReference": "BK-bad-input", "receivedOn": "2026-11-22"}
REASON = {"reason": "changed my mind"}
RETURN = {"reason": "WRONG_REGION", "note": "another pool"}
STOP = {"stoppedOn": "2026-11-01"}
