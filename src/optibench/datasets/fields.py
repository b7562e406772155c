"""The keys that every dataset has in conf/dataset/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.errors import ConfigError

if TYPE_CHECKING:
    from optibench.contracts import BlockFiles


@dataclass(frozen=True)
class DatasetFields:
    """What to read, and which part of it.

    Attributes:
        name: the choice in conf/dataset/.
        path: file to read, relative to the working directory; for csv and parquet only.
        target: the column with the classes; None where there is none.
        columns: columns to keep, the target always among them; None: all.
        drop: columns to leave out.
        categorical: feature columns whose values are categories.
        n_samples: rows: to generate, or to draw at random with the seed; None: all.
        n_features: features: to generate, or to keep, the first of the table; None: all.
        scale: True, False or "auto", which standardises for clustering.
    """

    name: str = ""
    path: str | None = None
    target: str | None = None
    columns: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    n_samples: int | None = None
    n_features: int | None = None
    scale: bool | str = "auto"

    def in_blocks(self, *, classes: bool) -> BlockFiles | None:
        """The table to be read block by block, where it lies in files; else None.

        Args:
            classes: the target holds labels.
        """
        del classes
        return None


def check_counts(fields: DatasetFields) -> None:
    """Refuse counts below 1.

    Raises:
        ConfigError: `n_samples` or `n_features` is 0 or negative.
    """
    for key in ("n_samples", "n_features"):
        value = getattr(fields, key)
        if value is not None and value < 1:
            msg = (
                f"dataset.{key}={value}: allowed is a whole number of at least 1, or null for all."
            )
            raise ConfigError(msg)


def refuse_path(fields: DatasetFields) -> None:
    """Refuse a path where no file is read.

    Raises:
        ConfigError: `path` is given.
    """
    if fields.path is not None:
        msg = (
            f"dataset.path={fields.path!r}: dataset={fields.name} reads no file of yours. Use "
            "dataset=csv or dataset=parquet, or take the path away."
        )
        raise ConfigError(msg)
