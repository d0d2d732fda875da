"""What the pre-check rests on: the question, who may know the answer, and what the registers and our own record hold."""

from datetime import date

from pydantic import BaseModel

from workflows.contribution import ContributionPeriod
from workflows.policy import RegionPolicy
from workflows.vocabulary import InsuranceScheme, Side


class Enrolment(BaseModel, frozen=True):
    """One enrolment as a region's register holds it. `name_agrees` is None when there was no name to compare."""

    region: str
    scheme: InsuranceScheme
    active: bool
    stopped_on: date | None = None
    enrolled_on: date | None = None
    employer_id: str | None = None
    name_agrees: bool | None = None
    retired: bool = False
    deceased: bool = False
    account_frozen: bool = False
    unsettled_claims: bool = False
    current_month_unpaid: bool = False
    special_personnel: bool = False
    flexible_employment: bool = False
    next_year_enrolled: bool = False
    arrears_fen: int = 0
    arrears_from: str | None = None
    arrears_to: str | None = None
    personal_account_fen: int = 0
    periods: tuple[ContributionPeriod, ...] = ()


class CompletedTransfer(BaseModel, frozen=True):
    """An earlier transfer of the same person, carried to its end."""

    no: str
    from_region: str
    from_scheme: InsuranceScheme
    stopped_on: date | None


class Region(BaseModel, frozen=True):
    code: str
    policy: RegionPolicy
    has_receiving_account: bool = True


class PreCheck(BaseModel, frozen=True):
    """What is asked, by whom, and what both registers and our own record say about it."""

    origin: Region
    destination: Region
    from_scheme: InsuranceScheme
    to_scheme: InsuranceScheme
    request_stop: bool = False
    # The applicant would rather wait for what passes with time than be refused.
    wait_for_register: bool = False
    # A key of the words for what is wrong with the certificate that was named, None when nothing is.
    certificate_fault: str | None = None
    # A key of the words for what is wrong with the number, None when it is a valid one.
    resident_id_fault: str | None = None
    # The caller may act for this person.
    authorised: bool = True
    # The one side whose register the caller may know: an agency without a tie to the person. None when it may know both.
    only_side: Side | None = None
    # The caller has given the number of a certificate with a verification code.
    certificate_shown: bool = False
    # Every enrolment of the person, in any region.
    enrolments: tuple[Enrolment, ...] = ()
    # The registers of both sides spell the person's name alike.
    names_agree: bool = True
    open_transfer_no: str | None = None
    completed: tuple[CompletedTransfer, ...] = ()

    def enrolment(self, region: str, scheme: InsuranceScheme) -> Enrolment | None:
        return next((each for each in self.enrolments if (each.region, each.scheme) == (region, scheme)), None)

    @property
    def answered(self) -> "PreCheck":
        """The check without what a register that is out of service would say: it is asked again, never guessed."""
        silent = {each.code for each in (self.origin, self.destination) if not each.policy.register_available}
        if not silent:
            return self
        answering = tuple(each for each in self.enrolments if each.region not in silent)
        return self.model_copy(update={"enrolments": answering, "names_agree": True})

    def as_known_to(self, region: str) -> "PreCheck":
        """The check as the register of `region` alone has it: no other register, no transfer and no certificate."""
        return self.model_copy(
            update={
                "enrolments": tuple(each for each in self.enrolments if each.region == region),
                "names_agree": True,
                "certificate_fault": None,
                "open_transfer_no": None,
                "completed": (),
            }
        )

    @property
    def at_origin(self) -> Enrolment | None:
        return self.enrolment(self.origin.code, self.from_scheme)

    @property
    def at_destination(self) -> Enrolment | None:
        return self.enrolment(self.destination.code, self.to_scheme)
