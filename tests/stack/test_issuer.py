"""Tokens of the development issuer: what is in them, who can check them, and what is refused."""

import json
import stat
from pathlib import Path

import jwt
import pytest
from click.testing import CliRunner

from stack.cli import yibao
from stack.errors import StackError
from stack.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from workflows.vocabulary import Role

# Synthetic: the digits are those of the example in GB 11643.
PERSON = "11010519491231002X"


@pytest.fixture
def issuer(tmp_path: Path) -> DevelopmentIssuer:
    return DevelopmentIssuer.of(tmp_path)


def claims_of(issuer: DevelopmentIssuer, token: str) -> dict[str, object]:
    key = jwt.PyJWKSet.from_json(issuer.write_jwks().read_text()).keys[0]
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "JWT", "kid": key.key_id}
    claims: dict[str, object] = jwt.decode(token, key, algorithms=["EdDSA"], issuer=ISSUER, audience=AUDIENCE)
    return claims


def test_a_clerks_token_says_who_where_and_for_12_hours(issuer: DevelopmentIssuer) -> None:
    claims = claims_of(issuer, issuer.token(Role.CLERK, region="110000"))
    issued_at, expires_at = claims.pop("iat"), claims.pop("exp")
    assert isinstance(issued_at, int)
    assert expires_at == issued_at + 12 * 3600
    assert claims == {
        "iss": "https://issuer.yibao.local",
        "aud": "yibao",
        "sub": "clerk-110000",
        "roles": ["CLERK"],
        "region": "110000",
    }


def test_a_systems_token_names_who_acts_for_it(issuer: DevelopmentIssuer) -> None:
    token = issuer.token(Role.AGENCY_SYSTEM, region="110000", acting_person="li-01")
    claims = claims_of(issuer, token)
    assert (claims["sub"], claims["act"]) == ("agency-system-110000", {"sub": "li-01"})
    plain = claims_of(issuer, issuer.token(Role.AGENCY_SYSTEM, region="110000"))
    assert "act" not in plain


def test_the_command_prints_a_token_that_names_who_acts(issuer: DevelopmentIssuer) -> None:
    arguments = ["token", "--data-dir", str(issuer.data_dir), "--role", "AGENCY_SYSTEM", "--region", "110000"]
    result = CliRunner().invoke(yibao, [*arguments, "--acting-person", "li-01"])
    assert result.exit_code == 0
    assert claims_of(issuer, result.output.strip())["act"] == {"sub": "li-01"}


@pytest.mark.parametrize("name", ["", " ", "x" * 65])
def test_who_acts_has_a_name_of_64_characters_at_most(issuer: DevelopmentIssuer, name: str) -> None:
    with pytest.raises(StackError, match="--acting-person takes a name of 1 to 64 characters"):
        issuer.token(Role.AGENCY_SYSTEM, region="110000", acting_person=name)


def test_a_persons_subject_stays_the_same_and_does_not_hold_the_number(issuer: DevelopmentIssuer) -> None:
    first = claims_of(issuer, issuer.token(Role.INSURED_PERSON, resident_id=PERSON))
    again = claims_of(issuer, DevelopmentIssuer.of(issuer.data_dir).token(Role.INSURED_PERSON, resident_id=PERSON))
    assert first["resident_id"] == PERSON
    assert first["sub"] == again["sub"]
    assert str(first["sub"]).startswith("person-")
    assert len(str(first["sub"])) == len("person-") + 16


def test_two_stacks_sign_with_different_keys(issuer: DevelopmentIssuer, tmp_path: Path) -> None:
    other = DevelopmentIssuer.of(tmp_path / ".." / tmp_path.name)
    (tmp_path / "other").mkdir()
    stranger = DevelopmentIssuer.of(tmp_path / "other")
    token = issuer.token(Role.OPERATOR)
    assert claims_of(other, token)["sub"] == "operator"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(
            token,
            jwt.PyJWKSet.from_json(stranger.write_jwks().read_text()).keys[0],
            algorithms=["EdDSA"],
            audience=AUDIENCE,
        )


def test_the_key_is_its_owners_alone_and_the_jwks_holds_no_private_part(issuer: DevelopmentIssuer) -> None:
    assert stat.S_IMODE((issuer.data_dir / "issuer.key").stat().st_mode) == 0o600
    (key,) = json.loads(issuer.write_jwks().read_text())["keys"]
    assert set(key) == {"kty", "crv", "use", "alg", "kid", "x"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"role": Role.CLERK}, "A CLERK belongs to a pooling region: add --region CODE"),
        ({"role": Role.SUPERVISOR}, "A SUPERVISOR belongs to a pooling region: add --region CODE"),
        (
            {"role": Role.FINANCE, "region": "Beijing"},
            "Beijing is not a pooling region: --region takes its code of six digits",
        ),
        (
            {"role": Role.INSURED_PERSON},
            "An INSURED_PERSON is known by the resident identity number: add --resident-id ID",
        ),
        (
            {"role": Role.INSURED_PERSON, "resident_id": "110105194912310021"},
            "--resident-id is no resident identity number (CHECK_DIGIT): 18 characters, the last 0-9 or X",
        ),
        ({"role": Role.EMPLOYER}, "An EMPLOYER is known by its unified social credit code: add --subject CODE"),
    ],
)
def test_a_role_without_what_it_needs_is_refused(
    issuer: DevelopmentIssuer, arguments: dict[str, str], reason: str
) -> None:
    with pytest.raises(StackError) as raised:
        issuer.token(Role(arguments.pop("role")), **arguments)
    assert str(raised.value) == reason


def test_the_command_prints_the_token_alone(issuer: DevelopmentIssuer) -> None:
    arguments = ["token", "--data-dir", str(issuer.data_dir), "--role", "EMPLOYER", "--subject", "91110000600037341L"]
    result = CliRunner().invoke(yibao, arguments)
    assert result.exit_code == 0
    assert claims_of(issuer, result.output.strip())["sub"] == "91110000600037341L"


def test_the_command_refuses_when_the_gateway_is_configured_for_a_real_issuer(
    issuer: DevelopmentIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIBAO_OIDC_ISSUER", "https://sso.example.gov.cn")
    result = CliRunner().invoke(yibao, ["token", "--data-dir", str(issuer.data_dir), "--role", "OPERATOR"])
    assert isinstance(result.exception, StackError)
    assert str(result.exception) == (
        "YIBAO_OIDC_ISSUER is https://sso.example.gov.cn, a real issuer: get the token there; "
        "this command signs for a local stack alone"
    )
    assert result.output == ""


def test_the_command_makes_no_key_where_no_stack_ever_ran(tmp_path: Path) -> None:
    result = CliRunner().invoke(yibao, ["token", "--data-dir", str(tmp_path), "--role", "OPERATOR"])
    assert isinstance(result.exception, StackError)
    assert str(result.exception).startswith(f"{tmp_path} has no issuer yet: start the stack")
    assert list(tmp_path.iterdir()) == []
