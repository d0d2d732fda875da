"""What becomes of the balance by O's policy, the second person who checks a form, and the other kinds of transfer."""

import json
from typing import Any

import pytest

from tests.e2e.books import nothing_changes, register, register_printed, require_ended, require_sound
from tests.e2e.caller import new_key
from tests.e2e.case import Case, Desks
from tests.e2e.law_book import decides, open_steps, papers, pdf, step, working_days_later
from tests.e2e.people import BALANCE_FEN, BEIJING, SHANGHAI, Registers, active, at, new_resident_id, stopped, today
from tests.e2e.system import System
from workflows.vocabulary import Role

# Regions whose policies these tests set, and nobody else's do.
PAYS_OUT, RETAINS, CHECKS, OTHER = "150100", "150200", "150300", "210100"
NUMBER = "6222021001112223334"
GRANT = "mutation ($input: GrantMandateInput!) { grantMandate(input: $input) { __typename } }"
ACCOUNT = {"bankName": "示例银行沈阳分行", "accountName": "林晓舟", "accountNumber": NUMBER}
TEXT_COLUMNS = """select table_name, column_name from information_schema.columns
  where table_schema = 'public' and data_type in ('text', 'jsonb', 'json', 'bytea', 'ARRAY', 'character varying')"""
EVERYTHING = """query ($no: TransferNo!) { transfer(no: $no) { allowedActions progress { headline money actions }
  remittances { reference kind status bankReference } events(first: 50) { edges { node { kind message } } } } }"""


@pytest.fixture(scope="module", autouse=True)
async def _policies(system: System) -> None:
    await decides(system, PAYS_OUT, disposition=[{"disposition": "pay_out"}])
    await decides(system, RETAINS, disposition=[{"to_province": "辽宁省", "disposition": "retain"}])
    await decides(system, CHECKS, form_needs_checker=True)


async def _opened(system: System, registers: Registers, region: str, to: str = OTHER) -> Case:
    person = await registers.person(at(region), at(to))
    case = Case(system, person, Desks(system, region, to))
    await case.submits()
    return case


async def _in_clear(system: System, text: str) -> list[str]:
    """Every column of every table, and every payload of Temporal's histories that is stored here, that holds `text`."""
    found = []
    async with system.database() as connection:
        for table, column in await connection.fetch(TEXT_COLUMNS):
            hit = f'select exists (select from "{table}" where position($1 in "{column}"::text) > 0)'  # noqa: S608 - our own names
            if await connection.fetchval(hit, text):
                found.append(f"{table}.{column}")
            # What is stored as bytes is shown as their digits.
            if await connection.fetchval(hit, text.encode().hex()):
                found.append(f"{table}.{column} as bytes")
    return found


# ------------------------------------------------------------------ paid out to the person


