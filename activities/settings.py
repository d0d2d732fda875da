"""What a part of the system is told by its environment; what is missing, wrong or unknown is named, one line each."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

PREFIX: Final = "YIBAO_"
# Every part reads its own of these; the environment may be one for all.
VARIABLES: Final = frozenset(
    {
        "YIBAO_BANK_URL",
        "YIBAO_CLIENT_CERTIFICATE_HEADER",
        "YIBAO_DATABASE_URL",
        "YIBAO_DATA_DIR",
        "YIBAO_ENV",
        "YIBAO_GATEWAY_PASSWORD",
        "YIBAO_HOST",
        "YIBAO_KEYRING",
        "YIBAO_MANAGEMENT_HOST",
        "YIBAO_MANAGEMENT_PORT",
        "YIBAO_NOTICE_URL",
        "YIBAO_OIDC_AUDIENCE",
        "YIBAO_OIDC_INTROSPECTION",
        "YIBAO_OIDC_INTROSPECTION_CLIENT",
        "YIBAO_OIDC_INTROSPECTION_SECRET",
        "YIBAO_OIDC_ISSUER",
        "YIBAO_OIDC_JWKS",
        "YIBAO_OIDC_KEYS_GRACE_SECONDS",
        "YIBAO_OIDC_REVOCATIONS",
        "YIBAO_PORT",
        "YIBAO_POSTGRES_BIN",
        "YIBAO_PRIVATE_NETWORK",
        "YIBAO_PUBLIC_URL",
        "YIBAO_SENDER_CONSTRAINED",
        "YIBAO_TEMPORAL_BINARY",
        "YIBAO_TEMPORAL_UI_ORIGIN",
        "YIBAO_TOKEN_MAX_LIFE_SECONDS",
        "YIBAO_TOKEN_TYPE",
        "YIBAO_TRUSTED_DOCUMENTS",
        "YIBAO_TRUSTED_PROXIES",
        "YIBAO_WORKER_PASSWORD",
    }
)

Model = TypeVar("Model", bound=BaseModel)


class SettingsError(Exception):
    """The environment cannot be used; `lines` says why, one variable a line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def _is_postgresql(value: str) -> str:
    if urlsplit(value).scheme not in {"postgresql", "postgres"}:
        raise ValueError("must be a postgresql:// URL")
    return value


def _is_web_address(value: str) -> str:
    address = urlsplit(value)
    if address.scheme not in {"https", "http"} or not address.hostname:
        raise ValueError("must be an https:// address")
    return value


DatabaseUrl = Annotated[str, AfterValidator(_is_postgresql)]
Environment = Literal["production", "development"]
YesOrNo = Literal["yes", "no"]


class WorkerSettings(BaseModel):
    """The worker's configuration. All of Temporal's variables are read by its own SDK; the address is asked for here."""

    model_config = ConfigDict(frozen=True)

    database_url: Annotated[DatabaseUrl, Field(alias="YIBAO_DATABASE_URL", description="PostgreSQL, as its role")]
    temporal_address: Annotated[str, Field(alias="TEMPORAL_ADDRESS", description="host:port of Temporal")]
    keyring: Annotated[str, Field(alias="YIBAO_KEYRING", repr=False, description="the keyring's file, or its JSON")]
    bank_url: Annotated[
        str, AfterValidator(_is_web_address), Field(alias="YIBAO_BANK_URL", description="the bank's interface")
    ]
    notice_url: Annotated[
        Annotated[str, AfterValidator(_is_web_address)] | None,
        Field(alias="YIBAO_NOTICE_URL", description="who takes the notices; without it they are recorded and wait"),
    ] = None
    environment: Annotated[Environment, Field(alias="YIBAO_ENV")] = "production"
    private_network: Annotated[YesOrNo, Field(alias="YIBAO_PRIVATE_NETWORK")] = "no"


def read_settings(model: type[Model], environment: Mapping[str, str]) -> Model:
    """The `model`, whose fields' aliases are variables, as `environment` has it. A blank variable counts as missing.

    Raises `SettingsError` that names every variable that is missing, wrong or unknown to all parts.
    """
    given = {name: value for name, value in environment.items() if value.strip()}
    own = {str(field.alias) for field in model.model_fields.values()}
    lines = [
        f"{name} is unknown: {_nearest(name, own)}"
        for name in sorted(given)
        if name.startswith(PREFIX) and name not in VARIABLES
    ]
    try:
        settings = model.model_validate({name: given[name] for name in own & given.keys()})
    except ValidationError as invalid:
        lines += [_line(model, error["type"], str(error["loc"][0]), error["msg"]) for error in invalid.errors()]
    if lines:
        raise SettingsError(lines)
    return settings


def _line(model: type[BaseModel], kind: str, name: str, reason: str) -> str:
    if kind == "missing":
        described = next(field.description for field in model.model_fields.values() if field.alias == name)
        return f"{name} is missing: {described}"
    return f"{name} is wrong: {reason.removeprefix('Value error, ')}"


def _nearest(name: str, own: set[str]) -> str:
    near = get_close_matches(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in own], n=1)
    return f"did you mean {PREFIX}{near[0]}?" if near else "there is no such setting"
