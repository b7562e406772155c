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
        target: column to predict; None if there is none.
        columns: columns to keep besides the target; None keeps all.
        drop: columns to leave out.
        categorical: feature columns whose values are categories.
        n_samples: number of rows to generate, or to draw at random with the seed; None: all.
        n_features: number of features to generate, or to keep from the left; None: all.
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
        """Return the files of the table to read them in blocks; None if it has no files.

        Args:
            classes: whether the target holds class labels.
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
    """Refuse a path for a dataset that reads no file.

    Raises:
        ConfigError: `path` is given.
    """
    if fields.path is not None:
        msg = (
            f"dataset.path={fields.path!r}: dataset={fields.name} reads no file. Use dataset=csv "
            "or dataset=parquet, or remove the path."
        )
        raise ConfigError(msg)
