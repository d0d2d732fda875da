"""The main job, over the public API alone: from application to 已办结, and to every other end a case can have."""

import asyncio
import contextlib
import resource
from datetime import timedelta
from typing import Any

import pytest

from tests.e2e.books import (
    destination,
    enrolment,
    register,
    register_printed,
    require_paid_once,
    require_whole,
    stopped_today,
    transferred,
    untouched,
)
from tests.e2e.case import APPLICATION, Case, Desks, done
from tests.e2e.people import (
    BALANCE_FEN,
    BEIJING,
    EMPLOYER_ID,
    SHANGHAI,
    Person,
    Registers,
    active,
    months_at_origin,
    new_resident_id,
    today,
)
from tests.e2e.system import System
from workflows.vocabulary import Role

ELIGIBILITY = """
query Eligibility($input: EligibilityInput!) { eligibility(input: $input) {
  eligible route dueOn waitingPeriod { gapMonths months rule } findings { code class side message fix where retryOn } } }
"""
RECORD_FIRST = ("continue_", "remit", "receive")
MONEY_FIRST = ("remit", "receive", "continue_")


async def _opened(system: System, registers: Registers, desks: Desks, **origin: str) -> Case:
    case = Case(system, await registers.person(origin=origin), desks)
    await done(case.submit())
    return case


async def _take(case: Case, *steps: str) -> list[dict[str, Any]]:
    """Each step once; the money is awaited on its way through the bank before it is received."""
    answers = []
    for name in steps:
        if name == "receive":
            await case.reaches(fundsStatus="REMITTED")
        answers.append(await done(getattr(case, name)()))
    return answers


async def _completed(system: System, registers: Registers, desks: Desks) -> Case:
    case = await _opened(system, registers, desks)
    await _take(case, "deliver", *RECORD_FIRST)
    return case


def _kinds(transfer: dict[str, Any]) -> list[str]:
    return [edge["node"]["kind"] for edge in transfer["events"]["edges"]]


# ------------------------------------------------------------------ to 已办结


@pytest.mark.parametrize("order", [RECORD_FIRST, MONEY_FIRST], ids=["the record first", "the money first"])
async def test_a_transfer_reaches_its_end_in_either_order_of_the_two_tracks(
    system: System, registers: Registers, desks: Desks, order: tuple[str, ...]
) -> None:
    person = Person(new_resident_id())
    loaded = await system.cli("register", "load", registers.extract(person))
    assert (loaded.code, loaded.out) == (0, "2 rows: 2 were added, 0 changed, 0 unchanged, 0 kept as conflicts\n")
    case = Case(system, person, desks)
    dry = (await case.applicant.ask(ELIGIBILITY, input=APPLICATION))["eligibility"]
    assert (dry["eligible"], dry["findings"], dry["route"]) == (True, [], "PLATFORM")
    assert dry["waitingPeriod"]["months"] == 0
    assert await register(system, case.person) == untouched()

    submitted = (await done(case.submit()))["transfer"]
    assert (submitted["status"], submitted["fundsStatus"]) == ("TRANSFERRING_OUT", "PENDING")
    assert submitted["acceptedAt"] is not None
    assert await register(system, case.person) == untouched()

    answers = await _take(case, "deliver", *order)
    statuses = [answer["transfer"]["status"] for answer in answers]
    before_the_end = ["AWAITING_FUNDS", "AWAITING_FUNDS"] if order == RECORD_FIRST else ["TRANSFERRING_IN"] * 2
    assert statuses == ["TRANSFERRING_IN", *before_the_end, "COMPLETED"]
    assert [answer["replayed"] for answer in answers] == [False] * 4
    steps = {"remit": "REMIT_PERSONAL_ACCOUNT", "receive": "CONFIRM_RECEIPT", "continue_": "CONFIRM_CONTINUATION"}
    assert [answer["event"]["step"] for answer in answers] == [
        "DELIVER_INFORMATION_FORM",
        *(steps[name] for name in order),
    ]

    read = await case.read()
    assert (read["status"], read["fundsStatus"], read["currentStep"]) == ("COMPLETED", "CREDITED", None)
    assert read["personalAccountBalance"] == {"fen": BALANCE_FEN, "yuan": "8642.05"}
    assert read["closedAt"] is not None
    assert read["continuation"]["totalMonths"] == sum(each["months"] for each in read["contributionPeriods"]) + 1
    assert _kinds(read)[-1] == "COMPLETED"
    assert _kinds(read).count("COMPLETED") == 1
    assert await register_printed(system, case.person) == transferred()
    async with system.database() as connection:
        await require_whole(connection, case, steps=5)
        await require_paid_once(connection, case)


