"""Turn arrays that scikit-learn generated into a `Table`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optibench.datasets.selection import select

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from optibench.datasets.fields import DatasetFields
    from optibench.records import Table


def tabulate(X: NDArray[np.float64], y: NDArray[Any], fields: DatasetFields, seed: int) -> Table:
    """Name the columns feature_0, feature_1, ... and `label`, and apply `columns` and `drop`."""
    import pandas as pd

    frame = pd.DataFrame(X, columns=[f"feature_{number}" for number in range(X.shape[1])])
    frame["label"] = y
    # The arrays have n_samples rows and n_features columns already.
    chosen = replace(fields, n_samples=None, n_features=None)
    return select(frame, chosen, f"generated:{fields.name}", seed)
