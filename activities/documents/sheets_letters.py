"""The sheets of what the parties of a case write to each other: contact letter, application, correction, arrears."""

from activities.documents import words
from activities.documents.amounts import yuan_figures, yuan_words
from activities.documents.content import (
    AgencyBlock,
    ApplicationContent,
    ArrearsNoticeContent,
    ContactLetterContent,
    CorrectionRequestContent,
    RegionBlock,
)
from activities.documents.parts import agency_part, person_part, sheet_for, transfer_caption
from activities.documents.sheet import Fields, Notes, Sheet, Space, narrow, wide
from workflows.law import INSTRUMENTS
from workflows.vocabulary import TransferRoute
from workflows.words import say


def contact_letter(content: ContactLetterContent) -> Sheet:
    origin, account = content.origin, content.receiving_account
    return sheet_for(
        content,
        "基本医疗保险关系转移接续联系函",
        person_part(content.person),
        Fields(
            heading="原参保地",
            pairs=(
                narrow("统筹区", _region(origin)),
                narrow("原参保险种", words.SCHEME[origin.scheme]),
            ),
        ),
        Fields(
            heading="转入地",
            pairs=(
                narrow("统筹区", _region(content.destination)),
                narrow("转入险种", words.SCHEME[content.destination.scheme]),
                wide("经办机构", content.agency.name),
                narrow("机构编码", content.agency.code),
                narrow("邮政编码", content.agency.post_code),
                wide("通信地址", content.agency.address),
                narrow("联系人", content.agency.contact),
                narrow("联系电话", content.agency.phone),
            ),
        ),
        Fields(
            heading="个人账户资金接收账户",
            pairs=(
                wide("户名（全称）", account.name),
                wide("开户银行", account.bank),
                wide("银行行号", account.bank_code),
                wide("账号", account.account),
            ),
        ),
        Notes(
            heading="办理请求",
            lines=(
                "请自收到本函之日起，在规定期限内寄送转移接续信息表，并将个人账户余额划转至上述账户；划转时请注明本函的业务流水号。",
                f"依据：{INSTRUMENTS['94号']}。",
            ),
        ),
        captions=transfer_caption(content.transfer_no),
        opening=_to(content.addressee, "下列参保人申请将基本医疗保险关系转入本统筹区，经审核符合转入条件，现予联系。"),
    )


def application(content: ApplicationContent) -> Sheet:
    contact, agent = content.contact, content.agent
    sheet = sheet_for(
        content,
        "基本医疗保险关系转移接续申请表",
        Fields(
            heading="申请",
            pairs=(
                narrow("申请人", words.APPLICANT[content.applicant]),
                narrow("申请时间", words.moment(content.applied_at)),
                narrow("转移类型", _kind(content)),
                narrow("办理方式", words.ROUTE[content.route]),
            ),
        ),
        person_part(
            content.person,
            wide("户籍地址", contact.household_address),
            wide("通信地址", contact.address),
            narrow("联系电话", contact.phone),
            narrow("邮政编码", contact.post_code),
        ),
        Fields(
            heading="转出地",
            pairs=(
                narrow("统筹区", _region(content.origin)),
                narrow("参保险种", words.SCHEME[content.origin.scheme]),
                wide("经办机构", content.origin_agency.name),
                wide("机构地址", content.origin_agency.address),
                wide("申报参保起止", words.days(content.coverage_from, content.coverage_to, open_end="今")),
                narrow("申报缴费月数", None if content.declared_months is None else f"{content.declared_months}个月"),
                narrow("参保凭证编号", content.certificate_number),
            ),
        ),
        Fields(
            heading="转入地",
            pairs=(
                narrow("统筹区", _region(content.destination)),
                narrow("参保险种", words.SCHEME[content.destination.scheme]),
                wide("经办机构", content.agency.name),
                wide("机构地址", content.agency.address),
            ),
        ),
        Fields(heading="用人单位", pairs=(wide("单位代码", "、".join(content.employer_ids)),)),
        *(
            (
                Fields(
                    heading="代办人",
                    pairs=(narrow("与参保人关系", agent.relation), narrow("姓名", agent.name)),
                ),
            )
            if agent
            else ()
        ),
        Notes(heading="申请人声明", lines=(content.consent,)),
        captions=transfer_caption(content.transfer_no),
    )
    if content.route is TransferRoute.PAPER:
        return sheet.model_copy(update={"signed_by": "申请人（签名）：", "signature": "HAND"})
    return sheet.model_copy(update={"signed_by": "申请人已在线确认", "signature": "ONLINE"})


def correction_request(content: CorrectionRequestContent) -> Sheet:
    return sheet_for(
        content,
        "基本医疗保险关系转移接续信息表纠错单",
        person_part(content.person),
        Fields(
            heading="核对请求",
            pairs=(
                narrow("纠错轮次", f"第{content.round}次"),
                narrow("信息表版本", f"第{content.disputed_version}版"),
                wide("纠错原因", say("zh-CN", f"correction.{content.reason}")),
                wide("有疑义的项目", say("zh-CN", f"correction.{content.reason}.fields")),
                wide("具体说明", content.note),
            ),
        ),
        _reply(content),
        agency_part(content.agency, "提出机构（转入地）"),
        captions=(f"第{content.round}次纠错", *transfer_caption(content.transfer_no)),
        opening=_to(content.addressee, "本机构核对贵机构出具的信息表时发现下列疑义，请核实后出具新版信息表。"),
    )


def arrears_notice(content: ArrearsNoticeContent) -> Sheet:
    return sheet_for(
        content,
        "基本医疗保险欠费提示",
        person_part(content.person),
        Fields(
            heading="欠费情况",
            pairs=(
                narrow("欠费地", _region(content.origin)),
                narrow("险种", words.SCHEME[content.origin.scheme]),
                wide("欠费期间", f"{words.month(content.first_month)} 至 {words.month(content.last_month)}"),
                wide("金额（小写）", f"¥{yuan_figures(content.amount_fen)}"),
                wide("金额（大写）", yuan_words(content.amount_fen)),
            ),
        ),
        Fields(
            heading="如何补缴",
            pairs=(
                wide("办理方式", content.how_to_pay),
                wide("办理地点", content.where_to_pay),
                wide("依据", content.legal_basis),
            ),
        ),
        agency_part(content.agency, "提示机构"),
        captions=transfer_caption(content.transfer_no),
        opening="您办理转移接续时，转出地登记有下列欠费。本提示不影响本次转移接续继续办理。",
    )


def _region(region: RegionBlock) -> str:
    return f"{region.name}（{region.code}）"


def _kind(content: ApplicationContent) -> str:
    from_scheme, to_scheme = content.origin.scheme, content.destination.scheme
    return f"{say('zh-CN', f'scheme.{from_scheme}')}转{say('zh-CN', f'scheme.{to_scheme}')}"


def _to(addressee: AgencyBlock, words_to_them: str) -> str:
    return f"{addressee.name}：\n{words_to_them}"


def _reply(content: CorrectionRequestContent) -> Fields | Space:
    if content.reply is None:
        return Space(heading="转出地答复", prompt="答复内容、经办人、日期（盖章）")
    return Fields(
        heading="转出地答复",
        pairs=(wide("答复", content.reply), wide("答复日期", words.day(content.replied_on))),
    )