async def test_a_receipt_before_the_banks_own_word_proves_that_the_money_left(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks)
    await _take(case, "deliver", "continue_", "remit")
    answer = await done(case.receive())
    assert (answer["transfer"]["status"], answer["event"]["step"]) == ("COMPLETED", "CONFIRM_RECEIPT")
    assert await register(system, case.person) == transferred()
    async with system.database() as connection:
        await require_whole(connection, case, steps=5)


async def test_the_two_tracks_are_walked_at_the_same_instant_and_do_not_race(
    system: System, registers: Registers, desks: Desks
) -> None:
    cases = [Case(system, person, desks) for person in await registers.persons(6)]
    for case in cases:
        await done(case.submit())
        await done(case.deliver())
    answers = await asyncio.gather(*(done(step()) for case in cases for step in (case.remit, case.continue_)))
    assert [answer["event"]["step"] for answer in answers] == ["REMIT_PERSONAL_ACCOUNT", "CONFIRM_CONTINUATION"] * 6
    await asyncio.gather(*(_take(case, "receive") for case in cases))
    async with system.database() as connection:
        for case in cases:
            assert await register(system, case.person) == transferred()
            await require_whole(connection, case, steps=5)
            await require_paid_once(connection, case)


async def test_an_agencys_own_system_takes_every_step_of_its_side(system: System, registers: Registers) -> None:
    person = await registers.person(origin=active())
    origin, destination = (system.caller(Role.AGENCY_SYSTEM, region) for region in (BEIJING, SHANGHAI))
    submitted = await done(destination.submit(**APPLICATION, residentId=person.resident_id, requestStop=True))
    transfer = submitted["transfer"]["id"]
    advice = {"amount": BALANCE_FEN, "bankReference": f"BK-{transfer}", "receivedOn": today().isoformat()}
    await done(origin.step("stopCoverage", transfer, stoppedOn=today().isoformat()))
    await done(origin.step("deliverInformationForm", transfer))
    await done(origin.step("remitPersonalAccount", transfer))
    await done(destination.step("confirmContinuation", transfer))
    ended = await done(destination.step("confirmReceipt", transfer, **advice))
    assert ended["transfer"]["status"] == "COMPLETED"
    assert await register(system, person) == transferred(**stopped_today())


async def test_a_zero_balance_needs_no_money_to_move(system: System, registers: Registers, desks: Desks) -> None:
    case = await _opened(system, registers, desks, personal_account_fen="0")
    delivered = await done(case.deliver())
    assert delivered["transfer"]["fundsStatus"] == "NOT_REQUIRED"
    refused = await case.remit()
    assert refused["__typename"] == "StepNotAllowed"
    assert (await done(case.continue_()))["transfer"]["status"] == "COMPLETED"
    assert await register(system, case.person) == transferred(0)
    assert (await case.read())["remittances"] == []


async def test_coverage_is_stopped_first_when_the_applicant_asked_for_it(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(origin=active()), desks, request_stop=True)
    dry = (await case.applicant.ask(ELIGIBILITY, input=APPLICATION))["eligibility"]
    assert [each["code"] for each in dry["findings"]] == ["COVERAGE_STILL_ACTIVE"]
    submitted = (await done(case.submit()))["transfer"]
    assert (submitted["status"], submitted["acceptedAt"]) == ("SUBMITTED", None)
    assert (await case.deliver())["__typename"] == "StepNotAllowed"
    stopped = await done(case.stop())
    assert (stopped["event"]["kind"], stopped["transfer"]["status"]) == ("STEP_DONE", "TRANSFERRING_OUT")
    await _take(case, "deliver", *MONEY_FIRST)
    assert await register(system, case.person) == transferred(**stopped_today())
    async with system.database() as connection:
        await require_whole(connection, case, steps=6)
        await require_paid_once(connection, case)


