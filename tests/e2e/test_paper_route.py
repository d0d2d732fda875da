"""The paper route of 94号, over the public API: what a connected side does, and what it enters for one that is not."""

from datetime import timedelta
from typing import Any

import pytest

from tests.e2e.books import nothing_changes, register, require_ended
from tests.e2e.case import Case, Desks
from tests.e2e.law_book import (
    certificate,
    checked,
    decides,
    kinds,
    open_steps,
    papers,
    pdf,
    step,
    working_days_later,
)
from tests.e2e.people import BALANCE_FEN, SHENZHEN, Registers, at, months_after_transfer, today
from tests.e2e.system import System
from tests.e2e.test_main_job import ELIGIBILITY
from workflows.vocabulary import Role
from workflows.words import say

# Regions of 河北 and 山西 whose policies these tests set, and nobody else's do.
CONNECTED_O, CONNECTED_R = "130100", "140100"
PAPER_O, PAPER_R = "130200", "140200"
WORKLIST = """query ($steps: [TransferStepKind!]) { viewer { worklist(first: 50, filter: { steps: $steps }) {
  edges { node { dueOn step { kind } transfer { no } } } } } }"""
MAIL = {"carrier": "EMS", "trackingNo": "EX1234567890CN"}
NOT_YET = say("en", "not_allowed.NOT_YET")
WRONG_SIDE = say("en", "not_allowed.WRONG_SIDE")


@pytest.fixture(scope="module", autouse=True)
async def _policies(system: System) -> None:
    await decides(system, PAPER_O, PAPER_R, connected=False)


def today_text() -> str:
    return today().isoformat()


async def _applied(
    system: System, registers: Registers, origin: str, destination: str, *, name: str = "林晓舟", **application: Any
) -> Case:
    person = await registers.person(at(origin), at(destination), name)
    case = Case(system, person, Desks(system, origin, destination), application=application)
    await case.submits()
    return case


async def _mail(case: Case, caller: Any, item: str, **days: str) -> dict[str, Any]:
    return await case.take(caller, "recordMail", item=item, **MAIL | days)


async def _letter_arrived(case: Case) -> None:
    await case.take(case.desks.r_clerk, "acceptTransfer")
    await case.take(case.desks.r_clerk, "issueContactLetter")
    await _mail(case, case.desks.r_clerk, "CONTACT_LETTER", sentOn=today_text(), arrivedOn=today_text())


async def _on_the_worklist(caller: Any, case: Case, *steps: str) -> list[tuple[str, str]]:
    data = await caller.ask(WORKLIST, steps=list(steps))
    nodes = [edge["node"] for edge in data["viewer"]["worklist"]["edges"]]
    return [(each["step"]["kind"], each["dueOn"]) for each in nodes if each["transfer"]["no"] == case.no]


def _entered_by(event: dict[str, Any], agency: str) -> bool:
    said: str = event["message"]
    return said.endswith(say("en", "event.entered", message="", entered_by=agency))


def _moved(origin: str, destination: str) -> dict[tuple[str, str], int]:
    return {("PERSONAL_ACCOUNTS", origin): -BALANCE_FEN, ("PERSONAL_ACCOUNTS", destination): BALANCE_FEN}


# ------------------------------------------------------------------ the whole way, in three forms


