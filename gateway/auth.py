"""Who asks: from an access token to the viewer that every resolver sees."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.faults import Fault, Unauthenticated, Unavailable
from gateway.jwks import KeySet, KeySetUnavailableError
from gateway.reachability import is_out_of_reach
from gateway.revocation import Introspection, Revocations, VerifiedToken
from gateway.sender_constraint import NOTHING, Presented, SenderConstraint
from gateway.signed_tokens import (
    MAX_TOKEN_LENGTH,
    InvalidTokenFormError,
    TokenHeader,
    read_header,
    refused,
    signed_payload,
)
from gateway.token_claims import Claims, typed_claims
from workflows.actors import Actor
from workflows.identity import resident_id_fault
from workflows.vocabulary import AGENCY_STAFF, REGIONAL_ROLES, Role

# Issuers' clocks run a little ahead of ours; what is expired is expired.
CLOCK_SKEW_SECONDS: Final = 60
MAX_CACHED_TOKENS: Final = 10_000
# How often a token in use is held against the issuer's keys and its list of what it revoked. With the age that those may
# have (30 and 15 seconds), and one answer of the issuer, a key's end is seen within a minute and a revocation within 30 s.
CHECK_AGAIN_SECONDS: Final = 10.0
MAX_LIFE_SECONDS: Final = 43_200
ACCESS_TOKEN_TYPES: Final = frozenset({"jwt", "at+jwt"})
SCHEMES: Final = frozenset({"bearer", "dpop"})


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller of an operation. Anonymous when no token came: `subject` is then empty and there is no role.

    `resident_id` is an insured person's own number, checked for digit and date; never logged. `region` is the pooling
    region of an agency's people and systems. `acting_person`: who acts for `subject`, as the token's `act`
    claim says (RFC 8693, section 4.1). `expires_at` is the token's end in seconds since 1970; `token` is what can
    end it sooner.
    """

    subject: str
    roles: tuple[Role, ...]
    region: str | None = None
    resident_id: str | None = field(default=None, repr=False)
    acting_person: str | None = None
    issuer: str = ""
    expires_at: float = 0.0
    token: VerifiedToken | None = field(default=None, repr=False, compare=False)

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


@dataclass(frozen=True)
class TokenRules:
    """What the issuer's tokens must be like. `token_type`: "jwt" or "at+jwt" when the header must say so, else None.

    `max_life_seconds`: from `iat` to `exp`, or from now when the token does not say when it was issued.
    """

    max_life_seconds: int = MAX_LIFE_SECONDS
    token_type: str | None = None