async def test_a_manual_finding_goes_to_the_clerk_who_accepts(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks, special_personnel="true")
    read = await case.read(desks.r_clerk)
    assert (read["status"], read["refusals"]) == ("SUBMITTED", [{"code": "SPECIAL_PERSONNEL", "class": "MANUAL"}])
    assert read["allowedActions"] == ["ACCEPT_TRANSFER", "DECLINE_TRANSFER"]
    accepted = await done(case.accept())
    assert accepted["event"]["step"] == "ACCEPT_APPLICATION"
    await _take(case, "deliver", *RECORD_FIRST)
    assert await register(system, case.person) == transferred()
    async with system.database() as connection:
        await require_whole(connection, case, steps=6)


# ------------------------------------------------------------------ to the other ends


async def test_a_manual_finding_goes_to_the_clerk_who_declines(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks, special_personnel="true")
    answer = await done(
        desks.r_clerk.step("declineTransfer", case.id, reasons=["SPECIAL_PERSONNEL"], note="another procedure")
    )
    assert (answer["event"]["kind"], answer["transfer"]["status"]) == ("DECLINED", "DECLINED")
    assert await register(system, case.person) == untouched()
    read = await case.read()
    assert [each["kind"] for each in read["documents"]] == ["REFUSAL_NOTICE"]
    assert "SPECIAL_PERSONNEL" in {each["code"] for each in read["refusals"]}
    async with system.database() as connection:
        await require_whole(connection, case, steps=2)
    # An ended case bars nobody from applying again.
    again = Case(system, case.person, desks)
    assert (await done(again.submit()))["transfer"]["no"] != case.no


async def test_a_person_withdraws_while_no_agency_has_done_a_step(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks)
    answer = await done(case.applicant.step("withdrawTransfer", case.id, reason="staying after all"))
    assert (answer["event"]["kind"], answer["transfer"]["status"]) == ("WITHDRAWN", "WITHDRAWN")
    assert await register(system, case.person) == untouched()
    papers = [(each["kind"], each["void"]) for each in (await case.read())["documents"]]
    assert papers == [("ACCEPTANCE_NOTICE", False), ("ENROLMENT_CERTIFICATE", True)]
    assert (await case.deliver())["__typename"] == "StepNotAllowed"
    again = Case(system, case.person, desks)
    await done(again.submit())
    await done(again.deliver())
    too_late = await again.applicant.step("withdrawTransfer", again.id, reason="too late")
    assert (too_late["__typename"], too_late["allowedActions"]) == ("StepNotAllowed", ["REISSUE_CERTIFICATE"])


async def test_the_origin_returns_a_stop_that_the_employer_refuses(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(origin=active()), desks, request_stop=True)
    await done(case.submit())
    answer = await done(
        desks.o_clerk.step("returnTransfer", case.id, reason="EMPLOYER_HAS_NOT_STOPPED", note="still employed")
    )
    assert (answer["event"]["kind"], answer["transfer"]["status"]) == ("DECLINED", "DECLINED")
    still = enrolment(status="ACTIVE", personal_account_fen=BALANCE_FEN, contribution_months=months_at_origin())
    assert await register(system, case.person) == {BEIJING: still, SHANGHAI: destination()}
    read = await case.read()
    assert [each["code"] for each in read["refusals"]] == ["COVERAGE_STILL_ACTIVE"]
    assert (read["fundsStatus"], read["progress"]["holder"]) == ("PENDING", None)


