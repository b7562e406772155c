"""The frozen records that the packages exchange. Read these and `contracts` first.

A candidate is one set of hyperparameters. A trial is one candidate on one fold. A unit is the
trials of one fold that share fits and run together. A run is one benchmark, which is one MLflow
parent run. Names with `*_seconds` are durations; `start` and `end` are seconds since the epoch
(`time.time()`).
"""

from optibench.records.blocks import HELD_OUT, Block, Chunk, Rows, StoredChunk
from optibench.records.data import DataFacts, Dataset, Prediction, Scores, Split, Table
from optibench.records.folds import Folds
from optibench.records.kinds import MIB, ColumnKind, Params, Status, Task
from optibench.records.runs import (
    EngineRequest,
    Entry,
    FittedModel,
    JobNote,
    Plan,
    Result,
    RunHeader,
    Sample,
)
from optibench.records.trials import (
    Batch,
    BatchOutcome,
    Candidate,
    CandidateResult,
    Reused,
    Trial,
    Unit,
    UnitOutcome,
)

__all__ = [
    "HELD_OUT",
    "MIB",
    "Batch",
    "BatchOutcome",
    "Block",
    "Candidate",
    "CandidateResult",
    "Chunk",
    "ColumnKind",
    "DataFacts",
    "Dataset",
    "EngineRequest",
    "Entry",
    "FittedModel",
    "Folds",
    "JobNote",
    "Params",
    "Plan",
    "Prediction",
    "Result",
    "Reused",
    "Rows",
    "RunHeader",
    "Sample",
    "Scores",
    "Split",
    "Status",
    "StoredChunk",
    "Table",
    "Task",
    "Trial",
    "Unit",
    "UnitOutcome",
]
