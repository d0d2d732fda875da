"""Every word is there in both languages, needs the same figures in both, and says the figures that it is given."""

import re
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from workflows import events, vocabulary
from workflows.actors import ActorKind
from workflows.findings import Finding
from workflows.identity import resident_id_fault
from workflows.law import INSTRUMENTS
from workflows.vocabulary import RefusalClass, RefusalCode, ReturnReason, Side
from workflows.words import WORDS, Language, day, knows, month, placeholders, say, yuan
from workflows.words.findings import finding_words

LANGUAGES: list[Language] = ["zh-CN", "en"]


class Region(NamedTuple):
    name: str
    agency_name: str
    service_phone: str | None


REGIONS = {
    "110000": Region("北京市", "北京市医疗保障事务中心", "010-12393001"),
    "319900": Region("上海市本级", "上海中心", None),
}
# What the pre-check says with each code, as workflows/eligibility.py does.
Figures = dict[str, str | int]
FIGURES: dict[RefusalCode, Figures] = {
    RefusalCode.ARREARS_OUTSTANDING: {"arrears_fen": 123_456, "first_month": "2021-01", "last_month": "2021-03"},
    RefusalCode.CURRENT_MONTH_UNPAID: {"month": "2026-03"},
    RefusalCode.DOUBLE_INSURED: {"held": "RESIDENT"},
    RefusalCode.SCHEME_MISMATCH: {"held": "RESIDENT"},
    RefusalCode.OVERLAPPING_MONTHS: {"months": 2, "first_month": "2025-11", "last_month": "2025-12"},
    RefusalCode.TRANSFER_IN_PROGRESS: {"transfer_no": "ZY-319900-20260302-000001"},
    RefusalCode.ALREADY_TRANSFERRED: {"transfer_no": "ZY-319900-20260302-000001"},
    RefusalCode.RESIDENT_ID_INVALID: {"fault": "CHECK_DIGIT"},
    RefusalCode.NO_RECORD_AT_ORIGIN: {"candidates": "319900,999999"},
    RefusalCode.CERTIFICATE_INVALID: {"certificate_fault": "VOID"},
}


def finding(code: RefusalCode, figures: Figures | None = None, *, region: str | None = "110000") -> Finding:
    return Finding(
        code=code,
        cls=RefusalClass.BLOCKS,
        side=Side.TRANSFER_OUT,
        region=region,
        basis="43号",
        figures=figures or {},
        retry_on=date(2026, 3, 3),
    )


def test_both_languages_have_the_same_keys_and_ask_for_the_same_figures() -> None:
    zh, en = WORDS["zh-CN"], WORDS["en"]
    assert zh.keys() == en.keys()
    differing = [key for key in zh if placeholders("zh-CN", key) != placeholders("en", key)]
    assert differing == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_refusal_says_what_is_wrong_how_it_is_mended_and_where(code: RefusalCode, language: Language) -> None:
    figures = FIGURES.get(code, {})
    words = finding_words(finding(code, figures), REGIONS, language)
    assert all(words)
    assert not any("{" in each for each in words)
    assert words.message != say(language, f"refusal.{code}.plain") or not placeholders(language, f"refusal.{code}")


@pytest.mark.parametrize("code", list(RefusalCode))
def test_an_agencys_own_reason_without_figures_or_region_is_said_plainly(code: RefusalCode) -> None:
    words = finding_words(finding(code, region=None), {})
    assert all(words)
    assert not any("{" in each for each in words)


def test_arrears_are_said_with_period_amount_agency_and_phone() -> None:
    words = finding_words(finding(RefusalCode.ARREARS_OUTSTANDING, FIGURES[RefusalCode.ARREARS_OUTSTANDING]), REGIONS)
    assert words == (
        "您在北京市有欠费：2021年1月至2021年3月，共1,234.56元。",
        "补缴后对应月份计入缴费年限；单位欠缴的，请联系原单位补缴。",
        "北京市医疗保障事务中心，电话010-12393001",
    )


def test_candidates_are_named_and_an_unknown_region_stays_a_code() -> None:
    said = finding_words(finding(RefusalCode.NO_RECORD_AT_ORIGIN, {"candidates": "319900,999999"}), REGIONS, "en")
    assert said.message == "No enrolment of yours was found in 北京市; you are known in: 上海市本级, 999999."
    none = finding_words(finding(RefusalCode.NO_RECORD_AT_ORIGIN, {"candidates": ""}), REGIONS, "en")
    assert none.message == "No enrolment of yours was found in 北京市."


