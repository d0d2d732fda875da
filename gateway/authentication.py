"""The authenticator that the gateway's settings describe."""

from collections.abc import Collection

from gateway.auth import Authenticator, TokenRules
from gateway.context import Services
from gateway.jwks import KeySet
from gateway.revocation import Introspection, RevocationList, Revocations
from gateway.sender_constraint import SenderConstraint
from gateway.settings import Settings
from gateway.telling import REFERENCE


def authenticator_of(services: Services) -> Authenticator:
    """Asks the issuer and the directory of regions when the first token comes, not before."""
    settings = services.settings

    async def regions() -> Collection[str]:
        return (await REFERENCE.read(services.pool, services.clock())).regions

    return Authenticator(
        settings.oidc_issuer,
        settings.oidc_audience,
        KeySet(settings.oidc_issuer, settings.oidc_jwks, grace_seconds=settings.oidc_keys_grace_seconds),
        rules=TokenRules(
            settings.token_max_life_seconds, settings.token_type.lower() if settings.token_type is not None else None
        ),
        revocations=_revocations(settings),
        senders=SenderConstraint(settings.sender_constrained, settings.base_url, settings.client_certificate_header),
        regions=regions,
    )


def _revocations(settings: Settings) -> list[Revocations]:
    found: list[Revocations] = []
    if settings.oidc_revocations is not None:
        found.append(RevocationList(settings.oidc_revocations))
    if settings.oidc_introspection is not None:
        client, secret = settings.oidc_introspection_client or "", settings.oidc_introspection_secret or ""
        found.append(Introspection(settings.oidc_introspection, client, secret))
    return found
