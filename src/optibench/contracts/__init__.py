"""The protocols through which packages meet. Read these and `records/` first.

A plug-in (dataset, model, search, backend) is a frozen dataclass. Its fields are the schema of its
configuration, so that a wrong type or an unknown key fails by name. Built-in plug-ins are listed
in `config/registry.py`; those of other packages are found by entry points.
"""

from optibench.contracts.blocks import BlockFiles, PartitionedTable, ReadChunks, Shares
from optibench.contracts.data_parallel import (
    DataParallelTraining,
    DistributedFit,
    EngineTaskMetrics,
    FitJob,
    PredictionRequest,
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
from optibench.contracts.models import DistributedFitSupport, Model
from optibench.contracts.plugins import Backend, DatasetSource, Evaluation, Search
from optibench.contracts.running import Engine, EngineReuse, RemoteWorkers
from optibench.contracts.scheduling import Scheduler
from optibench.contracts.searching import Journal, SearchFacts, SearchState
from optibench.contracts.shared_values import SharedValue, WorkerTask
from optibench.contracts.tracking import Tracker

__all__ = [
    "Backend",
    "BlockFiles",
    "CacheEntry",
    "CostAttribution",
    "DataParallelTraining",
    "DatasetSource",
    "DistributedFit",
    "DistributedFitSupport",
    "Engine",
    "EngineReuse",
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
    "RemoteWorkers",
    "Scheduler",
    "Search",
    "SearchFacts",
    "SearchState",
    "SharedFit",
    "SharedValue",
    "Shares",
    "Tracker",
    "Trainer",
    "TrainerRequest",
    "WorkerProfiler",
    "WorkerTask",
]
