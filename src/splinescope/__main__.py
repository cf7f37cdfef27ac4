"""`python -m splinescope` is the command line."""

import sys

from splinescope.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
