"""What each document of the paper route and of corrections shows, line by line as a reader of the PDF meets it."""

import pytest

from activities.documents.content import DocumentContent, canonical_bytes, case_shown, digest, from_canonical_bytes
from activities.documents.sheets import sheet_of
from activities.documents.store import qr_url
from tests.activities.documents_samples import (
    APPLICATION,
    ARREARS_NOTICE,
    CERTIFICATE,
    CERTIFICATE_ON_PAPER,
    CONTACT_LETTER,
    CONTINUATION_STATEMENT,
    CORRECTION_REQUEST,
    EACH_KIND,
    INFORMATION_FORM,
    INFORMATION_FORM_ON_PAPER,
    ON_PAPER,
    REMITTANCE_ORDER,
    TRANSFER_NO,
    TRANSFER_OUT_NOTICE,
    lines_of,
    read_pdf,
)
from workflows.vocabulary import TransferRoute


def test_the_contact_letter_shows_person_agency_and_receiving_account() -> None:
    assert lines_of(CONTACT_LETTER) == [
        "基本医疗保险关系转移接续联系函",
        "编号：京2026000042业务流水号：ZY-319900-20261122-000042",
        "示例北京市医疗保险经办机构：",
        "下列参保人申请将基本医疗保险关系转入本统筹区，经审核符合转入条件，现予联系。",
        "参保人",
        "姓名王示例",
        "证件类型居民身份证证件号码11010119900307002X",
        "性别女",
        "原参保地",
        "统筹区北京市（110000）原参保险种职工基本医疗保险",
        "转入地",
        "统筹区上海市市本级（319900）转入险种职工基本医疗保险",
        "经办机构示例上海市医疗保险经办机构",
        "机构编码319900A邮政编码000042",
        "通信地址上海市示例区示例路42号",
        "联系人示例经办戊联系电话021-00000000",
        "个人账户资金接收账户",
        "户名（全称）示例上海市医疗保险基金专户",
        "开户银行示例银行上海分行",
        "银行行号999000000042",
        "账号6000000000000000042",
        "办理请求",
        "1.请自收到本函之日起，在规定期限内寄送转移接续信息表，并将个人账户余额划转至上述账户；划转时请注明",
        "本函的业务流水号。",
        "2.依据：人社厅发〔2016〕94号《流动就业人员基本医疗保险关系转移接续业务经办规程》。",
        "经办人员扫描二维码，可找到本业务并核验本文书。",
        "内容摘要（SHA-256）：",
        "56b21d45e38b9dc447277073cbd42e95",
        "490280a0558ce7c992314138cfd33b59",
        "示例上海市医疗保险经办机构",
        "电子印章（示例）",
        "2026年11月24日",
        "编号：京2026000042内容摘要（SHA-256）：56b21d45e38b9dc4第1页/共1页",
    ]


def test_the_application_shows_applicant_both_sides_and_consent_with_room_to_sign() -> None:
    assert lines_of(APPLICATION) == [
        "基本医疗保险关系转移接续申请表",
        "编号：京2026000042业务流水号：ZY-319900-20261122-000042",
        "申请",
        "申请人代办人申请时间2026年11月22日09:30",
        "转移类型职工医保转职工医保办理方式纸质办理（邮寄）",
        "参保人",
        "姓名王示例",
        "证件类型居民身份证证件号码11010119900307002X",
        "性别女",
        "户籍地址北京市示例区示例胡同1号",
        "通信地址上海市示例区示例路7号",
        "联系电话000-0000042邮政编码000042",
        "转出地",
        "统筹区北京市（110000）参保险种职工基本医疗保险",
        "经办机构示例北京市医疗保险经办机构",
        "机构地址北京市示例区示例路1号",
        "申报参保起止2015年1月1日至2026年10月31日",
        "申报缴费月数142个月参保凭证编号京2026000042",
        "转入地",
        "统筹区上海市市本级（319900）参保险种职工基本医疗保险",
        "经办机构示例上海市医疗保险经办机构",
        "机构地址—",
        "用人单位",
        "单位代码91310000EXAMPLE42X",
        "代办人",
        "与参保人关系配偶姓名李*例",
        "申请人声明",
        "示例声明：本人自愿申请，所填内容真实。",
        "经办人员扫描二维码，可找到本业务并核验本文书。",
        "内容摘要（SHA-256）：",
        "6c1828c6919a7d58e645bc676150c8a0",
        "cfbc7622ce1b7d7bc11e5d779535df30",
        "申请人（签名）：",
        "2026年11月22日",
        "编号：京2026000042内容摘要（SHA-256）：6c1828c6919a7d58第1页/共1页",
    ]


