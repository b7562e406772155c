"""Export benchmark runs to a table: the same as `optibench export`."""

from __future__ import annotations

import sys

from optibench.report.export import main

if __name__ == "__main__":
    sys.exit(main())
