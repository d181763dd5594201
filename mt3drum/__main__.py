"""`python -m mt3drum`."""

import sys

from mt3drum.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