async def test_a_balance_is_paid_out_to_the_account_that_the_person_names_and_nobody_reads(
    system: System, registers: Registers
) -> None:
    case = await _opened(system, registers, PAYS_OUT)
    o_finance = case.desks.o_finance
    early = await case.asks(case.applicant, "providePayoutAccount", **ACCOUNT)
    assert early["__typename"] == "StepNotAllowed"
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    read = await case.read()
    assert read["allowedActions"] == ["REISSUE_CERTIFICATE", "PROVIDE_PAYOUT_ACCOUNT"]
    assert "PROVIDE_PAYOUT_ACCOUNT" in read["progress"]["actions"]
    assert "8,642.05" in read["progress"]["money"]
    # O's finance waits for the person, and so does its clock.
    assert step(read, "REMIT_PERSONAL_ACCOUNT")["deadline"]["state"] == "PAUSED"
    async with nothing_changes(system):
        assert (await case.asks(o_finance, "remitPersonalAccount"))["__typename"] == "StepNotAllowed"
        for wrong, path, code in [
            ({"accountNumber": "12"}, "accountNumber", "ACCOUNT_FORM"),
            ({"accountNumber": "6222 0210 0111"}, "accountNumber", "ACCOUNT_FORM"),
            ({"bankName": " "}, "bankName", "EMPTY"),
            ({"accountName": "林晓船"}, "accountName", "NOT_THE_PERSONS_NAME"),
        ]:
            answer = await case.asks(case.applicant, "providePayoutAccount", **ACCOUNT | wrong)
            assert [(each["path"], each["code"]) for each in answer["violations"]] == [(["input", path], code)]
    first = await case.take(
        case.applicant, "providePayoutAccount", **ACCOUNT | {"accountNumber": "6222029999999999999"}
    )
    assert first["event"]["kind"] == "PAYOUT_ACCOUNT_PROVIDED"
    # The person may correct it until the money is ordered.
    provided = await case.take(case.applicant, "providePayoutAccount", **ACCOUNT)
    assert "****3334" in provided["event"]["message"]
    running = step(await case.read(), "REMIT_PERSONAL_ACCOUNT")["deadline"]
    assert (running["state"], running["dueOn"]) == ("ON_TRACK", working_days_later(10))
    for caller in (case.applicant, case.desks.o_clerk, o_finance, case.desks.r_clerk, case.desks.o_supervisor):
        assert NUMBER not in json.dumps(await caller.ask(EVERYTHING, no=case.no))
    assert await _in_clear(system, NUMBER) == []
    assert await _in_clear(system, ACCOUNT["bankName"]) == []
    ordered = await case.take(o_finance, "remitPersonalAccount")
    assert ordered["transfer"]["fundsStatus"] in ("ORDERED", "PAID_OUT_TO_PERSON")
    paid = await case.reaches(fundsStatus="PAID_OUT_TO_PERSON")
    assert [(each["kind"], each["amount"]["fen"], each["status"]) for each in paid["remittances"]] == [
        ("PAYOUT", BALANCE_FEN, "CREDITED")
    ]
    assert open_steps(paid) == [("CONFIRM_CONTINUATION", 1, working_days_later(5))]
    refused = await case.asks(case.desks.o_supervisor, "terminateTransfer", reason="too late")
    assert refused["__typename"] == "StepNotAllowed"
    ended = await case.take(case.desks.r_clerk, "confirmContinuation")
    assert ended["transfer"]["status"] == "COMPLETED"
    held = await register_printed(system, case.person)
    assert (held[PAYS_OUT]["personal_account_fen"], held[PAYS_OUT]["frozen_fen"]) == (0, 0)
    assert held[OTHER]["personal_account_fen"] == 0
    booked = {("PERSONAL_ACCOUNTS", PAYS_OUT): -BALANCE_FEN, ("PAID_OUT", PAYS_OUT): BALANCE_FEN}
    await require_ended(system, case, booked=booked)
    assert await _in_clear(system, NUMBER) == []
    # Nor do Temporal, the logs or the database's own files; the bank must know it.
    files = [each for each in [system.data_dir.with_suffix(".log"), *system.data_dir.rglob("*")] if each.is_file()]
    assert {each.name.partition(".")[0] for each in files if NUMBER.encode() in each.read_bytes()} == {"bank"}
    why = await system.cli("why", case.no)
    assert (why.code, "已办结" in why.out, NUMBER in why.out) == (0, True, False)


async def test_a_replay_of_the_account_is_the_same_step_and_another_account_under_its_key_a_conflict(
    system: System, registers: Registers
) -> None:
    case = await _opened(system, registers, PAYS_OUT)
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    key = f"payout-{case.no}"
    one = await case.take(case.applicant, "providePayoutAccount", idempotencyKey=key, **ACCOUNT)
    two = await case.take(case.applicant, "providePayoutAccount", idempotencyKey=key, **ACCOUNT)
    assert (one["replayed"], two["replayed"], one["event"]["seq"]) == (False, True, two["event"]["seq"])
    other = await case.asks(
        case.applicant, "providePayoutAccount", idempotencyKey=key, **ACCOUNT | {"accountNumber": NUMBER[:-1] + "5"}
    )
    assert other["__typename"] == "IdempotencyConflict"


async def test_who_acts_by_a_mandate_does_not_say_where_the_money_goes(system: System, registers: Registers) -> None:
    case = await _opened(system, registers, PAYS_OUT)
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    number = new_resident_id()
    given = {"idempotencyKey": new_key(), "agentResidentId": number, "relation": "CHILD"}
    granted = await case.applicant.ask(GRANT, input=given | {"validUntil": today().isoformat()})
    assert granted["grantMandate"]["__typename"] == "GrantMandatePayload"
    agent = system.caller(Role.INSURED_PERSON, resident_id=number)
    assert (await case.read(agent))["no"] == case.no
    refused = await case.asks(agent, "providePayoutAccount", **ACCOUNT)
    assert (refused["__typename"], refused["message"]) == (
        "StepNotAllowed", "Only the person themself says to which account the balance is paid.",
    )  # fmt: skip
    # Nothing was kept: O's finance still has no account to pay to.
    assert "PROVIDE_PAYOUT_ACCOUNT" in (await case.read())["progress"]["actions"]
    early = await case.asks(case.desks.o_finance, "remitPersonalAccount")
    assert early["__typename"] == "StepNotAllowed"


