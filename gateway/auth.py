"""Who asks: from a bearer token to the viewer that every resolver sees."""

import hashlib
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from gateway.faults import Unauthenticated
from gateway.jwks import KeySet, KeySetUnavailableError
from workflows.actors import Actor
from workflows.identity import resident_id_fault
from workflows.staff_identity import canonical_identity
from workflows.vocabulary import REGIONAL_ROLES, Role

# Roles of an agency's people and systems: without a region they belong to no agency.
MAX_TOKEN_LENGTH: Final = 8192
# Issuers' clocks run a little ahead of ours; what is expired is expired.
CLOCK_SKEW_SECONDS: Final = 60
MAX_CACHED_TOKENS: Final = 10_000
MAX_ACTING_PERSON: Final = 64


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller of an operation. Anonymous when no token came: `subject` is then empty and there is no role.

    `resident_id` is an insured person's own number, checked for digit and date; never logged. `region` is the pooling
    region of an agency's people and systems. `acting_person`: who acts for `subject`, as the token's `act`
    claim says (RFC 8693, section 4.1). `expires_at` is the token's end in seconds since 1970.
    """

    subject: str
    roles: tuple[Role, ...]
    region: str | None = None
    resident_id: str | None = field(default=None, repr=False)
    acting_person: str | None = None
    issuer: str = ""
    expires_at: float = 0.0

    @property
    def anonymous(self) -> bool:
        return not self.subject

    @property
    def actor(self) -> Actor:
        """The viewer as the rules know it."""
        return Actor(subject=self.subject, roles=self.roles, region=self.region, acting_person=self.acting_person)

    @property
    def identity(self) -> str:
        """Who binds an idempotency key: issuer and subject, so that two issuers' subjects never meet."""
        return f"{self.issuer}\n{self.subject}"

    def has(self, *roles: Role) -> bool:
        return any(role in self.roles for role in roles)


ANONYMOUS: Final = Viewer(subject="", roles=())


class Authenticator:
    """Verifies bearer tokens of one issuer for one audience; keeps what it verified until the token expires."""

    def __init__(self, issuer: str, audience: str, keys: KeySet, clock: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock
        self._verified: OrderedDict[bytes, Viewer] = OrderedDict()

    async def viewer(self, authorization: str | None) -> Viewer:
        """The caller that an `Authorization` header's value names; None or blank is anonymous.

        Raises `Unauthenticated` that says why for a token that is not good, and `Unavailable` when the issuer's keys
        cannot be had.
        """
        if authorization is None or not authorization.strip():
            return ANONYMOUS
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Authorization 头应为 Bearer 令牌", "Authorization must be a Bearer token")
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._verified.get(digest)
        if known is not None:
            if known.expires_at > self._clock():
                return known
            del self._verified[digest]
        viewer = await self._verify(token)
        self._verified[digest] = viewer
        if len(self._verified) > MAX_CACHED_TOKENS:
            self._verified.popitem(last=False)
        return viewer

    async def _verify(self, token: str) -> Viewer:
        if len(token) > MAX_TOKEN_LENGTH:
            raise Unauthenticated("令牌过长", "The token is too long")
        key = await self._key_of(token)
        options: Any = {"require": ["exp", "iss", "aud", "sub"], "verify_iat": False, "verify_nbf": False}
        options |= {"verify_exp": False}
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                options=options,
            )
        except jwt.PyJWTError as error:
            raise _refusal(error, self._issuer, self._audience) from None
        self._check_times(claims)
        return _viewer_of(claims)

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Unauthenticated("令牌格式有误：不是 JWT", "The token is malformed: not a JWT") from None
        algorithm = header.get("alg")
        if algorithm not in KeySet.ALGORITHMS:
            shown = str(algorithm)[:20]
            raise Unauthenticated(
                f"令牌未按允许的算法签名：{shown}",
                f"The token is not signed with an allowed algorithm: {shown}",
            )
        try:
            key = await self._keys.find(header.get("kid"), algorithm)
        except KeySetUnavailableError as error:
            raise error.fault from error
        if key is None:
            raise Unauthenticated("令牌未经已知密钥签名", "The token is not signed by a key known to its issuer")
        return key

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self._clock()
        if _seconds(claims, "exp") <= now:
            raise Unauthenticated("令牌已过期，请重新登录", "The token has expired")
        for claim in ("nbf", "iat"):
            if claim in claims and _seconds(claims, claim) > now + CLOCK_SKEW_SECONDS:
                raise Unauthenticated("令牌尚未生效", f"The token is not valid yet ({claim})")


