"""Tokens that only their holder can use: bound to a key by DPoP (RFC 9449) or to a client certificate (RFC 8705)."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from gateway.dpop import SeenProofs, challenge, check_proof
from gateway.faults import Unauthenticated
from gateway.signed_tokens import sha256_base64url
from gateway.token_claims import Confirmation
from workflows.vocabulary import Role

Mode = Literal["off", "dpop", "mtls"]
_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]{43}=?")


class Presented(NamedTuple):
    """The request that a token comes with: its method, its path, its headers as ASGI has them.

    `proof` is a DPoP proof that came otherwise than in a header: in the payload of a WebSocket's `connection_init`.
    """

    method: str = ""
    path: str = ""
    headers: Sequence[tuple[bytes, bytes]] = ()
    proof: str | None = None

    def only(self, name: str) -> str | None:
        """A header's value; None when it is absent. Raises `Unauthenticated` when it comes more than once."""
        wanted = name.lower().encode("latin-1")
        values = [value.decode("latin-1") for key, value in self.headers if key == wanted]
        if len(values) > 1:
            raise Unauthenticated(f"{name} 头只能出现一次", f"The header {name} may come once only")
        return values[0].strip() if values else None


NOTHING: Final = Presented()


class SenderConstraint:
    """What must come with a token that is bound to a key or to a certificate, and who must have such a token.

    `mode`: how the tokens of agencies' systems must be bound. A token that is bound is held to it whatever the mode.
    `base_url`: where callers reach this gateway, as their proofs name it. `certificate_header`: the header in which the
    TLS proxy names the client's certificate, which it must overwrite in every request.
    """

    def __init__(
        self,
        mode: Mode = "off",
        base_url: str = "",
        certificate_header: str | None = None,
        seen: SeenProofs | None = None,
    ) -> None:
        self._mode = mode
        self._base_url = base_url.rstrip("/")
        self._certificate_header = certificate_header
        self._seen = seen or SeenProofs()

    def require_bound(self, roles: Sequence[Role], binding: Confirmation | None) -> None:
        """Raises `Unauthenticated` when a token of these roles has to be bound and is not."""
        if self._mode == "off" or Role.AGENCY_SYSTEM not in roles:
            return
        if self._mode == "dpop" and (binding is None or binding.jkt is None):
            raise Unauthenticated(
                "经办系统的令牌须绑定密钥：请向签发机构申请 DPoP 令牌（cnf.jkt）",
                "A token of an agency's system must be bound to a key: ask the issuer for a DPoP token (cnf.jkt)",
                challenge=challenge("invalid_token"),
            )
        if self._mode == "mtls" and (binding is None or binding.certificate is None):
            raise Unauthenticated(
                "经办系统的令牌须绑定客户端证书（cnf.x5t#S256）",
                "A token of an agency's system must be bound to its client certificate (cnf.x5t#S256)",
            )

    def check(
        self, binding: Confirmation | None, scheme: str, token: str, presented: Presented, clock: Callable[[], float]
    ) -> None:
        """Hold a token to what it is bound to. `scheme`: "bearer" or "dpop", as it came. Raises `Unauthenticated`."""
        jkt, certificate = (binding.jkt, binding.certificate) if binding is not None else (None, None)
        if binding is not None and jkt is None and certificate is None:
            raise Unauthenticated("令牌的 cnf 为空", "The token's cnf names nothing that the token is bound to")
        if jkt is None and scheme == "dpop":
            raise Unauthenticated(
                "该令牌未绑定密钥：请以 Bearer 发送，或申请 DPoP 令牌",
                "The token is not bound to a key: send it as Bearer, or ask the issuer for a DPoP token",
                challenge=challenge("invalid_token"),
            )
        if certificate is not None:
            self._check_certificate(certificate, presented)
        if jkt is not None:
            if scheme != "dpop":
                raise Unauthenticated(
                    "该令牌绑定密钥：请以 Authorization: DPoP 发送，并附 DPoP 证明",
                    "The token is bound to a key: send it as Authorization: DPoP, with a proof in the header DPoP",
                    challenge=challenge("invalid_token"),
                )
            proof = presented.proof if presented.proof is not None else presented.only("DPoP")
            url = f"{self._base_url}{presented.path}"
            check_proof(proof, jkt=jkt, token=token, method=presented.method, url=url, now=clock(), seen=self._seen)

    def _check_certificate(self, expected: str, presented: Presented) -> None:
        if self._certificate_header is None:
            raise Unauthenticated(
                "该令牌绑定客户端证书，本服务未配置证书核验",
                "The token is bound to a client certificate, and this gateway is not set up to see one",
            )
        value = presented.only(self._certificate_header)
        if value is None or _certificate_thumbprint(value) != expected:
            raise Unauthenticated(
                "该令牌绑定另一客户端证书：请以签发令牌时所用的证书连接",
                "The token is bound to another client certificate: connect with the one it was issued to",
            )


def _certificate_thumbprint(value: str) -> str | None:
    """A certificate's SHA-256 in base64url, of what proxies say: hexadecimal, base64url, or the certificate (RFC 9440)."""
    plain = value.replace(":", "")
    if _HEX.fullmatch(plain):
        return base64.urlsafe_b64encode(bytes.fromhex(plain)).rstrip(b"=").decode()
    if _BASE64URL.fullmatch(value):
        return value.rstrip("=")
    if len(value) > 2 and value.startswith(":") and value.endswith(":"):
        try:
            return sha256_base64url(base64.b64decode(value[1:-1], validate=True))
        except (binascii.Error, ValueError):
            return None
    return None
