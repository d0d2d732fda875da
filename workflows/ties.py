"""The tie of an agency to a person: what lets it know more of the person than its own register says. Pure.

A side that a caller names is no permission (《个人信息保护法》 arts. 6 and 13: for a clear purpose, on a lawful ground).
"""

from collections.abc import Collection
from enum import StrEnum


class Tie(StrEnum):
    """What ties an agency to a person, the strongest first."""

    # The agency's own register has the person, covered or stopped; a terminated enrolment is none.
    ENROLMENT = "ENROLMENT"
    # A transfer of the person from or to the agency's region is open or completed.
    TRANSFER = "TRANSFER"
    # The agency has seen an enrolment certificate of the person that is in force: number and verification code.
    CERTIFICATE = "CERTIFICATE"
    # A mandate of the person is in force that the agency's window has entered from paper.
    MANDATE = "MANDATE"
    # The agency's window has recorded the person's consent, which is in force.
    CONSENT = "CONSENT"


def strongest(held: Collection[Tie]) -> Tie | None:
    """The tie by which an agency with all of `held` knows the person; None without any."""
    return next((each for each in Tie if each in held), None)
