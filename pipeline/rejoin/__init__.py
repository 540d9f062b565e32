"""A reply finds its case: by the barcode on its cover sheet, by the printed reference, else by what it says.

references_in(reading, known) -> Seen            the references of ours that are on its pages
match(reply, seen, requests, letters) -> Match   the request that it answers, or why a person must say
joined(original, reply) -> Submission, Reading   all files and pages of both
settle(before, after) -> Settled                 which items are answered, which are still open
"""

from pipeline.rejoin.join import Settled, joined, settle
from pipeline.rejoin.match import Known, Match, match
from pipeline.rejoin.portrait import Portrait, portrait_of
from pipeline.rejoin.seen import Seen, references_in

__all__ = [
    "Known",
    "Match",
    "Portrait",
    "Seen",
    "Settled",
    "joined",
    "match",
    "portrait_of",
    "references_in",
    "settle",
]
