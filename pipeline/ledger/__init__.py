"""The ledger: what was received, and what became of it. The truth about every received byte is here.

A caller opens it and hands it to these functions; each is one transaction, whole or not at all, on SQLite
and on PostgreSQL alike. What they raise is said where they are.

    open_ledger(settings) -> Ledger                    a context manager

    receive(ledger, [Arrival, ...]) -> [Receipt, ...]  when it returns, the sources may forget the bytes
    opened(ledger, id)                                 context manager: the Submission with plain files
    opened_file(ledger, id, position)                  the same of one file
    load_case(ledger, id) -> dict | None               the latest case as the contract's JSON; or a number's
    standing_case(ledger, id) -> dict | None           the same with what a person corrected
    load_reading, load, save                           other sealed texts, by kind and number (`texts`)

    worker_name() -> str                               a new one, for who claims
    claim(ledger, worker, most) -> [Claim, ...]        expedited first; what dead workers held comes back
    renew(ledger, claim) -> Claim                      before its lease ends
    save_reading(ledger, claim, reading)
    finish(ledger, claim, case, marks, counts, outgoing)      the case, and its way to the evaluator
    finish_to_send(...) -> [Sending, ...]              the same, its way held by the worker from the start
    resent_candidates(ledger, id, marks, is_like)      what it may be, sent again
    attach_resent(ledger, claim, original, marks, counts)     it was that one
    release(ledger, claim), retry(ledger, claim, reason)      given back; after a failure with a pause

    claim_sendings(ledger, worker, most) -> [Sending, ...]    what is to be sent, by target and key
    evaluated(ledger, sending, case, outgoing)         the evaluator answered
    evaluated_to_send(...) -> [Sending, ...]           the same, what is sent on held from the start
    delivered(ledger, sending), undelivered(ledger, sending, reason, can_pass=...)

    replay, reject, expedite, pend, resume             what a person decides; each names its actor
    item, items, history, figures, balance             looking
    channel_stands, refused, channel_standing          what a channel tells of itself, and who asks
    delivered_as, channels_of                          which channel brought what
    measures, stuck, add_tallies                       monitoring
    erase_old, sweep, rekey                            keeping house

States: received → in_flight → done | partial | parked | rejected; back only by release, a lost lease or
`replay`. Every change is an event, added and never altered, with time, actor and cause. A submission's id
comes from its bytes, so the same bytes are the same submission. Patient text is sealed wherever it lies.

SQLAlchemy Core and not its ORM: a claim is one statement over many rows, each transaction is short and
starts from what the database says then, and an object that outlives its transaction would be a lie here.
"""

from pipeline.ledger.balance import Balance, balance
from pipeline.ledger.channels import WORKING, channel_standing, channel_stands, refused
from pipeline.ledger.claims import claim, claims_due, release, renew, retry, save_reading, worker_name
from pipeline.ledger.decisions import expedite, pend, reject, replay, resume
from pipeline.ledger.finishing import attach_resent, finish, finish_to_send
from pipeline.ledger.measures import WHY_STUCK, Measures, Tally, add_tallies, measures, stuck
from pipeline.ledger.opening import Ledger, ledger_url, open_ledger
from pipeline.ledger.outbox import (
    EVALUATOR,
    claim_sendings,
    delivered,
    evaluated,
    evaluated_to_send,
    sendings_due,
    undelivered,
)
from pipeline.ledger.queries import (
    Figures,
    History,
    Order,
    channels_of,
    delivered_as,
    figures,
    history,
    item,
    items,
)
from pipeline.ledger.receiving import receive
from pipeline.ledger.records import (
    ENDED,
    Arrival,
    ChannelStanding,
    Claim,
    Event,
    Incoming,
    Item,
    Outgoing,
    PageMark,
    Receipt,
    Sending,
    State,
)
from pipeline.ledger.rekeying import rekey
from pipeline.ledger.resent import resent_candidates
from pipeline.ledger.retention import erase_old, sweep
from pipeline.ledger.texts import (
    TOLD,
    load,
    load_all,
    load_case,
    load_reading,
    names,
    opened,
    opened_file,
    rename,
    save,
    standing_case,
)

__all__ = [
    "ENDED",
    "EVALUATOR",
    "TOLD",
    "WHY_STUCK",
    "WORKING",
    "Arrival",
    "Balance",
    "ChannelStanding",
    "Claim",
    "Event",
    "Figures",
    "History",
    "Incoming",
    "Item",
    "Ledger",
    "Measures",
    "Order",
    "Outgoing",
    "PageMark",
    "Receipt",
    "Sending",
    "State",
    "Tally",
    "add_tallies",
    "attach_resent",
    "balance",
    "channel_standing",
    "channel_stands",
    "channels_of",
    "claim",
    "claim_sendings",
    "claims_due",
    "delivered",
    "delivered_as",
    "erase_old",
    "evaluated",
    "evaluated_to_send",
    "expedite",
    "figures",
    "finish",
    "finish_to_send",
    "history",
    "item",
    "items",
    "ledger_url",
    "load",
    "load_all",
    "load_case",
    "load_reading",
    "measures",
    "names",
    "open_ledger",
    "opened",
    "opened_file",
    "pend",
    "receive",
    "refused",
    "reject",
    "rekey",
    "release",
    "rename",
    "renew",
    "replay",
    "resent_candidates",
    "resume",
    "retry",
    "save",
    "save_reading",
    "sendings_due",
    "standing_case",
    "stuck",
    "sweep",
    "undelivered",
    "worker_name",
]
