"""A certificate by itself: for whom O issues it, and why not. Pure; the same closed list of refusals as a transfer's."""

from collections.abc import Collection

from workflows.findings import Finding
from workflows.vocabulary import InsuranceScheme, RefusalClass, RefusalCode, Side


def refuse_certificate(
    *,
    region: str,
    scheme: InsuranceScheme,
    resident_id_fault: str | None,
    authorised: bool,
    enrolled: Collection[tuple[str, InsuranceScheme]],
) -> Finding | None:
    """Why no certificate of `region` and `scheme` can be issued (94号 art. 4), or None.

    `enrolled`: region and scheme of every enrolment of the person. A caller that is not `authorised` learns nothing else.
    """
    if resident_id_fault is not None:
        return _finding(RefusalCode.RESIDENT_ID_INVALID, Side.PLATFORM, None, "GB 11643", fault=resident_id_fault)
    if not authorised:
        return _finding(RefusalCode.AGENT_NOT_AUTHORISED, Side.PLATFORM, None, "PIPL")
    if (region, scheme) in enrolled:
        return None
    held = next((other for at, other in sorted(enrolled) if at == region), None)
    if held is not None:
        return _finding(RefusalCode.SCHEME_MISMATCH, Side.TRANSFER_OUT, region, "94号 art. 4", held=held)
    candidates = ",".join(sorted({at for at, _ in enrolled}))
    return _finding(RefusalCode.NO_RECORD_AT_ORIGIN, Side.TRANSFER_OUT, region, "94号 art. 4", candidates=candidates)


def _finding(code: RefusalCode, side: Side, region: str | None, basis: str, **figures: str) -> Finding:
    return Finding(code=code, cls=RefusalClass.BLOCKS, side=side, region=region, basis=basis, figures=figures)
