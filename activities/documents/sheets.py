"""From content to sheet: which fields each document shows, in what order and under which Chinese names."""

from collections.abc import Iterator

from activities.documents import sheets_letters, words
from activities.documents.amounts import yuan_figures, yuan_words
from activities.documents.content import (
    AcceptanceNoticeContent,
    ApplicationContent,
    ArrearsNoticeContent,
    CompletionNoticeContent,
    ContactLetterContent,
    ContinuationStatementContent,
    CorrectionRequestContent,
    DocumentContent,
    EnrolmentCertificateContent,
    InformationFormContent,
    RefusalNoticeContent,
    RemittanceOrderContent,
)
from activities.documents.parts import agency_part, person_part, route_part, sheet_for, superseding, transfer_caption
from activities.documents.sheet import Fields, Notes, Sheet, Table, narrow, wide
from workflows.vocabulary import TransferRoute

PAPER_NOTICE = "参保人的基本医疗保险关系现予转出，个人账户余额按下列内容划转。本通知书随转移接续信息表一并寄送，请凭划转附言号核对到账。"


def sheet_of(content: DocumentContent) -> Sheet:  # noqa: C901, PLR0911 - one return for each kind
    """The sheet of any document."""
    match content:
        case EnrolmentCertificateContent():
            return _enrolment_certificate(content)
        case InformationFormContent():
            return _information_form(content)
        case ContinuationStatementContent():
            return _continuation_statement(content)
        case RefusalNoticeContent():
            return _refusal_notice(content)
        case AcceptanceNoticeContent():
            return _acceptance_notice(content)
        case RemittanceOrderContent():
            return _remittance_order(content)
        case CompletionNoticeContent():
            return _completion_notice(content)
        case ContactLetterContent():
            return sheets_letters.contact_letter(content)
        case ApplicationContent():
            return sheets_letters.application(content)
        case CorrectionRequestContent():
            return sheets_letters.correction_request(content)
        case ArrearsNoticeContent():
            return sheets_letters.arrears_notice(content)


def _enrolment_certificate(content: EnrolmentCertificateContent) -> Sheet:
    validity = f"本凭证有效期至{words.day(content.valid_until)}。" if content.valid_until else None
    notes = (
        "本凭证证明参保人在上述统筹区的基本医疗保险参保情况，供办理关系转移接续使用。",
        "遗失可补办，补办后原凭证作废。",
        validity,
        "扫描二维码或凭编号与验证码可核验本凭证的真伪。",
    )
    return sheet_for(
        content,
        "基本医疗保险参保凭证",
        person_part(content.person),
        Fields(
            heading="参保情况",
            pairs=(
                narrow("统筹区", f"{content.agency.region_name}（{content.agency.region}）"),
                narrow("险种", words.SCHEME[content.scheme]),
                wide("参保起止", words.days(content.coverage_from, content.coverage_to, open_end="今")),
                wide("待遇起止", words.days(content.benefits_from, content.benefits_to, open_end="今")),
                narrow("实际缴费月数", f"{content.actual_months}个月"),
                narrow("视同缴费月数", f"{content.deemed_months}个月"),
            ),
        ),
        _balance(content.personal_account_fen),
        agency_part(content.agency, "开具机构"),
        Notes(heading="说明", lines=tuple(note for note in notes if note)),
        captions=(f"验证码：{content.verification_code}", *transfer_caption(content.transfer_no)),
        copies=words.COPIES if content.route is TransferRoute.PAPER else (),
    )


def _balance(amount_fen: int, *more: tuple[str, str, bool], heading: str = "个人账户") -> Fields:
    return Fields(
        heading=heading,
        pairs=(
            wide("余额（小写）", f"¥{yuan_figures(amount_fen)}"),
            wide("余额（大写）", yuan_words(amount_fen)),
            *more,
        ),
    )


def _moved(amount_fen: int) -> str:
    """What went into the account; a balance of zero had nowhere to go."""
    return words.money(amount_fen) if amount_fen else words.DISPOSITION["NOT_REQUIRED"]


