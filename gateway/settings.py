"""What the gateway is told by its environment; what is missing, wrong or unknown is named, one line each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator

from activities.settings import DatabaseUrl, Environment, SettingsError, YesOrNo, read_settings
from activities.transport_security import require_encryption
from gateway.client_address import Network, networks_of
from gateway.token_settings import LOOPBACK, TokenSettings

__all__ = ["Settings", "SettingsError", "load_settings"]


class Settings(TokenSettings):
    """The gateway's configuration. Temporal's further variables (TLS, API key) are read by its own SDK."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    database_url: Annotated[
        DatabaseUrl, Field(alias="YIBAO_DATABASE_URL", description="PostgreSQL, as the gateway's role")
    ]
    temporal_address: Annotated[str, Field(alias="TEMPORAL_ADDRESS", description="host:port of Temporal")]
    temporal_namespace: Annotated[str, Field(alias="TEMPORAL_NAMESPACE")] = "default"
    oidc_issuer: Annotated[str, Field(alias="YIBAO_OIDC_ISSUER", description="who signs the bearer tokens")]
    oidc_audience: Annotated[str, Field(alias="YIBAO_OIDC_AUDIENCE", description="whom the tokens are for")]
    keyring: Annotated[str, Field(alias="YIBAO_KEYRING", repr=False, description="the keyring's file, or its JSON")]
    environment: Annotated[Environment, Field(alias="YIBAO_ENV")] = "production"
    private_network: Annotated[YesOrNo, Field(alias="YIBAO_PRIVATE_NETWORK")] = "no"
    host: Annotated[str, Field(alias="YIBAO_HOST")] = "127.0.0.1"
    port: Annotated[int, Field(alias="YIBAO_PORT", ge=0, le=65535)] = 8000
    management_host: Annotated[str, Field(alias="YIBAO_MANAGEMENT_HOST")] = "127.0.0.1"
    management_port: Annotated[int | None, Field(alias="YIBAO_MANAGEMENT_PORT", ge=0, le=65535)] = None
    public_url: Annotated[str, Field(alias="YIBAO_PUBLIC_URL")] = ""
    trusted_documents: Annotated[Path | None, Field(alias="YIBAO_TRUSTED_DOCUMENTS")] = None
    temporal_ui_origin: Annotated[str | None, Field(alias="YIBAO_TEMPORAL_UI_ORIGIN")] = None
    # Whose `X-Forwarded-For` names the client. None by default, loopback included.
    trusted_proxies: Annotated[tuple[Network, ...], Field(alias="YIBAO_TRUSTED_PROXIES")] = ()

    @property
    def development(self) -> bool:
        return self.environment == "development"

    @property
    def base_url(self) -> str:
        """Where callers reach this gateway, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _are_networks(cls, value: object) -> object:
        return networks_of(value) if isinstance(value, str) else value

    @field_validator("oidc_issuer", "public_url", "temporal_ui_origin")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value and urlsplit(value).scheme not in {"https", "http"}:
            raise ValueError("must be an https:// address")
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _is_safe_to_fetch(cls, value: str | None) -> str | None:
        address = urlsplit(value or "")
        if address.scheme == "http" and address.hostname not in LOOPBACK:
            raise ValueError("must be https://: keys that travel in clear can be replaced on the way")
        return value


def load_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that the environment's variables make. A variable that is set but blank counts as missing.

    Raises `SettingsError` that names every variable that is missing, wrong or unknown, and in production every
    connection that would be in clear.
    """
    settings = read_settings(Settings, environment)
    if not settings.development:
        require_encryption(environment, web=("YIBAO_PUBLIC_URL",))
    return settings