async def test_r_not_connected_is_served_by_o_who_enters_what_comes_by_post(  # noqa: PLR0915 - one story
    system: System, registers: Registers
) -> None:
    person = await registers.person(at(CONNECTED_O), at(PAPER_R))
    case = Case(system, person, Desks(system, CONNECTED_O, PAPER_R))
    asked = {"fromRegion": CONNECTED_O, "toRegion": PAPER_R, "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}
    dry = (await case.applicant.ask(ELIGIBILITY, input=asked))["eligibility"]
    # Acceptance 15, letter 15, O's form and money 15, R's continuation 15 (94号); the post's days are nobody's.
    assert (dry["eligible"], dry["route"], dry["dueOn"]) == (True, "PAPER", working_days_later(60))
    submitted = (await case.submits())["transfer"]
    assert (submitted["status"], submitted["route"], submitted["acceptedAt"]) == ("SUBMITTED", "PAPER", None)
    read = await case.read()
    assert open_steps(read) == [("ACCEPT_APPLICATION", 1, working_days_later(15))]
    deadline = step(read, "ACCEPT_APPLICATION")["deadline"]
    assert (deadline["startsOn"], deadline["workingDays"]) == (today_text(), 15)
    assert "94号" in deadline["legalBasis"]
    assert read["allowedActions"] == ["WITHDRAW_TRANSFER"]
    # R is not connected: its step is on O's list too, and O's clerk may enter it.
    o_clerk = case.desks.o_clerk
    for caller in (o_clerk, case.desks.r_clerk):
        assert await _on_the_worklist(caller, case, "ACCEPT_APPLICATION") == [
            ("ACCEPT_APPLICATION", working_days_later(15))
        ]
    assert "ACCEPT_TRANSFER" in (await case.read(o_clerk))["allowedActions"]

    accepted = await case.take(o_clerk, "acceptTransfer")
    assert (accepted["transfer"]["status"], accepted["event"]["step"]) == ("TRANSFERRING_OUT", "ACCEPT_APPLICATION")
    assert _entered_by(accepted["event"], "石家庄市医疗保障事务中心")
    read = await case.read()
    assert open_steps(read) == [("ISSUE_CONTACT_LETTER", 1, working_days_later(15))]
    assert step(read, "ISSUE_CERTIFICATE")["state"] == "DONE"
    assert await _on_the_worklist(o_clerk, case, "ISSUE_CONTACT_LETTER") == [
        ("ISSUE_CONTACT_LETTER", working_days_later(15))
    ]

    letter = await case.take(o_clerk, "issueContactLetter")
    assert letter["event"]["step"] == "ISSUE_CONTACT_LETTER"
    read = await case.read()
    assert open_steps(read) == [("DELIVER_INFORMATION_FORM", 1, None)]
    assert (read["progress"]["dueOn"], read["progress"]["holder"]["code"]) == (None, "YB130100")
    on_its_way = say("en", "headline.TRANSFERRING_OUT.on_its_way", agency="石家庄市医疗保障事务中心")
    assert read["progress"]["headline"] == on_its_way
    assert await _on_the_worklist(o_clerk, case, "DELIVER_INFORMATION_FORM") == []

    arrived = await _mail(case, o_clerk, "CONTACT_LETTER", sentOn=today_text(), arrivedOn=today_text())
    assert arrived["event"]["kind"] == "MAIL_RECORDED"
    assert "EMS EX1234567890CN" in arrived["event"]["message"]
    read = await case.read()
    assert open_steps(read) == [("DELIVER_INFORMATION_FORM", 1, working_days_later(15))]
    assert kinds(read)[-1] == "CLOCK_STARTED"
    assert await _on_the_worklist(o_clerk, case, "DELIVER_INFORMATION_FORM") == [
        ("DELIVER_INFORMATION_FORM", working_days_later(15))
    ]

    delivered = await case.take(o_clerk, "deliverInformationForm")
    assert delivered["transfer"]["status"] == "TRANSFERRING_IN"
    read = await case.read()
    assert open_steps(read) == [
        ("REMIT_PERSONAL_ACCOUNT", 1, working_days_later(15)),
        ("CONFIRM_CONTINUATION", 1, None),
    ]
    # R waits for form and money; it is O's finance whom the case waits for.
    assert read["progress"]["holder"]["code"] == "YB130100"
    await _mail(case, o_clerk, "INFORMATION_FORM", sentOn=today_text())
    await _mail(case, o_clerk, "INFORMATION_FORM", arrivedOn=today_text())
    assert open_steps(await case.read())[1] == ("CONFIRM_CONTINUATION", 1, None)
    await case.remits()
    credited = await case.receives(case.desks.o_finance, BALANCE_FEN)
    assert credited["transfer"]["fundsStatus"] == "CREDITED"
    assert _entered_by(credited["event"], "石家庄市医疗保障事务中心")
    # Form and money are there: R's fifteen days run.
    assert open_steps(await case.read()) == [("CONFIRM_CONTINUATION", 1, working_days_later(15))]
    ended = await case.take(o_clerk, "confirmContinuation")
    assert ended["transfer"]["status"] == "COMPLETED"

    read = await case.read()
    assert papers(read) == [
        ("APPLICATION", 1, False),
        ("ACCEPTANCE_NOTICE", 1, False),
        ("ENROLMENT_CERTIFICATE", 1, False),
        ("CONTACT_LETTER", 1, False),
        ("INFORMATION_FORM", 1, False),
        ("REMITTANCE_ORDER", 1, False),
        ("CONTINUATION_STATEMENT", 1, False),
        ("COMPLETION_NOTICE", 1, False),
    ]
    said = {each["kind"]: await pdf(system, each) for each in read["documents"]}
    assert all(copy in said["ENROLMENT_CERTIFICATE"] for copy in ("第一联", "第二联", "第三联"))
    assert "转出通知书" in said["REMITTANCE_ORDER"]
    assert case.person.resident_id in said["CONTACT_LETTER"]
    assert case.person.resident_id in said["APPLICATION"]
    # R's days begin with the post: the notice dates the letter alone.
    dated = [each for each in ("发出联系函", "生成并上传信息表", "确认接续") if each in said["ACCEPTANCE_NOTICE"]]
    assert dated == ["发出联系函"]
    held = await register(system, case.person)
    assert (held[CONNECTED_O]["personal_account_fen"], held[CONNECTED_O]["frozen_fen"]) == (0, 0)
    assert held[PAPER_R]["personal_account_fen"] == BALANCE_FEN
    assert held[PAPER_R]["contribution_months"] == months_after_transfer()
    await require_ended(system, case, booked=_moved(CONNECTED_O, PAPER_R))


async def test_o_not_connected_is_served_by_r_who_enters_the_form_and_the_money(
    system: System, registers: Registers
) -> None:
    case = await _applied(system, registers, PAPER_O, CONNECTED_R)
    r_clerk, r_finance = case.desks.r_clerk, case.desks.r_finance
    await _letter_arrived(case)
    assert await _on_the_worklist(r_clerk, case, "DELIVER_INFORMATION_FORM") == [
        ("DELIVER_INFORMATION_FORM", working_days_later(15))
    ]
    delivered = await case.take(r_clerk, "deliverInformationForm")
    assert _entered_by(delivered["event"], "太原市医疗保障事务中心")
    await _mail(case, r_clerk, "INFORMATION_FORM", sentOn=today_text(), arrivedOn=today_text())
    remitted = await case.take(r_finance, "remitPersonalAccount")
    # O has sent its own bank: ours is asked for nothing, and the bank knows no such order.
    assert remitted["transfer"]["fundsStatus"] == "ORDERED"
    assert [each["kind"] for each in (await case.read())["documents"]].count("REMITTANCE_ORDER") == 1
    ended = await case.receives(r_finance, BALANCE_FEN)
    assert ended["transfer"]["fundsStatus"] == "CREDITED"
    read = await case.read()
    assert open_steps(read) == [("CONFIRM_CONTINUATION", 1, working_days_later(15))]
    assert (await case.take(r_clerk, "confirmContinuation"))["transfer"]["status"] == "COMPLETED"
    held = await register(system, case.person)
    assert (held[PAPER_O]["personal_account_fen"], held[CONNECTED_R]["personal_account_fen"]) == (0, BALANCE_FEN)
    await require_ended(system, case, booked=_moved(PAPER_O, CONNECTED_R))


async def test_neither_is_connected_and_each_may_enter_the_others_steps(system: System, registers: Registers) -> None:
    case = await _applied(system, registers, PAPER_O, PAPER_R)
    await _letter_arrived(case)
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    # The person's balance is received before the form is known to have come: R's clock waits for the form.
    await case.take(case.desks.o_finance, "remitPersonalAccount")
    await case.receives(case.desks.r_finance, BALANCE_FEN)
    assert open_steps(await case.read()) == [("CONFIRM_CONTINUATION", 1, None)]
    await _mail(case, case.desks.r_clerk, "INFORMATION_FORM", arrivedOn=today_text())
    assert open_steps(await case.read()) == [("CONFIRM_CONTINUATION", 1, working_days_later(15))]
    assert (await case.take(case.desks.r_clerk, "confirmContinuation"))["transfer"]["status"] == "COMPLETED"
    await require_ended(system, case, booked=_moved(PAPER_O, PAPER_R))


async def test_money_that_comes_while_the_form_is_disputed_uses_up_none_of_rs_days(
    system: System, registers: Registers
) -> None:
    case = await _applied(system, registers, CONNECTED_O, PAPER_R)
    desks, o_clerk = case.desks, case.desks.o_clerk
    await case.take(o_clerk, "acceptTransfer")
    await case.take(o_clerk, "issueContactLetter")
    # O answers a letter whose arrival nobody recorded: its finance has a date all the same.
    await case.take(o_clerk, "deliverInformationForm")
    assert open_steps(await case.read())[0] == ("REMIT_PERSONAL_ACCOUNT", 1, working_days_later(15))
    await _mail(case, o_clerk, "INFORMATION_FORM", arrivedOn=today_text())
    await case.take(desks.r_clerk, "requestCorrection", reason="YEARS_DISPUTED", note="two years are missing")
    await case.remits()
    await case.receives(desks.r_finance, BALANCE_FEN)
    read = await case.read()
    assert step(read, "CONFIRM_CONTINUATION")["deadline"] is None
    assert await _on_the_worklist(desks.r_clerk, case, "CONFIRM_CONTINUATION") == []
    assert (await case.asks(desks.r_clerk, "confirmContinuation"))["__typename"] == "StepNotAllowed"
    await case.take(o_clerk, "deliverInformationForm")
    # The answer comes by post as the first form did.
    assert step(await case.read(), "CONFIRM_CONTINUATION")["deadline"] is None
    await _mail(case, o_clerk, "INFORMATION_FORM", arrivedOn=today_text())
    assert await _on_the_worklist(desks.r_clerk, case, "CONFIRM_CONTINUATION") == [
        ("CONFIRM_CONTINUATION", working_days_later(15))
    ]
    assert (await case.take(desks.r_clerk, "confirmContinuation"))["transfer"]["status"] == "COMPLETED"
    await require_ended(system, case, booked=_moved(CONNECTED_O, PAPER_R))


async def test_money_comes_home_by_post_from_an_unconnected_r(system: System, registers: Registers) -> None:
    case = await _applied(system, registers, CONNECTED_O, PAPER_R)
    desks, o_clerk, o_finance = case.desks, case.desks.o_clerk, case.desks.o_finance
    for mutation in ("acceptTransfer", "issueContactLetter", "deliverInformationForm"):
        await case.take(o_clerk, mutation)
    await case.remits()
    await case.receives(o_finance, BALANCE_FEN)
    await case.take(desks.o_supervisor, "terminateTransfer", reason="transferred twice")
    reference = (await case.read())["remittances"][-1]["reference"]
    await case.take(desks.o_supervisor, "approveReverseRemittance", remittanceReference=reference)
    # R sends it by its own bank: nothing tells of it until it has arrived.
    read = await case.read()
    assert (read["fundsStatus"], read["remittances"][-1]["status"]) == ("ORDERED", "ORDERED")
    why = await system.cli("why", case.no)
    assert (why.code, case.no in why.out) == (0, True)
    assert (await case.receives(o_finance, BALANCE_FEN))["transfer"]["status"] == "TERMINATED"
    held = await register(system, case.person)
    assert held[CONNECTED_O]["personal_account_fen"] == BALANCE_FEN
    assert (held[PAPER_R]["personal_account_fen"], held[PAPER_R]["frozen_fen"]) == (0, 0)
    await require_ended(system, case, booked={})


async def test_r_may_decline_a_paper_application(system: System, registers: Registers) -> None:
    case = await _applied(system, registers, PAPER_O, CONNECTED_R)
    declined = await case.take(
        case.desks.r_clerk, "declineTransfer", reasons=["IDENTITY_MISMATCH"], note="another person's card"
    )
    assert declined["transfer"]["status"] == "DECLINED"
    assert papers(await case.read()) == [("APPLICATION", 1, False), ("REFUSAL_NOTICE", 1, False)]
    await require_ended(system, case, booked={})


# ------------------------------------------------------------------ what comes in wrong


async def test_mail_that_cannot_be_is_refused_field_by_field_and_changes_nothing(
    system: System, registers: Registers
) -> None:
    case = await _applied(system, registers, PAPER_O, CONNECTED_R)
    await case.take(case.desks.r_clerk, "acceptTransfer")
    tomorrow, yesterday = (today() + timedelta(days=days) for days in (1, -1))
    before_the_letter = await case.asks(case.desks.r_clerk, "recordMail", item="CONTACT_LETTER", **MAIL)
    assert before_the_letter["__typename"] == "StepNotAllowed"
    await case.take(case.desks.r_clerk, "issueContactLetter")
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"sentOn": tomorrow.isoformat()}, "sentOn", "IN_THE_FUTURE"),
        ({"arrivedOn": tomorrow.isoformat()}, "arrivedOn", "IN_THE_FUTURE"),
        ({"arrivedOn": yesterday.isoformat()}, "arrivedOn", "BEFORE_THE_LETTER"),
        ({"sentOn": yesterday.isoformat()}, "sentOn", "BEFORE_THE_LETTER"),
        ({"carrier": " "}, "carrier", "EMPTY"),
        ({"carrier": "e" * 65}, "carrier", "TOO_LONG"),
        ({"trackingNo": ""}, "trackingNo", "EMPTY"),
        ({"trackingNo": "two words"}, "trackingNo", "REFERENCE_FORM"),
    ]
    before = await case.read()
    async with nothing_changes(system, but={"commands", "sealed_texts"}):
        for given, path, code in wrong:
            answer = await case.asks(case.desks.r_clerk, "recordMail", item="CONTACT_LETTER", **MAIL | given)
            assert [(each["path"], each["code"]) for each in answer["violations"]] == [(["input", path], code)], given
        certificate_mail = {"item": "CERTIFICATE", "sentOn": today_text(), "arrivedOn": yesterday.isoformat()}
        answer = await case.asks(case.desks.r_clerk, "recordMail", **MAIL | certificate_mail)
        assert [each["code"] for each in answer["violations"]] == ["BEFORE_SENDING"]
    after = await case.read()
    assert (after["revision"], after["steps"]) == (before["revision"], before["steps"])


