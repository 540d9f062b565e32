"""One of triage's commands as a part of the service: ends with it.

python -m flows.command desk --port 8360
"""

from __future__ import annotations

import sys

from flows.children import end_with_parent
from pipeline.__main__ import main

if __name__ == "__main__":
    end_with_parent()
    sys.exit(main(sys.argv[1:]))
