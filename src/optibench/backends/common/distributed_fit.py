"""The model's support for fits on all workers, as the class that a trainer knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from optibench.errors import ConfigError

if TYPE_CHECKING:
    from optibench.contracts import DistributedFitSupport, Model

F = TypeVar("F", bound="DistributedFitSupport")


def distributed_fit_of(model: Model, kind: type[F]) -> F:
    """Return the support of `model` for fits on all workers.

    Args:
        model: the model that is to be trained.
        kind: the class of support that the trainer uses.

    Raises:
        ConfigError: the model has no support, or that of another kind of model.
    """
    support = model.distributed_fit
    if isinstance(support, kind):
        return support
    msg = (
        f"backend.parallelism=data: model={model.name} has {type(support).__name__} as "
        f"distributed_fit, but its trainer needs {kind.__name__}. Set backend.parallelism=trials."
    )
    raise ConfigError(msg)
