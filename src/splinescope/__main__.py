"""The program: `splinescope`, or `python -m splinescope`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; who interrupts while it is loaded is answered as later.

    Returns:
        The exit status.
    """
    try:
        from splinescope.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
