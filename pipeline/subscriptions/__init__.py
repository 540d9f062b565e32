"""Other systems that are told of what happens: signed webhooks, with ids and nothing of a patient.

    add(ledger, settings, url, kinds, actor) -> (Subscription, secret)     the secret is shown this once
    listed(ledger) -> [Subscription, ...]
    enable(ledger, id, actor), remove(ledger, id, actor)
    send_due(ledger, settings) -> int            what waits is sent; whoever runs it, and however many do

What is to be told is written where it happens (`ledger.telling`). A system gets each telling under
one Idempotency-Key, in no certain order, again after growing pauses until it takes it. After so many failures
in a row it is left alone, and the audit trail and `triage webhook list` say so.

    places      where tellings may go, and that a name leads nowhere else
    register    the subscriptions
    sending     from a row to the other side
"""

from pipeline.subscriptions.register import Subscription, add, enable, listed, remove
from pipeline.subscriptions.sending import send_due, tidy

__all__ = ["Subscription", "add", "enable", "listed", "remove", "send_due", "tidy"]
