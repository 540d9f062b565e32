"""`triage` whose intake server waits a while between the receipt and the answer, so that it can be killed
there: python -m tests.slow_answer intake --port 0"""

from __future__ import annotations

import sys
import time

from pipeline.__main__ import main
from pipeline.intake_server import uploads
from pipeline.ledger import Arrival, Ledger, Receipt

_hand_in = uploads.hand_in


def slowly(ledger: Ledger, arrival: Arrival) -> Receipt:
    receipt = _hand_in(ledger, arrival)
    time.sleep(60)
    return receipt


if __name__ == "__main__":
    uploads.hand_in = slowly
    sys.exit(main())