async def test_another_amount_than_ordered_is_a_mismatch_and_credits_nothing(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks)
    await _take(case, "deliver", "continue_", "remit")
    await case.reaches(fundsStatus="REMITTED")
    advice = {"bankReference": f"BK-{case.no}-x", "receivedOn": today().isoformat()}
    answer = await done(desks.r_finance.step("confirmReceipt", case.id, amount=BALANCE_FEN - 1, **advice))
    assert answer["transfer"]["fundsStatus"] == "MISMATCHED"
    assert (await case.read())["status"] == "AWAITING_FUNDS"
    held = await register(system, case.person)
    assert (held[BEIJING]["personal_account_fen"], held[SHANGHAI]["personal_account_fen"]) == (0, 0)
    without_reason = await case.receive()
    assert without_reason["violations"][0]["path"] == ["input", "note"]
    case.keys.clear()
    given = {"amount": BALANCE_FEN, "note": "the bank's fee came by itself"}
    assert (await done(desks.r_finance.step("confirmReceipt", case.id, **given | advice)))["transfer"]["status"] == (
        "COMPLETED"
    )
    assert await register(system, case.person) == transferred()


# ------------------------------------------------------------------ what people follow


async def test_progress_comes_over_sse_and_websocket_from_any_seq_without_loss_or_doubles(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks)
    seen: dict[str, list[int]] = {"sse": [], "ws": [], "torn": []}

    async def follow(name: str, stream: Any) -> None:
        async for event in stream:
            seen[name].append(event["seq"])

    async def follow_with_reconnects() -> None:
        """A client on a bad line: it is gone after every second event, and comes back with its last seq."""
        while True:
            last = seen["torn"][-1] if seen["torn"] else 0
            async with contextlib.aclosing(case.applicant.progress_ws(case.id, last)) as stream:
                count = 0
                async for event in stream:
                    seen["torn"].append(event["seq"])
                    count += 1
                    if event["kind"] == "COMPLETED":
                        return
                    if count == 2:
                        break

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(follow("sse", case.applicant.progress_sse(case.id)))
        group.create_task(follow("ws", case.applicant.progress_ws(case.id)))
        group.create_task(follow_with_reconnects())
        await _take(case, "deliver", *RECORD_FIRST)
    everything = list(range(1, (await case.read())["revision"] + 1))
    assert seen == {"sse": everything, "ws": everything, "torn": everything}
    # Caught up after the end: what is missing, then the stream completes.
    assert [each["seq"] async for each in case.applicant.progress_sse(case.id, everything[-3])] == everything[-2:]
    assert [each["seq"] async for each in case.applicant.progress_ws(case.id, everything[-1])] == []


