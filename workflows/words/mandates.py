"""The words of mandates that a window enters: why they do not start, and what is wrong with their fields."""

from typing import Final

EN: Final[dict[str, str]] = {
    "mandate.OTHER_AGENCY": "Another agency's window entered this mandate: a second person of that agency approves it.",
    "mandate.ENDED": "This mandate has ended already: if it is still wanted, it must be given again.",
    "mandate.NOT_AWAITING_APPROVAL": "This mandate does not wait for an approval: look at its state and at when it starts.",
    "mandate.SAME_PERSON": "You entered this mandate: another person of your agency must check the signed paper and approve it.",
    "mandate.ENDS_BEFORE_START": "This mandate would end before it could start: enter a new one with a later last day, or have the person confirm it on this platform.",
    "mandate.ALREADY_STARTED": "This mandate has started already: there is nothing to confirm.",
    "violation.PAPER_REFERENCE_REQUIRED": "Give the reference of the paper that the person has signed.",
    "violation.PERSONAL_NUMBER_IN_REFERENCE": "It contains an identity number, and references are not sealed: give the reference under which your agency keeps the paper.",
    "violation.ONLY_AT_A_WINDOW": "Leave it out: only an agency's window gives the reference of a signed paper.",
    "violation.BEFORE_THE_START": "Must not be before {earliest}: a mandate entered at a window starts a day after its approval.",
}
ZH: Final[dict[str, str]] = {
    "mandate.OTHER_AGENCY": "这份授权由其他经办机构窗口录入，请由该机构的另一名工作人员复核。",
    "mandate.ENDED": "这份授权已经终止，如仍需要，请重新授权。",
    "mandate.NOT_AWAITING_APPROVAL": "这份授权不在待复核状态，请查看其状态和生效时间。",
    "mandate.SAME_PERSON": "这份授权由您录入，请由本机构另一名工作人员核对签字材料后复核。",
    "mandate.ENDS_BEFORE_START": "这份授权在生效之前就已到期：请重新录入并填写更晚的截止日期，或请本人在平台确认。",
    "mandate.ALREADY_STARTED": "这份授权已经生效，无需确认。",
    "violation.PAPER_REFERENCE_REQUIRED": "请填写本人签字的书面授权的编号。",
    "violation.PERSONAL_NUMBER_IN_REFERENCE": "含有身份证号码，而编号不加密保存：请填写本机构保存该书面授权的编号。",
    "violation.ONLY_AT_A_WINDOW": "请勿填写：只有经办机构窗口填写书面授权的编号。",
    "violation.BEFORE_THE_START": "不能早于{earliest}：窗口录入的授权自复核通过一日后生效。",
}
