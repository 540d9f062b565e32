"""What a child of a service runs: `main` of a module, ended with the parent and by an interrupt from the
first line on, while nothing large is loaded yet.

    python -m flows.child MODULE [ARGUMENT ...]
"""

from __future__ import annotations

import sys
from importlib import import_module

from flows.children import end_with_parent


def main() -> int:
    """What the module's `main` returns; 0 where it was interrupted."""
    try:
        end_with_parent()
        module = import_module(sys.argv.pop(1))
        return module.main() or 0
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
