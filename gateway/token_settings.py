"""What the gateway is told about the tokens that it takes: how long they live, what ends them, what they are bound to."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationInfo, field_validator

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
DAY_SECONDS = 86_400


class TokenSettings(BaseModel):
    """The part of the gateway's configuration that its authenticator reads."""

    oidc_jwks: Annotated[str | None, Field(alias="YIBAO_OIDC_JWKS", description="path or URL of the issuer's keys")] = (
        None
    )
    oidc_keys_grace_seconds: Annotated[
        int,
        Field(
            alias="YIBAO_OIDC_KEYS_GRACE_SECONDS",
            description="how long known keys stay good while the issuer is away",
            ge=30,
            le=DAY_SECONDS,
        ),
    ] = 600
    token_type: Annotated[
        Literal["JWT", "at+jwt"] | None,
        Field(
            alias="YIBAO_TOKEN_TYPE", description="the typ that every token must have; without it JWT, at+jwt or none"
        ),
    ] = None
    token_max_life_seconds: Annotated[
        int,
        Field(
            alias="YIBAO_TOKEN_MAX_LIFE_SECONDS",
            description="the longest life of a token, from iat to exp",
            ge=60,
            le=30 * DAY_SECONDS,
        ),
    ] = 43_200
    oidc_revocations: Annotated[
        str | None,
        Field(alias="YIBAO_OIDC_REVOCATIONS", description="path or https:// address of the list of revoked tokens"),
    ] = None
    oidc_introspection_client: Annotated[
        str | None, Field(alias="YIBAO_OIDC_INTROSPECTION_CLIENT", description="our client id at the issuer")
    ] = None
    oidc_introspection_secret: Annotated[
        str | None, Field(alias="YIBAO_OIDC_INTROSPECTION_SECRET", repr=False, description="its secret")
    ] = None
    oidc_introspection: Annotated[
        str | None,
        Field(alias="YIBAO_OIDC_INTROSPECTION", description="https:// address that says whether a token is active"),
    ] = None
    client_certificate_header: Annotated[
        str | None,
        Field(
            alias="YIBAO_CLIENT_CERTIFICATE_HEADER",
            description="the header in which the TLS proxy names the client's certificate",
        ),
    ] = None
    sender_constrained: Annotated[
        Literal["off", "dpop", "mtls"],
        Field(alias="YIBAO_SENDER_CONSTRAINED", description="what the tokens of agencies' systems must be bound to"),
    ] = "off"

    @field_validator("oidc_jwks", "oidc_revocations", "oidc_introspection")
    @classmethod
    def _is_safe_to_ask(cls, value: str | None) -> str | None:
        address = urlsplit(value or "")
        if address.scheme == "http" and address.hostname not in LOOPBACK:
            raise ValueError("must be https://: keys that travel in clear can be replaced on the way")
        return value

    @field_validator("oidc_introspection")
    @classmethod
    def _has_credentials(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and urlsplit(value).scheme not in {"https", "http"}:
            raise ValueError("must be an https:// address")
        if value and not (info.data.get("oidc_introspection_client") and info.data.get("oidc_introspection_secret")):
            raise ValueError("needs YIBAO_OIDC_INTROSPECTION_CLIENT and YIBAO_OIDC_INTROSPECTION_SECRET")
        return value

    @field_validator("client_certificate_header")
    @classmethod
    def _is_header_name(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"[A-Za-z0-9-]{1,64}", value):
            raise ValueError("must be the name of a header: letters, digits and hyphens")
        return value

    @field_validator("sender_constrained")
    @classmethod
    def _has_certificate_header(cls, value: str, info: ValidationInfo) -> str:
        if value == "mtls" and not info.data.get("client_certificate_header"):
            raise ValueError("mtls needs YIBAO_CLIENT_CERTIFICATE_HEADER")
        return value