async def test_a_payout_that_is_terminated_before_its_order_leaves_the_account_whole(
    system: System, registers: Registers
) -> None:
    case = await _opened(system, registers, PAYS_OUT)
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    await case.take(case.applicant, "providePayoutAccount", **ACCOUNT)
    await case.take(case.desks.o_supervisor, "terminateTransfer", reason="the person has died")
    held = (await register(system, case.person))[PAYS_OUT]
    assert (held["personal_account_fen"], held["frozen_fen"]) == (BALANCE_FEN, 0)
    await require_ended(system, case, booked={})


async def test_a_corrected_balance_is_paid_out_with_a_second_order_and_never_below_what_was_paid(
    system: System, registers: Registers
) -> None:
    case, first = await _opened(system, registers, PAYS_OUT), BALANCE_FEN - 4_205
    desks = case.desks
    await case.take(desks.o_clerk, "deliverInformationForm", personalAccountBalance=first, note="last statement")
    await case.take(case.applicant, "providePayoutAccount", **ACCOUNT)
    await case.take(desks.o_finance, "remitPersonalAccount")
    await case.reaches(fundsStatus="PAID_OUT_TO_PERSON")
    await case.take(desks.r_clerk, "requestCorrection", reason="AMOUNT_DISPUTED", note="the last salary is missing")
    less = await case.asks(desks.o_clerk, "deliverInformationForm", personalAccountBalance=first - 1, note="less")
    assert [(each["path"], each["code"]) for each in less["violations"]] == [
        (["input", "personalAccountBalance"], "LESS_THAN_PAID_OUT")
    ]
    answered = await case.take(desks.o_clerk, "deliverInformationForm")
    assert answered["transfer"]["fundsStatus"] == "PENDING"
    await case.take(desks.o_finance, "remitPersonalAccount")
    await case.reaches(fundsStatus="PAID_OUT_TO_PERSON")
    ended = await case.take(desks.r_clerk, "confirmContinuation")
    assert ended["transfer"]["status"] == "COMPLETED"
    assert [(each["kind"], each["amount"]["fen"], each["status"]) for each in (await case.read())["remittances"]] == [
        ("PAYOUT", first, "CREDITED"),
        ("PAYOUT", 4_205, "CREDITED"),
    ]
    booked = {("PERSONAL_ACCOUNTS", PAYS_OUT): -BALANCE_FEN, ("PAID_OUT", PAYS_OUT): BALANCE_FEN}
    await require_ended(system, case, booked=booked)


# ------------------------------------------------------------------ retained in the province


async def test_a_balance_that_the_province_keeps_stays_usable_and_nothing_is_ordered(
    system: System, registers: Registers
) -> None:
    case = await _opened(system, registers, RETAINS)
    delivered = await case.take(case.desks.o_clerk, "deliverInformationForm")
    assert delivered["transfer"]["fundsStatus"] == "RETAINED_IN_PROVINCE"
    read = await case.read()
    assert open_steps(read) == [("CONFIRM_CONTINUATION", 1, working_days_later(5))]
    assert (step(read, "REMIT_PERSONAL_ACCOUNT")["state"], read["remittances"]) == ("SKIPPED", [])
    held = (await register(system, case.person))[RETAINS]
    assert (held["personal_account_fen"], held["frozen_fen"]) == (BALANCE_FEN, 0)
    ended = await case.take(case.desks.r_clerk, "confirmContinuation")
    assert (ended["transfer"]["status"], ended["transfer"]["fundsStatus"]) == ("COMPLETED", "RETAINED_IN_PROVINCE")
    assert (await register_printed(system, case.person))[RETAINS]["personal_account_fen"] == BALANCE_FEN
    await require_ended(system, case, booked={})


