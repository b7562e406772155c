"""`python -m optibench` is the same program as `optibench`."""

import sys

from optibench.cli import main

if __name__ == "__main__":
    sys.exit(main())