def _information_form(content: InformationFormContent) -> Sheet:
    segments = Table(
        heading="缴费记录（每段连续缴费一行）",
        columns=("险种", "统筹区", "起始月份", "终止月份", "月数", "性质", "缴费类别", "备注"),
        widths=(3, 6, 4, 4, 2, 2, 3, 4),
        rows=tuple(
            (
                "职工医保" if segment.scheme == "EMPLOYEE" else "居民医保",
                segment.region_name + (f"\n{segment.agency_name}" if segment.agency_name else ""),
                words.month(segment.first_month),
                words.month(segment.last_month),
                str(segment.months),
                "视同" if segment.deemed else "实际",
                segment.payment_kind or "—",
                segment.remark or "—",
            )
            for segment in content.segments
        ),
    )
    totals = Fields(
        heading="合计",
        pairs=(
            narrow("实际缴费月数", f"{content.actual_months}个月"),
            narrow("视同缴费月数", f"{content.deemed_months}个月"),
            narrow("合计月数", f"{content.total_months}个月"),
            narrow("首次参保日期", words.day(content.first_enrolled_on)),
            narrow("停保日期", words.day(content.stopped_on)),
            narrow("待遇起止", words.days(content.benefits_from, content.benefits_to, open_end="今")),
        ),
    )
    account = _balance(
        content.personal_account_fen,
        narrow("建账年月", words.month(content.personal_account_opened_in)),
        narrow("余额处理", words.DISPOSITION[content.disposition]),
    )
    made = Fields(
        heading="办理",
        pairs=(narrow("经办", content.made_by), narrow("复核", content.checked_by), wide("备注", content.note)),
    )
    return sheet_for(
        content,
        "基本医疗保险关系转移接续信息表",
        person_part(content.person),
        agency_part(content.agency, "转出地经办机构"),
        Fields(
            heading="转入地",
            pairs=(
                narrow("统筹区", f"{content.destination.name}（{content.destination.code}）"),
                narrow("险种", words.SCHEME[content.destination.scheme]),
            ),
        ),
        segments,
        totals,
        account,
        made,
        captions=(f"版本：第{content.version}版", *transfer_caption(content.transfer_no)),
        opening=superseding(content.version),
    )


def _continuation_statement(content: ContinuationStatementContent) -> Sheet:
    months = Fields(
        heading="缴费年限",
        pairs=(
            narrow("实际缴费月数", f"{content.actual_months}个月"),
            narrow("视同缴费月数", f"{content.deemed_months}个月"),
            narrow("合计月数", f"{content.total_months}个月"),
            narrow("重复缴费月数", f"{sum(overlap.months for overlap in content.overlaps)}个月"),
        ),
    )
    overlaps = Table(
        heading="重复缴费月份（只计算一次）",
        columns=("起始月份", "终止月份", "月数"),
        widths=(4, 4, 2),
        rows=tuple(
            (words.month(overlap.first_month), words.month(overlap.last_month), str(overlap.months))
            for overlap in content.overlaps
        ),
    )
    waiting = Fields(
        heading="待遇等待期",
        pairs=(
            narrow("中断月数", f"{content.gap_months}个月"),
            narrow("等待期", f"{content.waiting_months}个月" if content.waiting_months else "无"),
            *_wait(content),
            wide("适用规则", content.waiting_rule),
            wide("依据", content.waiting_basis),
        ),
    )
    account = Fields(
        heading="个人账户",
        pairs=(
            wide("计入金额", "尚未到账" if content.credited_fen is None else _moved(content.credited_fen)),
            wide("计入日期", words.day(content.credited_on)),
        ),
    )
    return sheet_for(
        content,
        "基本医疗保险关系接续说明",
        person_part(content.person),
        route_part(content.origin, content.destination),
        months,
        *((overlaps,) if content.overlaps else ()),
        waiting,
        account,
        Notes(heading="需到窗口办理的事项", lines=content.at_the_window or ("无需到窗口办理任何手续。",)),
        agency_part(content.agency, "转入地经办机构"),
        captions=(
            *((f"版本：第{content.version}版",) if content.version > 1 else ()),
            *transfer_caption(content.transfer_no),
        ),
        opening=superseding(content.version),
    )


def _wait(content: ContinuationStatementContent) -> Iterator[tuple[str, str, bool]]:
    if content.waiting_months:
        yield wide("等待期起止", words.days(content.waiting_from, content.waiting_to))
        if content.waiting_ratio_percent is not None:
            yield wide("等待期报销比例", f"{content.waiting_ratio_percent}%")


