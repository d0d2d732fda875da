"""The development issuer of a local stack: an Ed25519 key of its own, and tokens signed with it."""

import base64
import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stack.atomic_files import kept_secret, write_atomically
from stack.errors import StackError
from workflows.identity import resident_id_fault
from workflows.vocabulary import REGIONAL_ROLES, Role

ISSUER = "https://issuer.yibao.local"
AUDIENCE = "yibao"
TOKEN_LIFETIME = timedelta(hours=12)
LONGEST_ACTING_PERSON = 64


@dataclass(frozen=True)
class DevelopmentIssuer:
    """Signs for the stack of `data_dir` alone: its gateway is the only one that knows the public key."""

    data_dir: Path
    key: Ed25519PrivateKey

    @classmethod
    def of(cls, data_dir: Path, *, make: bool = True) -> "DevelopmentIssuer":
        """The issuer of `data_dir`; its key is made the first time unless `make` is False. Raises `StackError`."""
        key_file = data_dir / "issuer.key"
        if not make and not key_file.exists():
            raise StackError(f"{data_dir} has no issuer yet: start the stack with `yibao up --data-dir {data_dir}`")
        pem = kept_secret(key_file, _new_pem)
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise StackError(f"{key_file} holds no Ed25519 key: move it away, and the next start makes another")
        return cls(data_dir, key)

    def write_jwks(self) -> Path:
        """Write the public key as a JWK Set (RFC 8037) and return its path."""
        path = self.data_dir / "jwks.json"
        write_atomically(path, json.dumps({"keys": [self._public_jwk()]}))
        return path

    def token(
        self,
        role: Role,
        *,
        region: str | None = None,
        resident_id: str | None = None,
        subject: str | None = None,
        acting_person: str | None = None,
    ) -> str:
        """A bearer token for one role, good for 12 hours. Raises `StackError` when the role needs something else.

        The insured person's default subject is a keyed hash: it is the same for the same number, and does not tell it.
        `acting_person` is who acts for the bearer, in the `act` claim (RFC 8693, section 4.1).
        """
        _require(role, region, resident_id, subject)
        if acting_person is not None and not (acting_person.strip() and len(acting_person) <= LONGEST_ACTING_PERSON):
            raise StackError(f"--acting-person takes a name of 1 to {LONGEST_ACTING_PERSON} characters")
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject or self._default_subject(role, region, resident_id),
            "iat": now,
            "exp": now + TOKEN_LIFETIME,
            "roles": [role.value],
        }
        claims |= {"region": region} if region else {}
        claims |= {"resident_id": resident_id} if resident_id else {}
        claims |= {"act": {"sub": acting_person}} if acting_person else {}
        return jwt.encode(claims, self.key, algorithm="EdDSA", headers={"kid": self._public_jwk()["kid"]})

    def _default_subject(self, role: Role, region: str | None, resident_id: str | None) -> str:
        if role is Role.INSURED_PERSON and resident_id:
            digest = hashlib.sha256(resident_id.encode() + self.key.private_bytes_raw()).hexdigest()
            return f"person-{digest[:16]}"
        return "-".join([role.value.lower().replace("_", "-"), *([region] if region else [])])

    def _public_jwk(self) -> dict[str, str]:
        public = self.key.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(public).decode().rstrip("=")
        kid = hashlib.sha256(public).hexdigest()[:16]
        return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x}


def require_no_real_issuer() -> None:
    """Raise `StackError` when the environment configures a gateway for an issuer that is not ours."""
    configured = os.environ.get("YIBAO_OIDC_ISSUER")
    if configured and configured != ISSUER:
        raise StackError(
            f"YIBAO_OIDC_ISSUER is {configured}, a real issuer: get the token there; "
            "this command signs for a local stack alone"
        )


def _require(role: Role, region: str | None, resident_id: str | None, subject: str | None) -> None:
    if region is not None and not re.fullmatch("[0-9]{6}", region):
        raise StackError(f"{region} is not a pooling region: --region takes its code of six digits")
    if role in REGIONAL_ROLES and region is None:
        raise StackError(f"A {role} belongs to a pooling region: add --region CODE")
    if role is Role.INSURED_PERSON and resident_id is None:
        raise StackError("An INSURED_PERSON is known by the resident identity number: add --resident-id ID")
    if resident_id is not None and (fault := resident_id_fault(resident_id)) is not None:
        raise StackError(f"--resident-id is no resident identity number ({fault}): 18 characters, the last 0-9 or X")
    if role is Role.EMPLOYER and subject is None:
        raise StackError("An EMPLOYER is known by its unified social credit code: add --subject CODE")


def _new_pem() -> str:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode("ascii")
