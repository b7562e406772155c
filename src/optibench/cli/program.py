"""`main` for the command line, `run` for Python; both end in `benchmark.run`."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from optibench.cli.exits import HYDRA_RAISES, INTERRUPTED, tell
from optibench.errors import ConfigError, OptiBenchError
from optibench.records import Entry
from optibench.redaction import redact_exception

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from omegaconf import DictConfig

    from optibench.config.schema import Config
    from optibench.records import Plan, Result

ENTRY = Entry.now()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # What stops a process politely (docker stop, a pipeline's time limit) closes the run as Ctrl-C
    # does.
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        if words[:1] == ["export"]:
            from optibench.report.export import main as command

            return command(words[1:])
        if words[:1] == ["ui"]:
            from optibench.report.ui import main as command

            return command(words[1:])
        return _benchmark(words)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # the last resort: whatever it is, the user gets one paragraph
        return tell(error)


def _benchmark(words: list[str]) -> int:
    import hydra

    from optibench.cli.arguments import prepare
    from optibench.config.composition import conf_dir, prepare_file_source

    codes: list[int] = []

    def task(composed: DictConfig) -> None:
        from optibench.cli.job import run_job

        codes.append(run_job(composed, ENTRY))

    prepare_file_source()
    sys.argv = ["optibench", *prepare(words)]
    # Else Hydra prints what it refuses in its own way and exits with 1.
    os.environ[HYDRA_RAISES] = "1"
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(task)()
    except SystemExit as stop:
        return int(stop.code or 0)
    return codes[0] if codes else 0


def run(config: Mapping[str, Any] | Sequence[str] = (), **options: Any) -> Result:
    """Run one benchmark and return what came out; the same as `python -m optibench`.

    Args:
        config: overrides as on the command line (`["model=kmeans", "seed=1"]`), or a nested
            mapping of keys (`{"model": "kmeans", "backend": {"workers": 2}}`) over the defaults.
        options: more top-level keys, e.g. `seed=1`.

    Returns:
        The result; its facts stand in the MLflow run `result.run_id` as well.

    Raises:
        InputError: wrong configuration or data; no run was created.
        BenchmarkError: the benchmark failed; its run says FAILED and why.
    """
    from optibench.runner import benchmark

    try:
        resolved = _resolved(config, options)
        if resolved.top.plan:
            msg = "plan=true: a plan runs nothing; call optibench.plan for it."
            raise ConfigError(msg)
        if resolved.top.repeats > 1:
            msg = (
                f"repeats={resolved.top.repeats}: each repeat has a process of its own, which the "
                "command line starts; from Python call run as often."
            )
            raise ConfigError(msg)
        return benchmark.run(resolved, entry=Entry.now())
    except OptiBenchError as error:
        redact_exception(error)
        raise


def plan(config: Mapping[str, Any] | Sequence[str] = (), **options: Any) -> Plan:
    """Say what `run` would do with the same arguments, and run nothing.

    Raises:
        InputError: wrong configuration or data.
    """
    from optibench.runner import benchmark

    return benchmark.plan(_resolved(config, options))


def release_engine() -> None:
    """Close the engine that `backend.keep_alive=true` has left up; without one, do nothing.

    The end of the program does so too.
    """
    from optibench.backends.common import reuse

    reuse.release()


def _resolved(config: Mapping[str, Any] | Sequence[str], options: Mapping[str, Any]) -> Config:
    from optibench.cli.arguments import overrides_of
    from optibench.config.composition import compose
    from optibench.config.resolution import resolve

    return resolve(compose([*overrides_of(config), *overrides_of(options)]))
