"""End the program: exit codes and error messages on stderr."""

from __future__ import annotations

import os
import sys
import traceback

from optibench.errors import InputError, OptiBenchError
from optibench.redaction import redact, redact_exception

INTERRUPTED = 130
HYDRA_RAISES = "HYDRA_FULL_ERROR"
FULL_ERROR = os.environ.get(HYDRA_RAISES) == "1"  # the user wants tracebacks


def report_error(error: Exception) -> int:
    """Write on stderr what went wrong, and return the exit code."""
    from optibench.cli.refusals import explain, is_refusal

    redact_exception(error)
    if FULL_ERROR:
        traceback.print_exception(error)
    if is_refusal(error):
        print(f"optibench: {redact(explain(error, sys.argv[1:]))}", file=sys.stderr)
        return InputError.exit_code
    if isinstance(error, OptiBenchError):
        print(f"optibench: {redact(str(error))}", file=sys.stderr)
        return error.exit_code
    print(f"optibench: {redact(f'{type(error).__name__}: {error}')}", file=sys.stderr)
    if not FULL_ERROR:
        print("Set HYDRA_FULL_ERROR=1 to see the traceback.", file=sys.stderr)
    return 1


def environment() -> dict[str, str]:
    """Return the environment as the user set it, for the processes that a sweep starts."""
    given = {key: value for key, value in os.environ.items() if key != HYDRA_RAISES}
    return {**given, HYDRA_RAISES: "1"} if FULL_ERROR else given
