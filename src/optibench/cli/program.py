"""`main` for the command line and `run` for Python; both call `benchmark.run`."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from optibench.cli.exits import HYDRA_RAISES, INTERRUPTED, report_error
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
    # Requests to stop (docker stop, the time limit of a pipeline) close the run as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
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
    except Exception as error:  # whatever it is, the user gets one paragraph
        return report_error(error)


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
    # Otherwise Hydra prints its refusals itself and exits with 1.
    os.environ[HYDRA_RAISES] = "1"
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(task)()
    except SystemExit as stop:
        return int(stop.code or 0)
    return codes[0] if codes else 0


def run(config: Mapping[str, Any] | Sequence[str] = (), **options: Any) -> Result:
    """Run one benchmark and return its result, as `python -m optibench` does.

    Args:
        config: overrides as on the command line (`["model=kmeans", "seed=1"]`), or a nested
            mapping of keys (`{"model": "kmeans", "backend": {"workers": 2}}`) over the defaults.
        options: more top-level keys, e.g. `seed=1`.

    Returns:
        The result; the MLflow run `result.run_id` holds the same values.

    Raises:
        InputError: wrong configuration or data; no run was created.
        BenchmarkError: the benchmark failed; its MLflow run is FAILED and has the reason.
    """
    from optibench.runner import benchmark

    try:
        resolved = _resolved(config, options)
        if resolved.top.plan:
            msg = "plan=true: optibench.run runs a benchmark; call optibench.plan for its plan."
            raise ConfigError(msg)
        if resolved.top.repeats > 1:
            msg = (
                f"repeats={resolved.top.repeats}: only the command line repeats a benchmark, each "
                "time in a new process; from Python, call optibench.run several times."
            )
            raise ConfigError(msg)
        return benchmark.run(resolved, entry=Entry.now())
    except OptiBenchError as error:
        redact_exception(error)
        raise


def plan(config: Mapping[str, Any] | Sequence[str] = (), **options: Any) -> Plan:
    """Return what `run` would do with the same arguments, and run nothing.

    Raises:
        InputError: wrong configuration or data.
    """
    from optibench.runner import benchmark

    return benchmark.plan(_resolved(config, options))


def release_engine() -> None:
    """Close the engine that `backend.keep_alive=true` keeps running; do nothing if there is none.

    The end of the program closes it too.
    """
    from optibench.backends.common import reuse

    reuse.release()


def _resolved(config: Mapping[str, Any] | Sequence[str], options: Mapping[str, Any]) -> Config:
    from optibench.cli.arguments import overrides_of
    from optibench.config.composition import compose
    from optibench.config.resolution import resolve

    return resolve(compose([*overrides_of(config), *overrides_of(options)]))