class Authenticator:
    """Verifies access tokens of one issuer for one audience; keeps what it verified until it ends."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: KeySet,
        clock: Callable[[], float] = time.time,
        *,
        rules: TokenRules | None = None,
        revocations: Sequence[Revocations] = (),
        senders: SenderConstraint | None = None,
        regions: Callable[[], Awaitable[Collection[str]]] | None = None,
    ) -> None:
        """`regions` gives the codes of the directory; without it every code of six digits counts as listed."""
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock
        self._rules = rules or TokenRules()
        self._revocations = revocations
        self._senders = senders or SenderConstraint()
        self._regions = regions
        # Who asks the issuer about a token must send it; otherwise no token is kept.
        self._keeps_text = any(isinstance(each, Introspection) for each in revocations)
        self._verified: OrderedDict[bytes, Viewer] = OrderedDict()

    async def viewer(self, authorization: str | None, presented: Presented = NOTHING) -> Viewer:
        """The caller that an `Authorization` header's value names; None or blank is anonymous.

        `presented` is the request that it came with. Raises `Unauthenticated` that says why for a token that is not good,
        and `Unavailable` when the issuer, or the directory of regions, cannot be asked.
        """
        if authorization is None or not authorization.strip():
            return ANONYMOUS
        scheme, _, token = authorization.strip().partition(" ")
        scheme, token = scheme.lower(), token.strip()
        if scheme not in SCHEMES or not token:
            raise Unauthenticated("Authorization 头应为 Bearer 令牌", "Authorization must be a Bearer token")
        if len(token) > MAX_TOKEN_LENGTH:
            raise Unauthenticated("令牌过长", "The token is too long")
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        now = self._clock()
        viewer = self._verified.get(digest)
        if viewer is None or viewer.token is None or viewer.expires_at <= now:
            self._verified.pop(digest, None)
            viewer, verified = await self._verify(token)
            self._verified[digest] = viewer
            if len(self._verified) > MAX_CACHED_TOKENS:
                self._verified.popitem(last=False)
        else:
            verified = viewer.token
            if verified.check_at <= now:
                await self._check_again(digest, verified, now)
        if verified.binding is not None or scheme == "dpop":
            self._senders.check(verified.binding, scheme, token, presented, self._clock)
        return viewer

    @property
    def lacks(self) -> list[str]:
        """Why no token can be verified, for operators."""
        return [reason for reason in (self._keys.lacks, *(each.lacks for each in self._revocations)) if reason]

    @property
    def warnings(self) -> list[str]:
        """What will stop the verification of tokens unless somebody acts, for operators."""
        return [reason for reason in (self._keys.warning,) if reason]

    async def ended(self, viewer: Viewer) -> Fault:
        """Waits until the token of `viewer` is not good any more, and says why: what ends a stream. Never for the anonymous."""
        while viewer.token is not None:
            left = viewer.expires_at - self._clock()
            if left <= 0:
                return _expired()
            await asyncio.sleep(min(left, CHECK_AGAIN_SECONDS))
            try:
                await self._check_token(viewer.token)
            except Fault as fault:
                return fault
        forever: asyncio.Future[Fault] = asyncio.get_running_loop().create_future()
        return await forever

    async def _check_again(self, digest: bytes, verified: VerifiedToken, now: float) -> None:
        # One request checks; those beside it go on with what is known.
        verified.check_at = now + CHECK_AGAIN_SECONDS
        try:
            await self._check_token(verified)
        except Fault:
            self._verified.pop(digest, None)
            raise

    async def _check_token(self, verified: VerifiedToken) -> None:
        """What can end a token before its time. Raises `Unauthenticated` or `Unavailable`."""
        try:
            held = await self._keys.holds(verified.key)
        except KeySetUnavailableError as error:
            raise error.fault from None
        if not held:
            raise Unauthenticated(
                "签发机构已停用该令牌的密钥，请重新登录", "The token's key is no longer its issuer's; sign in again"
            )
        for each in self._revocations:
            await each.check(verified)

    async def _verify(self, token: str) -> tuple[Viewer, VerifiedToken]:
        try:
            header = read_header(token)
            self._check_type(header)
            found = await self._keys.find(header.kid, header.alg)
            if found is None:
                raise Unauthenticated("令牌未经已知密钥签名", "The token is not signed by a key known to its issuer")
            key_print, key = found
            claims = typed_claims(signed_payload(token, key))
        except InvalidTokenFormError as error:
            raise refused(error) from None
        except KeySetUnavailableError as error:
            raise error.fault from None
        self._check_claims(claims)
        roles = _roles(claims)
        self._senders.require_bound(roles, claims.cnf)
        verified = VerifiedToken(
            key=key_print,
            subject=claims.sub,
            token_id=claims.jti,
            issued_at=claims.iat,
            binding=claims.cnf,
            text=token if self._keeps_text else "",
            check_at=self._clock() + CHECK_AGAIN_SECONDS,
        )
        for each in self._revocations:
            await each.check(verified)
        viewer = Viewer(
            subject=claims.sub,
            roles=roles,
            region=await self._region(claims, roles),
            resident_id=_resident_id(claims, roles),
            acting_person=claims.act.sub if claims.act is not None else None,
            issuer=claims.iss,
            expires_at=claims.exp,
            token=verified,
        )
        return viewer, verified

    def _check_type(self, header: TokenHeader) -> None:
        wanted = self._rules.token_type
        if wanted is not None and header.typ != wanted:
            raise Unauthenticated(f"令牌的 typ 应为 {wanted}", f"The token's typ must be {wanted}")
        if header.typ is not None and header.typ not in ACCESS_TOKEN_TYPES:
            # Another kind of token that the same issuer signs: of a log-out, of a person's data, a proof (RFC 8725, 3.11).
            raise Unauthenticated("令牌的 typ 应为 JWT 或 at+jwt", "The token's typ must be JWT or at+jwt")

    def _check_claims(self, claims: Claims) -> None:
        if claims.iss != self._issuer:
            raise Unauthenticated(
                f"令牌由其他机构签发，此处只接受 {self._issuer}",
                f"The token is of another issuer; expected {self._issuer}",
            )
        if self._audience not in claims.audiences:
            raise Unauthenticated(
                f"令牌不是签发给本服务的，应为 {self._audience}",
                f"The token is for another audience; expected {self._audience}",
            )
        now = self._clock()
        if claims.exp <= now:
            raise _expired()
        for name, value in (("nbf", claims.nbf), ("iat", claims.iat)):
            if value is not None and value > now + CLOCK_SKEW_SECONDS:
                raise Unauthenticated("令牌尚未生效", f"The token is not valid yet ({name})")
        longest = self._rules.max_life_seconds
        if claims.exp - (now if claims.iat is None else claims.iat) > longest + CLOCK_SKEW_SECONDS:
            raise Unauthenticated(
                f"令牌有效期超过 {longest} 秒，请换用有效期较短的令牌",
                f"The token lives longer than {longest} seconds: ask for one that ends sooner",
            )

    async def _region(self, claims: Claims, roles: tuple[Role, ...]) -> str | None:
        """The region of the token if the directory lists it. A regional role without one is refused."""
        regional = not set(REGIONAL_ROLES).isdisjoint(roles)
        region = claims.region
        if region is not None and not _is_listed(region, roles, await self._directory(region)):
            if regional:
                raise Unauthenticated(
                    "令牌的统筹区（region）不在名录中", "The token's region is not in the directory of pooling regions"
                )
            region = None
        if regional and region is None:
            raise Unauthenticated("经办机构令牌缺少统筹区（region）", "A token of an agency's role needs a region")
        return region

    async def _directory(self, region: str) -> Collection[str]:
        if self._regions is None:
            return {region}
        try:
            return await self._regions()
        except Exception as error:
            if is_out_of_reach(error):
                raise Unavailable from None
            raise


def _expired() -> Unauthenticated:
    return Unauthenticated("令牌已过期，请重新登录", "The token has expired")


def _is_listed(region: str, roles: Sequence[Role], directory: Collection[str]) -> bool:
    """Whether the directory knows the region: itself or, for a supervisor, the province that the code stands for."""
    if region in directory:
        return True
    if Role.SUPERVISOR not in roles or not set(AGENCY_STAFF).isdisjoint(roles) or not region.endswith("0000"):
        return False
    return any(code.startswith(region[:2]) for code in directory)


def _roles(claims: Claims) -> tuple[Role, ...]:
    # A role that we do not know belongs to another system of the same issuer.
    return tuple(role for role in Role if role.value in claims.roles)


def _resident_id(claims: Claims, roles: tuple[Role, ...]) -> str | None:
    """An insured person's number; others have none, whatever their token says."""
    if Role.INSURED_PERSON not in roles:
        return None
    if claims.resident_id is None or resident_id_fault(claims.resident_id) is not None:
        raise Unauthenticated(
            "参保人令牌缺少有效的居民身份号码（resident_id）",
            "A token of an insured person needs a valid resident_id",
        )
    return claims.resident_id
