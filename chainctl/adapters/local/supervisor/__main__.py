"""`python -m chainctl.adapters.local.supervisor RUN_DIR READY_FD` in, a detached supervisor out."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Leave the starter and supervise; the starter only sees a short-lived process."""
    run_directory, ready = Path(sys.argv[1]), int(sys.argv[2])
    if os.fork():
        os._exit(0)
    from chainctl.adapters.local.supervisor.supervise import supervise

    supervise(run_directory, ready)


if __name__ == "__main__":
    main()
