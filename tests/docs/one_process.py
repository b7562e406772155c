"""Run the steps of a tutorial in one process, so that libraries are imported once.

    python -m tests.docs.one_process STEPS.json RESULTS.json

A step is `{"kind": "python" | "command", "text": ...}`, its result is
`{"code": ..., "output": ...}`.
"""

import json
import os
import shlex
import sys
import tempfile
import traceback
from pathlib import Path


def main():
    """Run every step and write what it printed, whatever becomes of it."""
    steps, results = (Path(path) for path in sys.argv[1:])
    done = [run(step) for step in json.loads(steps.read_text())]
    results.write_text(json.dumps(done))


def run(step):
    """Run one step with both streams in a file, which child processes write to as well."""
    kept = [os.dup(stream) for stream in (1, 2)]
    with tempfile.TemporaryFile() as file:
        try:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
            code = _code_of(step)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            for stream, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, stream)
                os.close(copy)
        file.seek(0)
        return {"code": code, "output": file.read().decode()}


def _code_of(step):
    from optibench.cli import main as optibench

    try:
        if step["kind"] == "command":
            program, *words = shlex.split(step["text"])
            return optibench(words) if program == "optibench" else f"{program} is not known here"
        exec(compile(step["text"], "<tutorial>", "exec"), {"__name__": "__main__"})  # noqa: S102
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
