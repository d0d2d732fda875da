"""The claims of an access token, typed before anything uses them (RFC 7519, RFC 9068; `cnf`: RFC 7800; `act`: RFC 8693).

A claim of another type than its own is a bad token, for whatever the issuer signs; no value of it is ever shown.
"""

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from gateway.faults import Unauthenticated
from workflows.staff_identity import canonical_identity

MAX_SUBJECT_LENGTH: Final = 255
MAX_ACTING_PERSON: Final = 64
# NumericDate: seconds since 1970, here until the end of the year 9999.
Instant = Annotated[float, Field(ge=0, lt=253_402_300_800, allow_inf_nan=False)]
_REQUIRED: Final = ("iss", "aud", "sub", "exp")


def _is_subject(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "blank")
    # Cc: control characters, which would part the lines of a log and of an identity; Cs: halves of a character.
    if any(unicodedata.category(each) in {"Cc", "Cs"} for each in value):
        raise PydanticCustomError("control_characters", "control characters")
    return value


def _names_somebody(value: str) -> str:
    if not canonical_identity(_is_subject(value)):
        raise PydanticCustomError("blank", "blank")
    return value


class ActingPerson(BaseModel):
    """Who acts for the token's subject (RFC 8693, section 4.1). Earlier actors inside it do not count."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    sub: Annotated[str, Field(max_length=MAX_ACTING_PERSON), AfterValidator(_names_somebody)]


class Confirmation(BaseModel):
    """The key that the token is bound to: whoever presents it must prove that they hold it (RFC 7800).

    `jkt`: a key's thumbprint (RFC 9449, section 6); `certificate`: a client certificate's (RFC 8705, section 3.1). A
    token with another member, or with none, is bound to what this gateway cannot check.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    jkt: Annotated[str, Field(max_length=64)] | None = None
    certificate: Annotated[str | None, Field(alias="x5t#S256", max_length=64)] = None


class Claims(BaseModel):
    """The claims that are read. Others are other services' of the same issuer."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    iss: str
    aud: list[str] | str
    sub: Annotated[str, Field(max_length=MAX_SUBJECT_LENGTH), AfterValidator(_is_subject)]
    exp: Instant
    iat: Instant | None = None
    nbf: Instant | None = None
    roles: list[str] = []
    region: Annotated[str, Field(pattern=r"\A[0-9]{6}\z")] | None = None
    resident_id: str | None = None
    jti: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    cnf: Confirmation | None = None
    act: ActingPerson | None = None

    @property
    def audiences(self) -> list[str]:
        return [self.aud] if isinstance(self.aud, str) else self.aud


def typed_claims(payload: object) -> Claims:
    """The claims of a verified token. Raises `Unauthenticated` that names the first claim that is missing or wrong."""
    if not isinstance(payload, dict):
        raise Unauthenticated("令牌内容应为 JSON 对象", "The token's payload must be a JSON object")
    for name in _REQUIRED:
        if payload.get(name) is None:
            raise Unauthenticated(f"令牌缺少 {name}", f"The token lacks {name}")
    try:
        return Claims.model_validate(payload)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        raise _wrong(str(first["loc"][0]), first["type"]) from None


# What is wrong with a claim, by its name and, where two things can be, by pydantic's name of the error.
_WRONG: Final = {
    ("sub", "blank"): ("令牌缺少 sub", "The token lacks sub"),
    ("sub", ""): (
        f"令牌的 sub 应为 1 至 {MAX_SUBJECT_LENGTH} 个字符的文本，且不含控制字符",
        f"The token's sub must be a string of 1 to {MAX_SUBJECT_LENGTH} characters without control characters",
    ),
    ("aud", ""): ("令牌的 aud 应为文本或文本列表", "The token's aud must be a string or a list of strings"),
    ("roles", "list_type"): ("令牌的 roles 应为列表", "The token's roles must be a list"),
    ("roles", ""): ("令牌的 roles 应为文本列表", "The token's roles must be a list of strings"),
    ("region", "string_pattern_mismatch"): (
        "令牌的 region 应为六位数字的统筹区代码",
        "The token's region must be a pooling region's code of six digits",
    ),
    ("jti", "string_too_short"): ("令牌的 jti 为空", "The token's jti is empty"),
    ("jti", "string_too_long"): ("令牌的 jti 超过 255 个字符", "The token's jti has more than 255 characters"),
    ("act", ""): (
        f"令牌的 act 应写明经办人：sub 为 1 至 {MAX_ACTING_PERSON} 个字符的文本",
        f"The token's act must name a person: a sub of 1 to {MAX_ACTING_PERSON} characters",
    ),
    ("cnf", ""): (
        "令牌的 cnf 不是本服务能核验的绑定（支持 jkt 与 x5t#S256）",
        "The token's cnf binds it to what cannot be checked here: only jkt and x5t#S256 can",
    ),
}


def _wrong(name: str, kind: str) -> Unauthenticated:
    if name in {"exp", "iat", "nbf"}:
        return Unauthenticated(f"令牌的 {name} 不是时间", f"The token's {name} is not a time")
    words = _WRONG.get((name, kind)) or _WRONG.get((name, ""))
    return Unauthenticated(*(words or (f"令牌的 {name} 应为文本", f"The token's {name} must be a string")))
