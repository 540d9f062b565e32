"""Orchestration: the only package that imports Prefect.

Prefect reads the environment when it is imported; what keeps it quiet stands there before.
"""

import os

from flows.local_api import QUIET

for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)
