"""The tree of errors that OptiBench raises on purpose.

    OptiBenchError
    ├── InputError          wrong configuration or data; no run was created           exit code 2
    │   ├── ConfigError     a key of the configuration
    │   └── DataError       a file, a column, a row
    └── BenchmarkError      the benchmark failed; its run is FAILED with the reason   exit code 1
        ├── EngineError     the engine (joblib, Dask, Spark) failed or was lost
        ├── FitError        a distributed fit failed; the search records it as a trial's error
        ├── SearchError     no candidate has a finite score
        └── TrackingError   the tracking store failed

A message says what was given, what is allowed and what to do next. Engine exceptions are chained
with `from`.
"""

from __future__ import annotations


class OptiBenchError(Exception):
    """Base class of all errors that OptiBench raises on purpose."""

    exit_code = 1


class InputError(OptiBenchError):
    """The configuration or the data is wrong; no run was created."""

    exit_code = 2


class ConfigError(InputError):
    """A key of the configuration is unknown, or its value is not allowed."""


class DataError(InputError):
    """The table cannot be used as configured."""


class BenchmarkError(OptiBenchError):
    """The benchmark started and failed."""


class EngineError(BenchmarkError):
    """The engine failed, could not be reached, or lost its workers."""


class FitError(BenchmarkError):
    """A distributed fit failed although no worker was lost."""


class SearchError(BenchmarkError):
    """No candidate has a finite score."""


class TrackingError(BenchmarkError):
    """The tracking store could not be opened, read or written."""
