"""The few protocols that rooms meet through. Read these and `records/` first.

A plug-in (dataset, model, search, backend) is a frozen dataclass; its fields are the schema of its
YAML file in conf/, so that a wrong type or an unknown key fails by name. The module
`optibench/<room>/<name>.py` (or folder `<name>/`) of a plug-in names its class in the module
constant `PLUGIN`.
"""

from optibench.contracts.plugins import Backend, DatasetSource, EvaluationSettings, Model, Search
from optibench.contracts.running import Engine, RemoteEngine, Tracker, WorkerTask
from optibench.contracts.savings import Bill, FitSetting, FoldRows, Kept, Member, Savings, Shared
from optibench.contracts.searching import Journal, SearchFacts, SearchState
from optibench.contracts.training import (
    Ask,
    CallProfiler,
    FitJob,
    OwnRecord,
    PartitionedTable,
    ReadChunks,
    Shares,
    Trainer,
    TrainerRequest,
    TrainingEngine,
    WholeFit,
)

__all__ = [
    "Ask",
    "Backend",
    "Bill",
    "CallProfiler",
    "DatasetSource",
    "Engine",
    "EvaluationSettings",
    "FitJob",
    "FitSetting",
    "FoldRows",
    "Journal",
    "Kept",
    "Member",
    "Model",
    "OwnRecord",
    "PartitionedTable",
    "ReadChunks",
    "RemoteEngine",
    "Savings",
    "Search",
    "SearchFacts",
    "SearchState",
    "Shared",
    "Shares",
    "Tracker",
    "Trainer",
    "TrainerRequest",
    "TrainingEngine",
    "WholeFit",
    "WorkerTask",
]