async def test_a_step_by_the_wrong_side_role_or_out_of_order_is_refused_and_changes_nothing(
    system: System, registers: Registers
) -> None:
    case = await _applied(system, registers, PAPER_O, CONNECTED_R)
    desks, third = case.desks, system.caller(Role.CLERK, SHENZHEN)
    form = {"item": "INFORMATION_FORM"} | MAIL
    async with nothing_changes(system):
        for caller, mutation, why in [
            (desks.r_clerk, "issueContactLetter", NOT_YET),
            (desks.r_clerk, "deliverInformationForm", NOT_YET),
            (desks.o_clerk, "acceptTransfer", WRONG_SIDE),
            (desks.o_clerk, "issueContactLetter", WRONG_SIDE),
        ]:
            answer = await case.asks(caller, mutation)
            assert (answer["__typename"], answer["message"]) == ("StepNotAllowed", why), mutation
        for mutation, given in [("acceptTransfer", {}), ("issueContactLetter", {}), ("recordMail", form)]:
            assert (await case.asks(third, mutation, **given))["__typename"] == "TransferNotFound"
    await case.take(desks.r_clerk, "acceptTransfer")
    await case.take(desks.r_clerk, "issueContactLetter")
    async with nothing_changes(system):
        assert (await case.asks(desks.r_clerk, "acceptTransfer"))["__typename"] == "StepNotAllowed"
        assert (await case.asks(desks.r_clerk, "issueContactLetter"))["__typename"] == "StepNotAllowed"