def test_the_transfer_out_notice_is_the_remittance_order_with_the_two_regions() -> None:
    assert lines_of(TRANSFER_OUT_NOTICE) == [
        "基本医疗保险关系转出通知书",
        "（个人账户划转单）",
        "编号：京2026000042业务流水号：ZY-319900-20261122-000042",
        "参保人的基本医疗保险关系现予转出，个人账户余额按下列内容划转。本通知书随转移接续信息表一并寄送，",
        "请凭划转附言号核对到账。",
        "转移接续",
        "转出地北京市（110000）转出险种职工基本医疗保险",
        "转入地上海市市本级（319900）转入险种职工基本医疗保险",
        "收款方",
        "户名示例上海市医疗保险基金专户",
        "开户银行示例银行上海分行",
        "银行行号999000000042",
        "账号6000000000000000042",
        "划转",
        "金额（小写）¥1,234.56",
        "金额（大写）人民币壹仟贰佰叁拾肆元伍角陆分",
        "划转附言号R319900202611270000421",
        "参保人王*例证件号码110101********002X",
        "批次2026-11-27第1批制单示例财务丙",
        "放行示例财务丁",
        "付款机构",
        "机构名称示例北京市医疗保险经办机构",
        "机构编码110000A统筹区北京市（110000）",
        "联系人示例经办联系电话010-00000000",
        "地址北京市示例区示例路1号",
        "经办人员扫描二维码，可找到本业务并核验本文书。",
        "内容摘要（SHA-256）：",
        "6d848373b16ec1af90582ff8a5c87c84",
        "a0e8b8f858ba745b17d016373a82d934",
        "示例北京市医疗保险经办机构",
        "电子印章（示例）",
        "2026年11月27日",
        "编号：京2026000042内容摘要（SHA-256）：6d848373b16ec1af第1页/共1页",
    ]


def test_the_correction_request_shows_what_is_disputed_with_room_for_the_answer() -> None:
    assert lines_of(CORRECTION_REQUEST) == [
        "基本医疗保险关系转移接续信息表纠错单",
        "编号：京2026000042第1次纠错业务流水号：ZY-319900-20261122-000042",
        "示例北京市医疗保险经办机构：",
        "本机构核对贵机构出具的信息表时发现下列疑义，请核实后出具新版信息表。",
        "参保人",
        "姓名王示例",
        "证件类型居民身份证证件号码11010119900307002X",
        "性别女",
        "核对请求",
        "纠错轮次第1次信息表版本第1版",
        "纠错原因缴费年限有疑义",
        "有疑义的项目缴费记录的起止月份、月数及合计",
        "具体说明2006年1月至2014年12月无缴费记录，请核实。",
        "转出地答复",
        "答复内容、经办人、日期（盖章）",
        "提出机构（转入地）",
        "机构名称示例上海市医疗保险经办机构",
        "机构编码319900A统筹区上海市市本级（319900）",
        "联系人—联系电话021-00000000",
        "地址—",
        "经办人员扫描二维码，可找到本业务并核验本文书。",
        "内容摘要（SHA-256）：",
        "c3cfe5f76c47712fba4622f5beead58a",
        "7976754cf4ec785d4dd95867bd788ffb",
        "示例上海市医疗保险经办机构",
        "电子印章（示例）",
        "2026年11月30日",
        "编号：京2026000042内容摘要（SHA-256）：c3cfe5f76c47712f第1页/共1页",
    ]


