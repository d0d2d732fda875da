"""A mandate on the whole system: given on the command line, used over HTTP by a relative, taken back."""

from datetime import timedelta

from tests.e2e.people import BEIJING, SHANGHAI, Registers, new_resident_id, today
from tests.e2e.system import System
from workflows.identity import mask_resident_id
from workflows.vocabulary import Role

OWN = "{ viewer { transfers { edges { node { no documents { downloadUrl } } } } } }"
REGIONS = {"fromRegion": BEIJING, "toRegion": SHANGHAI, "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}


async def test_a_relative_applies_with_a_mandate_and_loses_sight_of_the_case_with_it(
    system: System, registers: Registers
) -> None:
    person, relative = await registers.person(), new_resident_id()
    agent = system.caller(Role.INSURED_PERSON, resident_id=relative)
    refused = await agent.submit(residentId=person.resident_id, **REGIONS)
    assert [each["code"] for each in refused["findings"]] == ["AGENT_NOT_AUTHORISED"]
    assert refused["existing"] is None

    of_person = ("--resident-id", person.resident_id)
    until = (today() + timedelta(days=30)).isoformat()
    granted = await system.cli(
        *("mandate", "grant", *of_person, "--agent", relative, "--relation", "CHILD", "--until", until)
    )
    assert (granted.code, granted.err) == (0, "")
    mandate_id, _, said = granted.out.strip().partition("  ")
    assert said == f"林*舟 -> {mask_resident_id(relative)} (CHILD), until {until}: IN_FORCE"
    submitted = await agent.submit(residentId=person.resident_id, **REGIONS)
    assert submitted["transfer"]["status"] == "TRANSFERRING_OUT"
    (edge,) = (await agent.ask(OWN))["viewer"]["transfers"]["edges"]
    assert edge["node"]["no"] == submitted["transfer"]["no"]
    answer = await system.http.get(edge["node"]["documents"][0]["downloadUrl"])
    assert answer.headers["content-type"] == "application/pdf"

    listed = await system.cli("mandate", "list", *of_person)
    assert listed.out == f"given: 1\n{mandate_id}  {said}\nheld: 0\n"
    held = await system.cli("mandate", "list", "--resident-id", relative)
    assert held.out == f"given: 0\nheld: 1\n{mandate_id}  {said}\n"
    taken = await system.cli("mandate", "revoke", *of_person, mandate_id)
    assert (taken.code, taken.out) == (0, f"{mandate_id}  {said.replace('IN_FORCE', 'REVOKED')}\n")
    assert (await agent.ask(OWN))["viewer"]["transfers"]["edges"] == []
    step = await agent.step("withdrawTransfer", submitted["transfer"]["id"], reason="改期")
    assert step["__typename"] == "TransferNotFound"
    logs = "".join(file.read_text("utf-8") for file in (system.data_dir / "logs").iterdir())
    assert not any(number in logs for number in (person.resident_id, relative))


async def test_what_a_window_enters_needs_a_second_clerk_and_a_day_or_the_persons_own_word(
    system: System, registers: Registers
) -> None:
    person, relative = await registers.person(), new_resident_id()
    of_person = ("--resident-id", person.resident_id)
    until = (today() + timedelta(days=30)).isoformat()
    given = (*of_person, "--agent", relative, "--relation", "CHILD", "--until", until, "--paper", "SQ-17")
    entered = await system.cli("mandate", "enter", "--region", BEIJING, "--clerk", "lee", *given)
    assert (entered.code, entered.err) == (0, "")
    mandate_id, _, said = entered.out.strip().partition("  ")
    line = f"林*舟 -> {mask_resident_id(relative)} (CHILD), until {until}: "
    assert said == f"{line}AWAITING_APPROVAL"
    alone = await system.cli("mandate", "approve", "--region", BEIJING, "--clerk", "Lee", mandate_id)
    assert (alone.code, alone.out) == (1, "")
    assert "another person of your agency must check the signed paper" in alone.err
    approved = await system.cli("mandate", "approve", "--region", BEIJING, "--clerk", "wu", mandate_id)
    assert approved.out.startswith(f"{mandate_id}  {line}AWAITING_START, starts at ")
    agent = system.caller(Role.INSURED_PERSON, resident_id=relative)
    refused = await agent.submit(residentId=person.resident_id, **REGIONS)
    assert [each["code"] for each in refused["findings"]] == ["AGENT_NOT_AUTHORISED"]
    confirmed = await system.cli("mandate", "confirm", *of_person, mandate_id)
    assert (confirmed.code, confirmed.out) == (0, f"{mandate_id}  {line}IN_FORCE\n")
    submitted = await agent.submit(residentId=person.resident_id, **REGIONS)
    assert submitted["transfer"]["status"] == "TRANSFERRING_OUT"


async def test_the_command_line_says_what_is_wrong_with_a_mandate(system: System, registers: Registers) -> None:
    person = await registers.person()
    grant = ("mandate", "grant", "--resident-id", person.resident_id, "--relation", "OTHER", "--until", "2001-01-01")
    past = await system.cli(*grant, "--agent", new_resident_id())
    assert (past.code, past.out) == (1, "")
    assert "validUntil: The date must not be earlier than today." in past.err
    unknown = await system.cli("mandate", "revoke", "--resident-id", person.resident_id, "nothing")
    assert (unknown.code, unknown.err) == (1, "yibao: MandateNotFound: There is no such mandate.\n")
