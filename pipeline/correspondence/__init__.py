"""Requests for information in the ledger: sent, reminded of, answered, closed.

preview(ledger, knowledge, submission_id) -> Preview | None     what would be asked, to look at
send(ledger, knowledge, submission_id, to, actor) -> InformationRequest     once, however often it is asked
requests_of(ledger, ...) -> [Entry, ...]          what is open, and since when
close(ledger, reference, reason, actor)           by a person
run_due(ledger, knowledge, actor) -> Done         one round of all that follows, safe to repeat
  find_replies                                    submissions that answer a request, joined to it
  settle_requests                                 what the cases worked again have answered
  collect, try_again                              what became of what channels were handed, or did not take
  remind                                          reminders and expiry, by the policy's days
tell(ledger, reference, channel, failed, actor)   what a fax gateway says by itself
join(ledger, knowledge, submission, reference, actor)     by a person
letters_out(ledger, knowledge)                    how a worker delivers them
"""

from pipeline.correspondence.acknowledging import Heard, collect, tell
from pipeline.correspondence.closing import close, remind
from pipeline.correspondence.listing import requests_of, sent_request
from pipeline.correspondence.outgoing import letters_out
from pipeline.correspondence.previewing import Preview, preview
from pipeline.correspondence.records import Delivery, Entry, Sent, State, To, Waiting
from pipeline.correspondence.replies import find_replies, join, waiting_replies
from pipeline.correspondence.running import Done, run_due
from pipeline.correspondence.sending import send
from pipeline.correspondence.settling import settle_requests
from pipeline.correspondence.trying import try_again

__all__ = [
    "Delivery",
    "Done",
    "Entry",
    "Heard",
    "Preview",
    "Sent",
    "State",
    "To",
    "Waiting",
    "close",
    "collect",
    "find_replies",
    "join",
    "letters_out",
    "preview",
    "remind",
    "requests_of",
    "run_due",
    "send",
    "sent_request",
    "settle_requests",
    "tell",
    "try_again",
    "waiting_replies",
]
