"""A correction that a form of the desk asks for; what stands in its way as the answer's status."""

from fastapi import HTTPException

from pipeline.errors import TriageError
from pipeline.review.casefile import CaseErased, VersionChanged
from pipeline.review.correcting import Change, correct
from pipeline.review.rendering import Desk
from pipeline.review.sessions import Session


def make_change(shared: Desk, session: Session, submission_id: str, change: Change, *, version: str) -> None:
    """Correct the case in the session's name. Raises 409 where someone else changed it, 410 where it was
    erased, 422 where the change cannot be made."""
    actor = session.user.name
    try:
        correct(shared.ledger, shared.settings, submission_id, change, version=version, actor=actor)
    except VersionChanged as error:
        raise HTTPException(409, str(error)) from None
    except CaseErased as error:
        raise HTTPException(410, str(error)) from None
    except TriageError as error:
        raise HTTPException(422, str(error)) from None
