"""The few protocols that rooms meet through. Read these and `records/` first.

A plug-in (dataset, model, search, backend) is a frozen dataclass; its fields are the schema of its
YAML file in conf/, so that a wrong type or an unknown key fails by name. The module
`optibench/<room>/<name>.py` (or folder `<name>/`) of a plug-in names its class in the module
constant `PLUGIN`.
"""

from optibench.contracts.data_parallel import (
    DataParallelEngine,
    DistributedFit,
    EngineTaskMetrics,
    FitJob,
    PartitionedTable,
    PredictionRequest,
    ReadChunks,
    Shares,
    Trainer,
    TrainerRequest,
    WorkerProfiler,
)
from optibench.contracts.fit_sharing import (
    CacheEntry,
    CostAttribution,
    FitSetting,
    FitSharing,
    FoldRows,
    GroupMember,
    SharedFit,
)
from optibench.contracts.plugins import Backend, DatasetSource, Evaluation, Model, Search
from optibench.contracts.running import Engine, RemoteEngine, Tracker, WorkerTask
from optibench.contracts.searching import Journal, SearchFacts, SearchState

__all__ = [
    "Backend",
    "CacheEntry",
    "CostAttribution",
    "DataParallelEngine",
    "DatasetSource",
    "DistributedFit",
    "Engine",
    "EngineTaskMetrics",
    "Evaluation",
    "FitJob",
    "FitSetting",
    "FitSharing",
    "FoldRows",
    "GroupMember",
    "Journal",
    "Model",
    "PartitionedTable",
    "PredictionRequest",
    "ReadChunks",
    "RemoteEngine",
    "Search",
    "SearchFacts",
    "SearchState",
    "SharedFit",
    "Shares",
    "Tracker",
    "Trainer",
    "TrainerRequest",
    "WorkerProfiler",
    "WorkerTask",
]