def test_an_agency_without_a_phone_is_not_given_one() -> None:
    said = finding_words(finding(RefusalCode.CURRENT_MONTH_UNPAID, {"month": "2026-03"}, region="319900"), REGIONS)
    assert said.message == "上海市本级尚未收到您2026年3月的医保费。"
    assert said.where == "上海中心，电话见该机构官方网站"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_closed_list_that_is_shown_has_its_words(language: Language) -> None:
    keys = [
        *(f"step.{each}" for each in vocabulary.TransferStepKind),
        *(f"scheme.{each}" for each in vocabulary.InsuranceScheme),
        *(f"actor.{each}" for each in ActorKind),
        *(f"event.withdrawn.{each}" for each in (ActorKind.PERSON, ActorKind.AGENT, ActorKind.EMPLOYER)),
        *(f"event.submitted.{each}" for each in (ActorKind.AGENT, ActorKind.EMPLOYER, ActorKind.AGENCY)),
        *(f"headline.{each}" for each in vocabulary.TransferStatus),
        *(f"money.{each}" for each in vocabulary.FundsStatus),
        *(f"returned.{each}" for each in ReturnReason),
        *(f"bank_return.{each}{part}" for each in vocabulary.BankReturnReason for part in ("", ".fix")),
        *(f"correction.{each}{part}" for each in vocabulary.CorrectionReason for part in ("", ".fields")),
        *(f"event.{name}" for name in event_names()),
        *(f"basis.{each}" for each in INSTRUMENTS if each.startswith("platform")),
    ]
    assert [key for key in keys if not knows(language, key)] == []


def event_names() -> list[str]:
    return [
        fact.model_fields["type"].default.partition(".")[0]
        for fact in vars(events).values()
        if isinstance(fact, type) and issubclass(fact, events.Fact) and "type" in fact.model_fields
    ]


def test_the_events_were_found() -> None:
    union = events.AnyFact.__origin__.__args__  # type: ignore[attr-defined] # the union behind the annotation
    assert sorted(event_names()) == sorted(fact.model_fields["type"].default.partition(".")[0] for fact in union)


def test_every_reason_and_violation_that_the_rules_can_give_has_its_words() -> None:
    source = "".join(file.read_text("utf-8") for file in Path(events.__file__).parent.glob("*.py"))
    whys = set(re.findall(r'NotAllowed\(why="([A-Z_]+)"', source)) | set(
        re.findall(r'"(ALREADY_DONE|NOT_YET)"', source)
    )
    codes = set(re.findall(r'invalid\("?\w+"?, "([A-Z_]+)"', source))
    codes |= set(re.findall(r'code="([A-Z_]+)"', source)) | set(re.findall(r'"(MONTHS_[A-Z_]+)"', source))
    assert whys == {"WRONG_ROLE", "WRONG_SIDE", "CLOSED", "ALREADY_DONE", "NOT_YET", "SAME_PERSON", "PERSON_ONLY"} | {
        "NOT_THE_SUBMITTER"
    }
    assert len(codes) >= 8
    assert [each for each in whys if not knows("en", f"not_allowed.{each}")] == []
    assert [each for each in codes if not knows("en", f"violation.{each}")] == []


@pytest.mark.parametrize(
    "number",
    [
        "",
        "110101900307123",
        "１１０１０１１９９００３０７１２３３",
        "11010519491231002x",
        "11010119900307123A",
        "110101199002301234",
        "110101199003071234",
    ],
)
def test_every_fault_of_a_number_has_its_words(number: str) -> None:
    fault = resident_id_fault(number)
    assert fault is not None
    assert knows("zh-CN", f"fault.{fault}")


def test_dates_months_and_amounts_are_written_as_people_write_them() -> None:
    assert (day("zh-CN", date(2026, 12, 4)), day("en", date(2026, 12, 4))) == ("2026年12月4日", "4 December 2026")
    assert (month("zh-CN", "2015-01"), month("en", "2015-01")) == ("2015年1月", "January 2015")
    assert [yuan(fen) for fen in (0, 5, 420_000, 123_456_789)] == ["0.00", "0.05", "4,200.00", "1,234,567.89"]


def test_words_that_do_not_exist_and_figures_that_are_missing_are_errors() -> None:
    with pytest.raises(KeyError):
        say("zh-CN", "headline.NOWHERE")
    with pytest.raises(KeyError):
        say("zh-CN", "money.CREDITED")
