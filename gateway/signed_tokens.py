"""Signed tokens in compact form (RFC 7515): their header, the check of their signature, and a key's thumbprint.

The signature itself is PyJWT's business. JSON is read strictly (RFC 8259): neither NaN nor Infinity, no number beyond a
double, no lone surrogate, UTF-8 only, at most 1024 levels. What Python's own reader would let through never gets further.
"""

import base64
import binascii
import hashlib
from typing import Annotated, Any, Final

import jwt
import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gateway.faults import Unauthenticated

MAX_TOKEN_LENGTH: Final = 8192
ALGORITHMS: Final = frozenset({"EdDSA", "ES256", "RS256"})
# RFC 7638, section 3.2, and RFC 8037, section 2: what makes a key, and nothing else.
_THUMBPRINT_MEMBERS: Final = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
_JWS: Final = jwt.PyJWS(options={"verify_signature": True, "enforce_minimum_key_length": True})


class InvalidTokenFormError(Exception):
    """A token, or a proof, that cannot be read. `zh` and `en` say what is wrong with it and hold none of its values."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


def _media_type(value: object) -> object:
    """Types are media types: without regard to case, and "application/" may be left out (RFC 7515, section 4.1.9)."""
    return value.lower().removeprefix("application/") if isinstance(value, str) else value


class TokenHeader(BaseModel):
    """The header's parameters that are read. `jwk` is a proof's own key; nobody takes an access token's key from it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    alg: str
    kid: str | None = None
    typ: Annotated[str | None, BeforeValidator(_media_type)] = None
    crit: Annotated[None, Field(description="extensions that must be understood: there are none")] = None
    jwk: dict[str, Any] | None = None


def read_header(token: str) -> TokenHeader:
    """The header of a token, not verified yet, with an allowed algorithm. Raises `InvalidTokenFormError`."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidTokenFormError("令牌过长", "The token is too long")
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise _not_a_jwt()
    try:
        read = read_json(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (binascii.Error, ValueError):
        raise _not_a_jwt() from None
    if not isinstance(read, dict):
        raise _not_a_jwt()
    try:
        header = TokenHeader.model_validate(read)
    except ValidationError as invalid:
        raise _wrong_parameter(str(invalid.errors()[0]["loc"][0]), read) from None
    if header.alg not in ALGORITHMS:
        shown = header.alg[:20] if header.alg.isprintable() else "?"
        raise InvalidTokenFormError(
            f"令牌未按允许的算法签名：{shown}", f"The token is not signed with an allowed algorithm: {shown}"
        )
    return header


def signed_payload(token: str, key: jwt.PyJWK) -> Any:
    """The JSON that `key` has signed. Raises `InvalidTokenFormError` for another signature and for what is not JSON."""
    try:
        payload = _JWS.decode(token, key, algorithms=[key.algorithm_name])
    except jwt.InvalidSignatureError:
        raise InvalidTokenFormError("令牌签名无效", "The token's signature is not valid") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise InvalidTokenFormError("令牌无效", "The token is malformed") from None
    try:
        return read_json(payload)
    except ValueError:
        raise InvalidTokenFormError(
            "令牌内容不是有效的 JSON（RFC 8259）", "The token's payload is not valid JSON (RFC 8259)"
        ) from None


def read_json(text: bytes) -> Any:
    """Strict JSON. Raises `ValueError`."""
    return orjson.loads(text)


def thumbprint(key: jwt.PyJWK) -> str:
    """The SHA-256 thumbprint of a public key in base64url (RFC 7638): the same for every spelling of the same key.

    Raises `ValueError` for a kind of key that is not taken.
    """
    algorithm: Any = key.Algorithm
    public: dict[str, Any] = algorithm.to_jwk(key.key, as_dict=True)
    members = _THUMBPRINT_MEMBERS.get(str(public.get("kty")))
    if members is None:
        raise ValueError("no thumbprint for this kind of key")
    canonical = orjson.dumps({name: public[name] for name in members}, option=orjson.OPT_SORT_KEYS)
    return sha256_base64url(canonical)


def sha256_base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(value).digest()).rstrip(b"=").decode()


def refused(error: InvalidTokenFormError) -> Unauthenticated:
    """The answer to a caller whose access token cannot be read."""
    return Unauthenticated(error.zh, error.en)


def _not_a_jwt() -> InvalidTokenFormError:
    return InvalidTokenFormError("令牌格式有误：不是 JWT", "The token is malformed: not a JWT")


def _wrong_parameter(name: str, read: dict[str, Any]) -> InvalidTokenFormError:
    if name == "crit":
        return InvalidTokenFormError(
            "令牌要求本服务不支持的扩展（crit）", "The token demands an extension that is not supported here (crit)"
        )
    if name == "jwk":
        return InvalidTokenFormError("令牌头的 jwk 应为对象", "The jwk in the token's header must be an object")
    if name == "alg" and "alg" not in read:
        return InvalidTokenFormError("令牌头缺少 alg", "The token's header lacks alg")
    return InvalidTokenFormError(f"令牌头的 {name} 应为文本", f"The {name} in the token's header must be a string")