async def test_another_province_than_the_rules_is_remitted_to(system: System, registers: Registers) -> None:
    case = await _opened(system, registers, RETAINS, "140300")
    delivered = await case.take(case.desks.o_clerk, "deliverInformationForm")
    assert delivered["transfer"]["fundsStatus"] == "PENDING"
    frozen = {("PERSONAL_ACCOUNTS", RETAINS): -BALANCE_FEN, ("FROZEN", RETAINS): BALANCE_FEN}
    await require_sound(system, case, booked=frozen)


# ------------------------------------------------------------------ the second person


async def test_a_form_that_a_region_has_checked_counts_once_another_person_has_checked_it(
    system: System, registers: Registers
) -> None:
    case = await _opened(system, registers, CHECKS)
    maker = system.caller(Role.CHECKER, CHECKS, subject="maker-7")
    checker = system.caller(Role.CHECKER, CHECKS, subject="checker-8")
    given = {"personalAccountBalance": BALANCE_FEN - 5, "note": "five fen are disputed"}
    prepared = await case.take(maker, "deliverInformationForm", **given)
    assert (prepared["event"]["kind"], prepared["transfer"]["status"]) == ("FORM_PREPARED", "TRANSFERRING_OUT")
    read = await case.read()
    assert read["personalAccountBalance"] is None
    assert [each[0] for each in open_steps(read)] == ["DELIVER_INFORMATION_FORM"]
    assert "INFORMATION_FORM" not in [each[0] for each in papers(read)]
    assert (await register(system, case.person))[CHECKS]["frozen_fen"] == 0
    assert "CHECK_INFORMATION_FORM" not in (await case.read(maker))["allowedActions"]
    assert "CHECK_INFORMATION_FORM" in (await case.read(checker))["allowedActions"]
    async with nothing_changes(system):
        same = await case.asks(maker, "checkInformationForm")
    assert (same["__typename"], same["message"]) == (
        "StepNotAllowed",
        "Who made it cannot check or release it: another person must.",
    )
    checked = await case.take(checker, "checkInformationForm")
    assert (checked["event"]["kind"], checked["event"]["step"]) == ("STEP_DONE", "DELIVER_INFORMATION_FORM")
    read = await case.read()
    assert (read["status"], read["personalAccountBalance"]["fen"]) == ("TRANSFERRING_IN", BALANCE_FEN - 5)
    document = next(each for each in read["documents"] if each["kind"] == "INFORMATION_FORM")
    said = await pdf(system, document)
    assert "maker-7" in said
    assert "checker-8" in said
    assert "fivefenaredisputed" in said
    held = (await register(system, case.person))[CHECKS]
    assert (held["personal_account_fen"], held["frozen_fen"]) == (5, BALANCE_FEN - 5)
    # A corrected form is checked again.
    await case.take(case.desks.r_clerk, "requestCorrection", reason="AMOUNT_DISPUTED", note="five fen short")
    again = await case.take(checker, "deliverInformationForm")
    assert (again["event"]["kind"], again["transfer"]["status"]) == ("FORM_PREPARED", "CORRECTION_REQUESTED")
    assert (await case.asks(checker, "checkInformationForm"))["__typename"] == "StepNotAllowed"
    answered = await case.take(maker, "checkInformationForm")
    assert answered["transfer"]["status"] == "TRANSFERRING_IN"
    assert [each for each in papers(await case.read()) if each[0] == "INFORMATION_FORM"] == [
        ("INFORMATION_FORM", 1, True),
        ("INFORMATION_FORM", 2, False),
    ]
    frozen = {("PERSONAL_ACCOUNTS", CHECKS): -BALANCE_FEN, ("FROZEN", CHECKS): BALANCE_FEN}
    await require_sound(system, case, booked=frozen)


async def test_a_prepared_form_may_be_made_anew_before_it_is_checked(system: System, registers: Registers) -> None:
    case = await _opened(system, registers, CHECKS)
    await case.take(case.desks.o_clerk, "deliverInformationForm", personalAccountBalance=1, note="wrong")
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    await case.take(case.desks.o_checker, "checkInformationForm")
    assert (await case.read())["personalAccountBalance"]["fen"] == BALANCE_FEN
    form = next(each for each in (await case.read())["documents"] if each["kind"] == "INFORMATION_FORM")
    assert "wrong" not in await pdf(system, form)


# ------------------------------------------------------------------ the other kinds

# What the standard person's rows become in the resident scheme, which has no personal account.
RESIDENT = {"scheme": "RESIDENT", "employer_id": "", "personal_account_fen": "0"}


