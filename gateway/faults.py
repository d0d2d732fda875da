"""Top-level errors: what a caller cannot act on with another input. Everything else is data, a member of a union."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

Language = Literal["zh-CN", "en"]


class Fault(Exception):  # noqa: N818 - its subclasses are named as the contract's codes are
    """Becomes one entry of `errors` with `extensions.code`; raise it anywhere below a resolver.

    `zh` and `en` are what the caller reads and hold no personal data. `http_status` is the answer's status when the
    media type is `application/graphql-response+json` and there is no data.
    """

    code: ClassVar[str]
    http_status: ClassVar[int]

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en

    def message(self, language: Language) -> str:
        return self.en if language == "en" else self.zh

    def extensions(self) -> Mapping[str, Any]:
        return {"code": self.code}


class Unauthenticated(Fault):
    """No token where one is needed, or a token that is not good.

    `challenge` is the value of `WWW-Authenticate` (RFC 6750, section 3; RFC 9449, section 7.1).
    """

    code = "UNAUTHENTICATED"
    http_status = 401

    def __init__(
        self,
        zh: str = "请先登录：此操作需要访问令牌",
        en: str = "This needs a bearer token",
        *,
        challenge: str = 'Bearer error="invalid_token"',
    ) -> None:
        super().__init__(zh, en)
        self.challenge = challenge


class Forbidden(Fault):
    """The caller's roles do not include one that the field requires."""

    code = "FORBIDDEN"
    http_status = 403

    def __init__(self, zh: str = "您的角色无权进行此操作", en: str = "Your roles do not allow this") -> None:
        super().__init__(zh, en)


class Unavailable(Fault):
    """PostgreSQL, or all that could carry the request out, is out of reach; nothing was recorded."""

    code = "UNAVAILABLE"
    http_status = 503

    def __init__(
        self,
        zh: str = "服务暂时不可用，未作任何记录，请稍后重试",
        en: str = "Temporarily unavailable; nothing was recorded, try again",
        *,
        retry_after_seconds: int = 5,
    ) -> None:
        super().__init__(zh, en)
        self.retry_after_seconds = retry_after_seconds

    def extensions(self) -> Mapping[str, Any]:
        return {"code": self.code, "retryAfterSeconds": self.retry_after_seconds}


class TooManyRequests(Unavailable):
    """The caller's budget is used up (gateway/budgets.py). Answered with 429 and `Retry-After`, whatever the media type."""

    http_status = 429

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            f"请求过于频繁，未作任何记录，请在 {retry_after_seconds} 秒后重试",
            f"Too many requests; nothing was recorded, try again in {retry_after_seconds} s",
            retry_after_seconds=retry_after_seconds,
        )


class TooManyNewDocuments(Unavailable):
    """Validating documents that were never seen before has used up the caller's share of the processor, or that of all."""

    http_status = 429

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            "新的查询文档过多，请稍后重试，或使用变量复用同一文档",
            "Too many new documents; try again later, and use variables to send the same document again",
            retry_after_seconds=retry_after_seconds,
        )


class Refused(Fault):
    """The request itself is wrong: its form, its GraphQL, its variables, or its size."""

    code = "VALIDATION_FAILED"
    http_status = 400
