"""Content, digest and PDF of each document, read back from the file as a person or a machine would."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from activities.documents.content import (
    AgencyBlock,
    ContributionSegment,
    DocumentContent,
    EnrolmentCertificateContent,
    PersonBlock,
    canonical_bytes,
    digest,
    from_canonical_bytes,
)
from activities.documents.fonts import missing_characters
from activities.documents.render import render_pdf
from tests.activities.documents_samples import (
    ACCEPTANCE_NOTICE,
    CERTIFICATE,
    COMPLETION_NOTICE,
    CONTINUATION_STATEMENT,
    EACH_KIND,
    INFORMATION_FORM,
    ISSUED_AT,
    NUMBER,
    REFUSAL_NOTICE,
    REMITTANCE_ORDER,
    VERIFY_URL,
    lines_of,
    read_pdf,
    run_of,
)
from workflows.vocabulary import InsuranceScheme


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (CERTIFICATE, "ffdf0dfaa488555e7106eb1f33a5b9c9e121fd7607675a03d6abba65c77bd27e"),
        (INFORMATION_FORM, "832f8f980f886b896b5d97e4176e706d409a4a4d80af51b9939dc73ce05eb16f"),
        (CONTINUATION_STATEMENT, "55830aef46af02abd3bd33cc0c89c261cadcb2d008dc3e228b184cff5e822c69"),
        (REFUSAL_NOTICE, "70f0fe725ac7a7f6c9916fed7e346ecf446561d7e956838d7d33debaa2a0fddf"),
        (ACCEPTANCE_NOTICE, "79e638f3ebf8263ec99ce1714a06ea02358833423be66e28fe35e0cb9d9e69ad"),
        (REMITTANCE_ORDER, "c6405c54fa69c0a7c27b22ab23d1c5a4cb716180acdc7d2ce30a9ae081ceee32"),
        (COMPLETION_NOTICE, "7f0fc027beaebde0479020fe7552eba6329ac9015f89d207e695c4b80dc30e22"),
    ],
)
def test_the_digest_of_a_content_never_changes(content: DocumentContent, expected: str) -> None:
    assert digest(content) == expected


def test_canonical_bytes_are_sorted_keys_in_utf_8_without_white_space() -> None:
    minimal = EnrolmentCertificateContent(
        agency=AgencyBlock(code="A", name="示例机构", region="110000", region_name="北京市"),
        issued_on=ISSUED_AT.date(),
        verification_code="7K3M-0QXZ-9V2C",
        person=PersonBlock(name="王示例", resident_id="11010119900307002X"),
        scheme=InsuranceScheme.EMPLOYEE,
        coverage_from=None,
        coverage_to=None,
        actual_months=0,
        deemed_months=0,
        personal_account_fen=0,
    )
    assert (
        canonical_bytes(minimal)
        == (
            '{"actual_months":0,"agency":{"address":null,"code":"A","contact":null,"name":"示例机构","phone":null,'
            '"region":"110000","region_name":"北京市"},"benefits_from":null,"benefits_to":null,"coverage_from":null,'
            '"coverage_to":null,"deemed_months":0,"issued_on":"2026-11-22","kind":"ENROLMENT_CERTIFICATE",'
            '"person":{"household_type":null,"name":"王示例","personal_insurance_number":null,'
            '"resident_id":"11010119900307002X","sex":null},"personal_account_fen":0,"scheme":"EMPLOYEE",'
            '"transfer_no":null,"valid_until":null,"verification_code":"7K3M-0QXZ-9V2C"}'
        ).encode()
    )


@pytest.mark.parametrize("content", EACH_KIND, ids=lambda content: content.kind)
def test_a_stored_content_reads_back_as_itself(content: DocumentContent) -> None:
    assert from_canonical_bytes(canonical_bytes(content)) == content


def test_a_content_refuses_what_no_document_can_hold() -> None:
    fields = CERTIFICATE.model_dump()
    refused: tuple[dict[str, object], ...] = (
        {"personal_account_fen": -1},
        {"personal_account_fen": 2**53},
        {"personal_account_fen": 12.0},
        {"personal_account_fen": "1234"},
        {"unknown": 1},
    )
    for wrong in refused:
        with pytest.raises(ValidationError):
            EnrolmentCertificateContent.model_validate({**fields, **wrong})


def test_a_segment_counts_the_months_of_its_range() -> None:
    fields = {
        "scheme": "EMPLOYEE",
        "region_name": "北京市",
        "first_month": "2015-11",
        "last_month": "2016-02",
        "deemed": False,
    }
    assert ContributionSegment.model_validate({**fields, "months": 4}).months == 4
    with pytest.raises(ValidationError, match="2015-11 to 2016-02 is not 5 months"):
        ContributionSegment.model_validate({**fields, "months": 5})


def test_the_same_arguments_render_the_same_bytes_whatever_was_rendered_between() -> None:
    first = render_pdf(CERTIFICATE, number=NUMBER, issued_at=ISSUED_AT, qr_url=VERIFY_URL)
    render_pdf(INFORMATION_FORM, number=NUMBER, issued_at=ISSUED_AT, qr_url=VERIFY_URL)
    assert render_pdf(CERTIFICATE, number=NUMBER, issued_at=ISSUED_AT, qr_url=VERIFY_URL) == first
    assert render_pdf(CERTIFICATE, number=NUMBER, issued_at=ISSUED_AT, qr_url=VERIFY_URL + "0") != first


def test_the_file_is_dated_at_the_moment_of_issue_and_claims_the_archival_profile() -> None:
    reader = read_pdf(CERTIFICATE)
    assert reader.metadata is not None
    assert reader.metadata.title == "基本医疗保险参保凭证"
    assert reader.metadata.author == "示例北京市医疗保险经办机构"
    assert reader.metadata.creation_date == ISSUED_AT.astimezone(UTC)
    xmp = reader.xmp_metadata
    assert xmp is not None
    assert (xmp.pdfaid_part, xmp.pdfaid_conformance) == ("2", "A")


def test_an_instant_of_the_database_has_microseconds_and_is_taken() -> None:
    whole, fine = ISSUED_AT.replace(microsecond=0), ISSUED_AT.replace(microsecond=123_456)
    first = render_pdf(CERTIFICATE, number=NUMBER, issued_at=whole, qr_url=VERIFY_URL)
    assert render_pdf(CERTIFICATE, number=NUMBER, issued_at=fine, qr_url=VERIFY_URL) == first


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="issued_at must carry its offset"):
        render_pdf(CERTIFICATE, number=NUMBER, issued_at=datetime(2026, 11, 22), qr_url=VERIFY_URL)  # noqa: DTZ001


@pytest.mark.parametrize("content", EACH_KIND, ids=lambda content: content.kind)
def test_the_only_typeface_is_embedded_as_a_subset(content: DocumentContent) -> None:
    reader = read_pdf(content)
    for page in reader.pages:
        resources: Any = page["/Resources"]
        fonts = resources["/Font"]
        assert len(fonts) == 1
        for font in fonts.values():
            descendant = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = descendant["/FontDescriptor"]
            assert descriptor["/FontName"].endswith("+NotoSansCJKsc-Regular")
            assert 1_000 < len(descriptor["/FontFile3"].get_data()) < 200_000


def _certificate_for(name: str, balance_fen: int = 0) -> EnrolmentCertificateContent:
    person = PersonBlock(name=name, resident_id="11010119900307002X")
    return CERTIFICATE.model_copy(update={"person": person, "personal_account_fen": balance_fen})


@pytest.mark.parametrize(
    "name",
    [
        "㛃㛃",  # extension A
        "龚䶮",  # extension A, its last row
        "王𠅤",  # extension B, four bytes in UTF-8 and GB 18030
        "李𬱖",  # extension E, in 通用规范汉字表
        "阿卜杜热合曼·买买提吐尔逊",
        "古丽努尔·阿不力克木·麦麦提依明·吐尔逊江·买买提艾力·阿卜杜拉",
    ],
)
def test_a_name_is_printed_as_it_is_written(name: str) -> None:
    run = run_of(_certificate_for(name))
    assert f"姓名{name}证件类型" in run
    assert "字符说明" not in run


def test_a_character_without_a_glyph_is_printed_as_its_code_point_with_a_remark() -> None:
    # U+2AED0 and U+2E9F5 are in GB 18030-2022 and not in the typeface; U+0007 and U+200B have no glyph at all.
    run = run_of(_certificate_for("王\U0002aed0\U0002e9f5\a\u200b"))
    assert "王[U+2AED0][U+2E9F5][U+0007][U+200B]" in run
    assert "字符说明字库暂缺下列字符" in run
    assert "Unicode码位代替显示\uff1a[U+0007]、[U+200B]、[U+2AED0]、[U+2E9F5]。" in run


def test_the_typeface_has_every_character_of_gbk_but_one_mathematical_sign() -> None:
    characters = {chr(code) for code in range(0x80, 0x10000) if chr(code).encode("gbk", errors="ignore")}
    assert len(characters) == 21_791
    assert missing_characters("".join(characters)) == {"≒"}


def test_nothing_in_a_name_is_markup() -> None:
    name = '#panic("x")*b*$x$`c`\\n"}'
    assert name in run_of(_certificate_for(name))


@pytest.mark.parametrize(
    ("balance_fen", "figures", "in_words"),
    [
        (0, "¥0.00", "人民币零元整"),
        (2**53 - 1, "¥90,071,992,547,409.91", "人民币玖拾万零柒佰壹拾玖亿玖仟贰佰伍拾肆万柒仟肆佰零玖元玖角壹分"),
    ],
)
def test_the_balance_stands_in_figures_and_in_words(balance_fen: int, figures: str, in_words: str) -> None:
    lines = lines_of(_certificate_for("王示例", balance_fen))
    assert "余额\uff08小写\uff09" + figures in lines
    assert "余额\uff08大写\uff09" + in_words in lines


def test_a_form_of_many_segments_runs_over_pages_with_its_column_titles_on_each() -> None:
    segments = tuple(
        ContributionSegment(
            scheme=InsuranceScheme.EMPLOYEE,
            region_name="北京市",
            first_month=f"{1950 + year}-01",
            last_month=f"{1950 + year}-06",
            months=6,
            deemed=year % 2 == 0,
        )
        for year in range(70)
    )
    pages = [page.extract_text() for page in read_pdf(INFORMATION_FORM.model_copy(update={"segments": segments})).pages]
    assert len(pages) == 3
    assert [page.count("起始月份") for page in pages] == [1, 1, 1]
    text = "".join(pages).replace(" ", "")
    assert [text.count(f"{1950 + year}年6月") for year in range(70)] == [1] * 70
    assert [f"第{position}页/共3页" in page.replace(" ", "") for position, page in enumerate(pages, start=1)] == [
        True
    ] * 3
