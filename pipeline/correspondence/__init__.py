"""Requests for information in the ledger: sent, reminded of, answered, closed.

preview(ledger, knowledge, submission_id) -> Preview | None     what would be asked, to look at
send(ledger, knowledge, submission_id, to, actor) -> InformationRequest     once, however often it is asked
requests_of(ledger, ...) -> [Entry, ...]          what is open, and since when
close(ledger, reference, reason, actor)           by a person
remind(ledger, knowledge)                         reminders and expiry, by the policy's days
find_replies(ledger, knowledge)                   submissions that answer a request, joined to it
join(ledger, knowledge, submission, reference, actor)     by a person
settle_requests(ledger, knowledge)                what the cases worked again have answered
letters_out(ledger, knowledge) -> {target: output}        how a worker delivers them
"""

from pipeline.correspondence.outgoing import letters_out
from pipeline.correspondence.previewing import Preview, preview
from pipeline.correspondence.records import Entry, State, To, Waiting
from pipeline.correspondence.replies import find_replies, join, waiting_replies
from pipeline.correspondence.sending import close, remind, requests_of, send
from pipeline.correspondence.settling import settle_requests

__all__ = [
    "Entry",
    "Preview",
    "State",
    "To",
    "Waiting",
    "close",
    "find_replies",
    "join",
    "letters_out",
    "preview",
    "remind",
    "requests_of",
    "send",
    "settle_requests",
    "waiting_replies",
]
