"""Who has looked, as the person and the supervisor read it from a running gateway."""

from tests.e2e.case import Case, Desks, done
from tests.e2e.people import BEIJING, SHANGHAI, Registers, today
from tests.e2e.system import System

BY_NO = "query ($no: TransferNo!) { transfer(no: $no) { documents { kind downloadUrl } } }"
LOG = """{ viewer { accessLog(first: 50) { edges { node { agency { region { code } } role purpose operation transferNo } }
    pageInfo { hasNextPage } } } }"""
COUNTS = """query ($day: Date!) { viewer { accessCounts(firstDay: $day, lastDay: $day, first: 50) {
    edges { node { agency { region { code } } role subject looks persons outlier } } } } }"""


async def test_a_person_sees_who_looked_and_a_supervisor_how_often(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(), desks)
    await done(case.submit())
    await case.applicant.ask(BY_NO, no=case.no)
    seen = await desks.r_clerk.ask(BY_NO, no=case.no)
    answer = await desks.r_clerk.http.get(seen["transfer"]["documents"][0]["downloadUrl"])
    assert answer.headers["content-type"] == "application/pdf"
    await done(case.deliver())
    page = (await case.applicant.ask(LOG))["viewer"]["accessLog"]
    assert page["pageInfo"] == {"hasNextPage": False}
    nodes = [edge["node"] for edge in page["edges"]]
    assert {(each["role"], each["purpose"], each["transferNo"]) for each in nodes} == {
        ("CLERK", "Handling of the transfer", case.no)
    }
    assert sorted((each["operation"], each["agency"]["region"]["code"]) for each in nodes) == [
        ("deliverInformationForm", BEIJING),
        ("documents", SHANGHAI),
        ("transfer", SHANGHAI),
    ]
    counts = (await desks.o_supervisor.ask(COUNTS, day=today().isoformat()))["viewer"]["accessCounts"]["edges"]
    nodes = [edge["node"] for edge in counts]
    (clerk,) = [each for each in nodes if each["subject"] == f"clerk-{BEIJING}"]
    assert (clerk["agency"], clerk["role"]) == ({"region": {"code": BEIJING}}, "CLERK")
    assert clerk["looks"] >= clerk["persons"] >= 1
