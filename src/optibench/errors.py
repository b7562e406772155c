"""The error tree. Every error that OptiBench raises on purpose derives from `OptiBenchError`.

    OptiBenchError
    ├── InputError          wrong configuration or data, found before any run exists  exit code 2
    │   ├── ConfigError     a key of the configuration
    │   └── DataError       a file, a column, a row
    └── BenchmarkError      the benchmark failed, its MLflow run says FAILED and why  exit code 1
        ├── EngineError     the engine (joblib, Dask, Spark) failed or was lost
        ├── FitError        a fit on all workers failed; the search records it as a trial's error
        ├── SearchError     nothing finite came out of the search
        └── TrackingError   the tracking store refused

A message says what came, what is allowed and what to do next. Engine exceptions are chained with
`from`.
"""

from __future__ import annotations


class OptiBenchError(Exception):
    """Base class of every error that OptiBench raises on purpose."""

    exit_code = 1


class InputError(OptiBenchError):
    """Wrong configuration or data, told before any run is created."""

    exit_code = 2


class ConfigError(InputError):
    """A key of the configuration has a value that is not allowed."""


class DataError(InputError):
    """The table cannot be used as configured."""


class BenchmarkError(OptiBenchError):
    """The benchmark was started and failed."""


class EngineError(BenchmarkError):
    """The engine failed, or could not be reached, or lost its workers."""


class FitError(BenchmarkError):
    """A fit that all workers made together failed, and no worker was lost."""


class SearchError(BenchmarkError):
    """No candidate has a finite score."""


class TrackingError(BenchmarkError):
    """The tracking store could not be opened or written."""