async def _carried(case: Case) -> dict[str, Any]:
    """The rest of a case whose form is to be delivered."""
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    if (await case.read())["fundsStatus"] == "PENDING":
        await case.remits()
        await case.receives(case.desks.r_finance, BALANCE_FEN)
    return await case.take(case.desks.r_clerk, "confirmContinuation")


async def test_employee_to_resident_after_two_continuous_years_has_no_wait(
    system: System, registers: Registers, desks: Desks
) -> None:
    person = await registers.person(destination={"scheme": "RESIDENT"})
    case = Case(system, person, desks, application={"toScheme": "RESIDENT"})
    submitted = (await case.submits())["transfer"]
    assert submitted["status"] == "TRANSFERRING_OUT"
    ended = await _carried(case)
    assert ended["transfer"]["status"] == "COMPLETED"
    read = await case.read()
    assert (read["fromScheme"], read["toScheme"]) == ("EMPLOYEE", "RESIDENT")
    assert read["continuation"]["waitingPeriod"]["months"] == 0
    held = await register_printed(system, person)
    assert (held[SHANGHAI]["scheme"], held[SHANGHAI]["personal_account_fen"]) == ("RESIDENT", BALANCE_FEN)
    moved = {("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN, ("PERSONAL_ACCOUNTS", SHANGHAI): BALANCE_FEN}
    await require_ended(system, case, booked=moved)


async def test_resident_to_employee_moves_the_years_and_no_money(
    system: System, registers: Registers, desks: Desks
) -> None:
    person = await registers.person(origin=RESIDENT | {"contribution_months": f"202301-{today().year - 1}12"})
    case = Case(system, person, desks, application={"fromScheme": "RESIDENT"})
    await case.submits()
    ended = await _carried(case)
    assert (ended["transfer"]["status"], ended["transfer"]["fundsStatus"]) == ("COMPLETED", "NOT_REQUIRED")
    held = await register_printed(system, person)
    assert held[SHANGHAI]["contribution_months"] == f"202301-{today().year - 1}12;{today():%Y%m}-{today():%Y%m}"
    await require_ended(system, case, booked={})


async def test_resident_to_resident_is_refused_in_the_same_year_and_taken_for_the_next(
    system: System, registers: Registers, desks: Desks
) -> None:
    paid = f"202301-{today():%Y%m}"
    insured = RESIDENT | active() | {"contribution_months": paid}
    earlier = RESIDENT | {"status": "STOPPED", "stopped_on": "2022-12-31", "enrolled_on": "", "contribution_months": ""}
    schemes = {"fromScheme": "RESIDENT", "toScheme": "RESIDENT"}
    bound = Case(system, await registers.person(insured, earlier), desks, application=schemes)
    refused = await bound.submit()
    assert refused["__typename"] == "NotEligible"
    assert [(each["code"], each["retryOn"]) for each in refused["findings"]] == [
        ("RESIDENT_SAME_YEAR", f"{today().year + 1}-01-01")
    ]
    person = await registers.person(insured, earlier | {"next_year_enrolled": "true"})
    case = Case(system, person, desks, application=schemes)
    assert (await case.submits())["transfer"]["status"] == "TRANSFERRING_OUT"
    ended = await _carried(case)
    assert (ended["transfer"]["status"], ended["transfer"]["fundsStatus"]) == ("COMPLETED", "NOT_REQUIRED")
    held = await register_printed(system, person)
    # O's cover ends by itself with the year: nobody stopped it.
    assert (held[BEIJING]["status"], held[BEIJING]["stopped_on"]) == ("ACTIVE", None)
    assert held[SHANGHAI]["contribution_months"] == paid
    assert (await case.read())["continuation"]["waitingPeriod"]["months"] == 0
    await require_ended(system, case, booked={})


async def test_a_resident_stopped_last_year_comes_without_the_next_years_enrolment(
    system: System, registers: Registers, desks: Desks
) -> None:
    last_year = f"{today().year - 1}-12-31"
    before = RESIDENT | stopped() | {"stopped_on": last_year, "contribution_months": f"202301-{today().year - 1}12"}
    person = await registers.person(before, RESIDENT | active())
    case = Case(system, person, desks, application={"fromScheme": "RESIDENT", "toScheme": "RESIDENT"})
    await case.submits()
    assert (await _carried(case))["transfer"]["status"] == "COMPLETED"