async def test_the_answers_are_in_the_language_that_was_asked_for(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _completed(system, registers, desks)
    ask = "query ($no: TransferNo!) { transfer(no: $no) { progress { headline } steps { label } } }"
    said = {}
    for language in ("zh-CN", "en", "fr", "en-GB,en;q=0.9,zh;q=0.5"):
        person = system.caller(Role.INSURED_PERSON, resident_id=case.person.resident_id, language=language)
        said[language] = (await person.ask(ask, no=case.no))["transfer"]
    assert said["zh-CN"]["progress"]["headline"] == "已办结：缴费年限已接续，个人账户已结清"
    assert said["en"]["progress"]["headline"].startswith("Completed: ")
    assert said["fr"] == said["zh-CN"]
    assert said["en-GB,en;q=0.9,zh;q=0.5"] == said["en"]
    assert [each["label"] for each in said["zh-CN"]["steps"]][3] == "生成并上传信息表"


# ------------------------------------------------------------------ who finds what


async def test_transfers_are_found_by_the_number_of_the_person_by_those_who_may(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks)
    ask = """query ($id: ResidentId!) { transfers(filter: { residentId: $id }) { edges { node { no } } } }"""
    callers = {
        "origin": desks.o_clerk,
        "destination": desks.r_finance,
        "employer": system.caller(Role.EMPLOYER, subject=EMPLOYER_ID),
        "the supervisor's area": system.caller(Role.SUPERVISOR, "310000"),
        "another agency": system.caller(Role.CLERK, "440300"),
        "another employer": system.caller(Role.EMPLOYER, subject="911100006000373499"),
    }
    found = {}
    for name, caller in callers.items():
        edges = (await caller.ask(ask, id=case.person.resident_id))["transfers"]["edges"]
        found[name] = [edge["node"]["no"] for edge in edges]
    assert {name for name, numbers in found.items() if numbers == [case.no]} == {
        "origin",
        "destination",
        "employer",
        "the supervisor's area",
    }
    assert found["another agency"] == found["another employer"] == []
    assert await case.applicant.fault(ask, id=case.person.resident_id) == "FORBIDDEN"
    # A field that was left empty is not the wish for everybody's.
    assert await desks.o_clerk.fault(ask, id="") == "VALIDATION_FAILED"


async def test_the_worklist_counts_and_its_pages_stay_stable_while_work_is_done(
    system: System, registers: Registers, desks: Desks
) -> None:
    listing = """
    query ($after: String) { viewer { worklist(first: 3, after: $after, filter: { steps: [DELIVER_INFORMATION_FORM] }) {
      counts { open dueToday overdue } pageInfo { hasNextPage endCursor } edges { node { transfer { no } step { kind } dueOn } } } } }
    """

    async def page(after: str | None = None) -> dict[str, Any]:
        answered = (await desks.o_clerk.ask(listing, after=after))["viewer"]["worklist"]
        assert isinstance(answered, dict)
        return answered

    before = await page()
    cases = [Case(system, person, desks) for person in await registers.persons(7)]
    for case in cases:
        await done(case.submit())
    numbers = {case.no for case in cases}
    first = await page()
    assert first["counts"]["open"] == before["counts"]["open"] + 7
    assert first["counts"]["overdue"] == 0
    seen = [edge["node"]["transfer"]["no"] for edge in first["edges"]]
    # What is done on the pages already seen moves nothing on those that follow.
    for case in cases:
        if case.no in seen:
            await done(case.deliver())
    here = first
    while here["pageInfo"]["hasNextPage"]:
        here = await page(here["pageInfo"]["endCursor"])
        seen += [edge["node"]["transfer"]["no"] for edge in here["edges"]]
    assert len(seen) == len(set(seen)) == first["counts"]["open"]
    assert numbers <= set(seen)
    done_now = sum(case.no in seen[:3] for case in cases)
    assert (await page())["counts"]["open"] == first["counts"]["open"] - done_now


async def test_why_says_on_one_screen_and_within_a_second_where_a_case_is_while_others_are_worked_on(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks, arrears_fen="120000", arrears_from="2026-01", arrears_to="2026-03")
    others = [Case(system, person, desks) for person in await registers.persons(6)]

    async def carry(other: Case) -> None:
        await done(other.submit())
        await _take(other, "deliver", *MONEY_FIRST)

    async with asyncio.TaskGroup() as group:
        for other in others:
            group.create_task(carry(other))
        # Seconds of processor, which those who work beside it do not lengthen.
        before = _seconds_of_children()
        said = await system.cli("why", case.no)
        took = _seconds_of_children() - before
    assert (said.code, said.err) == (0, "")
    assert took < 1.0
    for wanted in (case.no, "转出办理中", "010-12393001", "10 个工作日", "医保办发〔2021〕43号", "ARREARS_OUTSTANDING"):
        assert wanted in said.out
    assert case.person.resident_id not in said.out
    ended = await system.cli("why", others[0].no)
    assert "已办结" in ended.out
    assert "资金：已计入个人账户，余额 8,642.05 元" in ended.out
    unknown = await system.cli("why", "ZY-319900-20200101-999999")
    assert (unknown.code, unknown.out) == (1, "")
    assert unknown.err == "yibao: there is no transfer ZY-319900-20200101-999999\n"


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def test_the_due_date_of_the_form_is_ten_working_days_from_acceptance(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks)
    step = next(each for each in (await case.read())["steps"] if each["kind"] == "DELIVER_INFORMATION_FORM")
    assert (step["deadline"]["workingDays"], step["deadline"]["state"]) == (10, "ON_TRACK")
    assert step["deadline"]["dueOn"] > (today() + timedelta(days=11)).isoformat()