def _refusal(error: jwt.PyJWTError, issuer: str, audience: str) -> Unauthenticated:
    match error:
        case jwt.InvalidSignatureError():
            return Unauthenticated("令牌签名无效", "The token's signature is not valid")
        case jwt.InvalidIssuerError():
            return Unauthenticated(
                f"令牌由其他机构签发，此处只接受 {issuer}", f"The token is of another issuer; expected {issuer}"
            )
        case jwt.InvalidAudienceError():
            return Unauthenticated(
                f"令牌不是签发给本服务的，应为 {audience}", f"The token is for another audience; expected {audience}"
            )
        case jwt.MissingRequiredClaimError():
            return Unauthenticated(f"令牌缺少 {error.claim}", f"The token lacks {error.claim}")
        case _:
            return Unauthenticated("令牌无效", "The token is malformed")


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated(f"令牌的 {name} 不是时间", f"The token's {name} is not a time")
    return float(value)


def _viewer_of(claims: dict[str, Any]) -> Viewer:
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject.strip():
        raise Unauthenticated("令牌缺少 sub", "The token lacks sub")
    named = claims.get("roles", [])
    if not isinstance(named, list):
        raise Unauthenticated("令牌的 roles 应为列表", "The token's roles must be a list")
    # A role that we do not know belongs to another system of the same issuer.
    roles = tuple(role for role in Role if role.value in named)
    region, resident_id = _text(claims, "region"), _text(claims, "resident_id")
    if Role.INSURED_PERSON in roles and (resident_id is None or resident_id_fault(resident_id) is not None):
        raise Unauthenticated(
            "参保人令牌缺少有效的居民身份号码（resident_id）",
            "A token of an insured person needs a valid resident_id",
        )
    if not set(REGIONAL_ROLES).isdisjoint(roles) and not region:
        raise Unauthenticated("经办机构令牌缺少统筹区（region）", "A token of an agency's role needs a region")
    return Viewer(
        subject=subject,
        roles=roles,
        region=region or None,
        resident_id=resident_id if Role.INSURED_PERSON in roles else None,
        acting_person=_acting_person(claims),
        issuer=claims["iss"],
        expires_at=_seconds(claims, "exp"),
    )


def _acting_person(claims: dict[str, Any]) -> str | None:
    """The `sub` of the `act` claim (RFC 8693, section 4.1): who acts now. Earlier actors inside it do not count."""
    claim = claims.get("act")
    if claim is None:
        return None
    subject = claim.get("sub") if isinstance(claim, dict) else None
    if not isinstance(subject, str) or len(subject) > MAX_ACTING_PERSON or not _names_somebody(subject):
        raise Unauthenticated(
            f"令牌的 act 应写明经办人：sub 为 1 至 {MAX_ACTING_PERSON} 个字符的文本",
            f"The token's act must name a person: a sub of 1 to {MAX_ACTING_PERSON} characters",
        )
    return subject


def _names_somebody(subject: str) -> bool:
    """Whether something is left of the name without what shows nothing; a control or half a character spoils it."""
    return bool(canonical_identity(subject)) and not any(unicodedata.category(each) in ("Cc", "Cs") for each in subject)


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise Unauthenticated(f"令牌的 {name} 应为文本", f"The token's {name} must be a string")
    return value