async def test_a_platform_case_knows_no_letter_and_no_mail(system: System, registers: Registers, desks: Desks) -> None:
    case = Case(system, await registers.person(), desks)
    await case.submits()
    async with nothing_changes(system):
        for mutation, given in [("issueContactLetter", {}), ("recordMail", {"item": "CERTIFICATE"} | MAIL)]:
            answer = await case.asks(desks.r_clerk, mutation, **given)
            assert answer["__typename"] == "StepNotAllowed", mutation


# ------------------------------------------------------------------ the certificate


async def test_a_certificate_named_in_the_application_must_be_known_in_force_and_of_this_person(
    system: System, registers: Registers
) -> None:
    await decides(system, "130300", connected=False, certificate_months=3)
    person = await registers.person(at("130300"), at(CONNECTED_R))
    desks = Desks(system, "130300", CONNECTED_R)
    request = """mutation ($input: RequestCertificateInput!) { requestCertificate(input: $input) { __typename
      ... on RequestCertificatePayload { certificate { number verificationCode document { downloadUrl } } } } }"""
    applicant = Case(system, person, desks).applicant

    async def issued(key: str) -> dict[str, Any]:
        given = {"idempotencyKey": f"paper-{person.resident_id}-{key}", "region": "130300", "scheme": "EMPLOYEE"}
        answered = (await applicant.ask(request, input=given))["requestCertificate"]
        assert answered["__typename"] == "RequestCertificatePayload", answered
        found: dict[str, Any] = answered["certificate"]
        return found

    async def refused(number: str) -> str:
        answer = await Case(system, person, desks, application={"certificateNumber": number}).submit()
        assert (answer["__typename"], [each["code"] for each in answer["findings"]]) == (
            "NotEligible",
            ["CERTIFICATE_INVALID"],
        )
        return str(answer["findings"][0]["message"])

    unknown = await refused("冀2026999999")
    assert await checked(system, "冀2026999999", "AAAA-BBBB-CCCC") == (False, False)
    one = await issued("1")
    assert await checked(system, one["number"], one["verificationCode"]) == (True, False)
    stranger = Case(system, await registers.person(at("130300"), at(CONNECTED_R)), desks)
    stranger.application = {"certificateNumber": one["number"]}
    assert [each["code"] for each in (await stranger.submit())["findings"]] == ["CERTIFICATE_INVALID"]
    async with system.database() as connection:
        expired = "update documents set valid_until = $2 where number = $1"
        await connection.execute(expired, one["number"], today() - timedelta(days=1))
    assert (await refused(one["number"])) != unknown
    assert (await checked(system, one["number"], one["verificationCode"]))[0] is False
    two = await issued("2")
    case = Case(system, person, desks, application={"certificateNumber": two["number"]})
    await case.submits()
    application = next(each for each in (await case.read())["documents"] if each["kind"] == "APPLICATION")
    assert two["number"] in await pdf(system, application)


async def test_a_reissued_certificate_voids_the_earlier_one_which_no_application_may_name(
    system: System, registers: Registers
) -> None:
    case = await _applied(system, registers, PAPER_O, CONNECTED_R)
    await case.take(case.desks.r_clerk, "acceptTransfer")
    lost = await certificate(system, case)
    assert await checked(system, *lost) == (True, False)
    reissued = await case.take(case.applicant, "reissueCertificate", reason="lost in the post")
    assert reissued["event"]["kind"] == "CERTIFICATE_REISSUED"
    assert await checked(system, *lost) == (False, True)
    latest = await certificate(system, case)
    assert latest[0] != lost[0]
    assert await checked(system, *latest) == (True, False)
    # The case ends; a later application may not name what was lost, nor what the end has voided.
    await case.take(case.desks.r_clerk, "issueContactLetter")
    await case.take(case.desks.r_supervisor, "terminateTransfer", reason="入错地区")
    for number in (lost[0], latest[0]):
        again = Case(system, case.person, case.desks, application={"certificateNumber": number})
        answer = await again.submit()
        assert [each["code"] for each in answer["findings"]] == ["CERTIFICATE_INVALID"]
