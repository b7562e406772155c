"""Tables that ship with scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.datasets.fields import refuse_path
from optibench.datasets.selection import select

if TYPE_CHECKING:
    from optibench.datasets.fields import DatasetFields
    from optibench.records import Table


def load_builtin(fields: DatasetFields, loader: str, seed: int) -> Table:
    """Read a table by `sklearn.datasets.<loader>`; its classes are in the column `target`."""
    import sklearn.datasets

    refuse_path(fields)
    frame = getattr(sklearn.datasets, loader)(as_frame=True).frame
    return select(frame, fields, f"builtin:{fields.name}", seed)