def test_the_arrears_notice_shows_period_amount_and_where_it_is_paid() -> None:
    assert lines_of(ARREARS_NOTICE) == [
        "基本医疗保险欠费提示",
        "编号：京2026000042业务流水号：ZY-319900-20261122-000042",
        "您办理转移接续时，转出地登记有下列欠费。本提示不影响本次转移接续继续办理。",
        "参保人",
        "姓名王示例",
        "证件类型居民身份证证件号码11010119900307002X",
        "性别女",
        "欠费情况",
        "欠费地北京市（110000）险种职工基本医疗保险",
        "欠费期间2026年3月至2026年4月",
        "金额（小写）¥1,860.00",
        "金额（大写）人民币壹仟捌佰陆拾元整",
        "如何补缴",
        "办理方式个人欠缴的，请到下列地点办理补缴。",
        "办理地点示例北京市医疗保险经办机构，电话010-00000000",
        "依据人社厅发〔2016〕94号",
        "提示机构",
        "机构名称示例北京市医疗保险经办机构",
        "机构编码110000A统筹区北京市（110000）",
        "联系人示例经办联系电话010-00000000",
        "地址北京市示例区示例路1号",
        "扫描二维码可核验本文书。",
        "内容摘要（SHA-256）：",
        "4e5be2a839d819b819985bf4fe3d26b1",
        "7448b9afd79cfd28f65aa25083ed687f",
        "示例北京市医疗保险经办机构",
        "电子印章（示例）",
        "2026年11月22日",
        "编号：京2026000042内容摘要（SHA-256）：4e5be2a839d819b8第1页/共1页",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (CONTACT_LETTER, "56b21d45e38b9dc447277073cbd42e95490280a0558ce7c992314138cfd33b59"),
        (APPLICATION, "6c1828c6919a7d58e645bc676150c8a0cfbc7622ce1b7d7bc11e5d779535df30"),
        (CORRECTION_REQUEST, "c3cfe5f76c47712fba4622f5beead58a7976754cf4ec785d4dd95867bd788ffb"),
        (ARREARS_NOTICE, "4e5be2a839d819b819985bf4fe3d26b17448b9afd79cfd28f65aa25083ed687f"),
        (CERTIFICATE_ON_PAPER, "e254950c8603f1d8238d4ead2be7579b9949b9e987a844773d0b2c1fc71f210e"),
        (INFORMATION_FORM_ON_PAPER, "5ab43c4fc217e758316f0307fdaea1628a77f2d450cf4a5857cb64d2e0a68d2b"),
        (TRANSFER_OUT_NOTICE, "6d848373b16ec1af90582ff8a5c87c84a0e8b8f858ba745b17d016373a82d934"),
    ],
)
def test_the_digest_of_a_content_never_changes(content: DocumentContent, expected: str) -> None:
    assert digest(content) == expected


@pytest.mark.parametrize("content", ON_PAPER, ids=lambda content: content.kind)
def test_a_stored_content_of_the_paper_route_reads_back_as_itself(content: DocumentContent) -> None:
    assert from_canonical_bytes(canonical_bytes(content)) == content


def test_a_field_that_came_later_is_spelt_only_where_it_says_something() -> None:
    later = ("route", "post_code", "payee_bank_code", "origin", "destination")
    order, notice = canonical_bytes(REMITTANCE_ORDER).decode(), canonical_bytes(TRANSFER_OUT_NOTICE).decode()
    assert [name for name in later if f'"{name}"' in order] == []
    assert [name for name in later if f'"{name}"' in notice] == ["route", "payee_bank_code", "origin", "destination"]
    assert '"version"' not in canonical_bytes(CONTINUATION_STATEMENT).decode()
    assert '"version":2' in canonical_bytes(CONTINUATION_STATEMENT.model_copy(update={"version": 2})).decode()