def _refusal_notice(content: RefusalNoticeContent) -> Sheet:
    reasons = tuple(
        Fields(
            heading=f"原因{position}（{words.SIDE[reason.side]}）",
            pairs=(
                wide("不予受理原因", reason.message),
                wide("如何解决", reason.fix),
                wide("办理地点", reason.where),
                wide("依据", reason.legal_basis),
                *((wide("可再次申请日期", words.day(reason.retry_on)),) if reason.retry_on else ()),
            ),
        )
        for position, reason in enumerate(content.reasons, start=1)
    )
    return sheet_for(
        content,
        "基本医疗保险关系转移接续\n不予受理告知书",
        person_part(content.person),
        route_part(content.origin, content.destination),
        *reasons,
        *((Notes(heading="经办机构说明", lines=(content.note,)),) if content.note else ()),
        Notes(heading="进度查询与咨询", lines=(content.how_to_follow,)),
        agency_part(content.agency, "告知机构"),
        captions=transfer_caption(content.transfer_no),
        opening=f"经核对，您的申请暂不符合受理条件，共{len(content.reasons)}项原因。请按下列办法处理后再次申请。",
    )


def _acceptance_notice(content: AcceptanceNoticeContent) -> Sheet:
    deadlines = Table(
        heading="办理时限",
        columns=("环节", "办理机构", "工作日", "截止日期", "依据"),
        widths=(4, 6, 2, 4, 5),
        rows=tuple(
            (
                line.step,
                line.agency_name,
                str(line.working_days),
                words.day(line.due_on) + ("\n（暂定）" if line.provisional else ""),
                line.legal_basis,
            )
            for line in content.deadlines
        ),
    )
    return sheet_for(
        content,
        "基本医疗保险关系转移接续\n受理告知书",
        person_part(content.person),
        route_part(content.origin, content.destination),
        deadlines,
        Notes(heading="进度查询与咨询", lines=(content.how_to_follow,)),
        agency_part(content.agency, "告知机构"),
        captions=transfer_caption(content.transfer_no),
        opening="您的申请已受理，办理时限如下。",
    )


def _remittance_order(content: RemittanceOrderContent) -> Sheet:
    on_paper = content.route is TransferRoute.PAPER
    return sheet_for(
        content,
        "基本医疗保险关系转出通知书\n（个人账户划转单）" if on_paper else "基本医疗保险个人账户划转单",
        *((route_part(content.origin, content.destination),) if content.origin and content.destination else ()),
        Fields(
            heading="收款方",
            pairs=(
                wide("户名", content.payee_name),
                wide("开户银行", content.payee_bank),
                *((wide("银行行号", content.payee_bank_code),) if content.payee_bank_code else ()),
                wide("账号", content.payee_account),
            ),
        ),
        Fields(
            heading="划转",
            pairs=(
                wide("金额（小写）", f"¥{yuan_figures(content.amount_fen)}"),
                wide("金额（大写）", yuan_words(content.amount_fen)),
                wide("划转附言号", content.reference),
                narrow("参保人", content.person.name),
                narrow("证件号码", content.person.resident_id),
                narrow("批次", content.batch),
                narrow("制单", content.ordered_by),
                narrow("放行", content.released_by),
            ),
        ),
        agency_part(content.agency, "付款机构"),
        captions=transfer_caption(content.transfer_no),
        opening=PAPER_NOTICE if on_paper else None,
    )


def _completion_notice(content: CompletionNoticeContent) -> Sheet:
    return sheet_for(
        content,
        "基本医疗保险关系转移接续办结通知",
        person_part(content.person),
        route_part(content.origin, content.destination),
        Fields(
            heading="办结",
            pairs=(
                narrow("办结日期", words.day(content.completed_on)),
                *(narrow(f"{used.party}用时", f"{used.working_days}个工作日") for used in content.days_used),
                wide("个人账户", _moved(content.amount_fen)),
            ),
        ),
        Table(
            heading="办理过程",
            columns=("环节", "办理机构", "完成日期"),
            widths=(5, 6, 4),
            rows=tuple((line.step, line.agency_name, words.day(line.done_on)) for line in content.steps),
        ),
        *(
            (
                Table(
                    heading="相关文书",
                    columns=("文书", "编号"),
                    widths=(5, 6),
                    rows=tuple((issued.title, issued.number) for issued in content.documents),
                ),
            )
            if content.documents
            else ()
        ),
        agency_part(content.agency, "经办机构"),
        captions=(f"验证码：{content.verification_code}", *transfer_caption(content.transfer_no)),
    )