def test_the_certificate_on_paper_is_three_copies_that_differ_in_their_name_alone() -> None:
    pages = [page.extract_text().replace(" ", "").splitlines() for page in read_pdf(CERTIFICATE_ON_PAPER).pages]
    assert [page[0] for page in pages] == [
        "第一联\u3000转移联（交转入地经办机构）",
        "第二联\u3000存档联（转出地经办机构留存）",
        "第三联\u3000参保人联（参保人留存）",
    ]
    assert pages[0][1:-1] == pages[1][1:-1] == pages[2][1:-1]
    assert [page[-1][-7:] for page in pages] == ["第1页/共3页", "第2页/共3页", "第3页/共3页"]
    assert {"2.遗失可补办，补办后原凭证作废。", "3.本凭证有效期至2027年2月22日。"} <= set(pages[2])
    assert len(read_pdf(CERTIFICATE).pages) == 1


def test_a_certificate_of_a_region_without_a_last_day_names_none() -> None:
    lines = lines_of(CERTIFICATE.model_copy(update={"valid_until": None}))
    assert "3.扫描二维码或凭编号与验证码可核验本凭证的真伪。" in lines
    assert not [line for line in lines if "有效期" in line]


@pytest.mark.parametrize("content", [INFORMATION_FORM, CONTINUATION_STATEMENT], ids=lambda content: content.kind)
def test_a_later_version_says_what_it_supersedes_and_the_first_says_nothing(content: DocumentContent) -> None:
    assert sheet_of(content).opening is None
    second, fourth = (content.model_copy(update={"version": version}) for version in (2, 4))
    assert "本文书为第2版，取代第1版；原第1版作废，请以本版为准。" in lines_of(second)
    assert "本文书为第4版，取代第3版；原第1版至第3版均作废，请以本版为准。" in lines_of(fourth)
    assert "版本：第2版" in sheet_of(second).captions


def test_the_answer_to_a_correction_takes_the_place_of_the_room_for_it() -> None:
    answered = CORRECTION_REQUEST.model_copy(
        update={"reply": "经核实，补录2006年1月至2014年12月。", "replied_on": ARREARS_NOTICE.issued_on}
    )
    lines = lines_of(answered)
    start = lines.index("转出地答复")
    assert lines[start + 1 : start + 3] == ["答复经核实，补录2006年1月至2014年12月。", "答复日期2026年11月22日"]
    assert "答复内容、经办人、日期（盖章）" not in lines


def test_an_application_made_online_is_confirmed_there_and_not_signed() -> None:
    online = APPLICATION.model_copy(
        update={"route": TransferRoute.PLATFORM, "applicant": "PERSON", "agent": None, "certificate_number": None}
    )
    lines = lines_of(online)
    assert "申请人已在线确认" in lines
    assert "转移类型职工医保转职工医保办理方式平台办理（两地均已接入）" in lines
    assert not {"申请人（签名）：", "代办人", "电子印章（示例）"} & set(lines)


@pytest.mark.parametrize("content", ON_PAPER, ids=lambda content: content.kind)
def test_the_code_of_a_posted_document_leads_to_its_case(content: DocumentContent) -> None:
    assert case_shown(content) == TRANSFER_NO
    assert qr_url(content, public_url="https://y.example", number="京1", verification_code="7K3M-0QXZ-9V2C") == (
        f"https://y.example/case/{TRANSFER_NO}?number=%E4%BA%AC1&code=7K3M-0QXZ-9V2C"
    )
    assert sheet_of(content).scan == "经办人员扫描二维码，可找到本业务并核验本文书。"


def test_the_code_of_every_other_document_leads_to_its_verification() -> None:
    others = [content for content in EACH_KIND if content not in ON_PAPER]
    assert len(others) == 8
    for content in others:
        assert qr_url(content, public_url="https://y.example", number="1", verification_code="7K3M-0QXZ-9V2C") == (
            "https://y.example/verify?number=1&code=7K3M-0QXZ-9V2C"
        )
        assert sheet_of(content).scan == "扫描二维码可核验本文书。"


@pytest.mark.parametrize("rows", range(3, 9))
def test_the_seal_never_stands_alone_on_a_page(rows: int) -> None:
    form = INFORMATION_FORM.model_copy(update={"segments": INFORMATION_FORM.segments[:1] * rows})
    last = read_pdf(form).pages[-1].extract_text().replace(" ", "")
    assert {"经办示例经办甲复核示例复核乙", "电子印章（示例）"} <= set(last.splitlines())
