"""Tables in Parquet files, of any size: normal values around eight centres, and a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optibench.evaluation.parts import part_numbers, row_keys

if TYPE_CHECKING:
    from pathlib import Path

    from optibench.evaluation.parts import PartPlan

CENTRES = 8
LABEL = "label"
PART = "part"
GROUP_ROWS = 65_536


def make_table(
    folder: Path, rows: int, columns: int, *, files: int, plan: PartPlan | None = None
) -> None:
    """Write `files` files of float32 columns and a label that three columns decide.

    `plan`: add a column with the part that our program gives each row, for those that do not know.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {f"x{number}": pa.float32() for number in range(columns)} | {LABEL: pa.int8()}
    types |= {} if plan is None else {PART: pa.int16()}
    names, schema = list(types), pa.schema(types)
    centres = np.random.default_rng(7).normal(size=(CENTRES, columns)).astype(np.float32)
    for number in range(files):
        rng, path = np.random.default_rng((0, number)), folder / f"{number:03d}.parquet"
        n_rows = rows // files
        with pq.ParquetWriter(path, schema, use_dictionary=False, compression="none") as writer:
            for first in range(0, n_rows, GROUP_ROWS):
                n = min(n_rows - first, GROUP_ROWS)
                X = rng.standard_normal((n, columns), dtype=np.float32)
                X += centres[rng.integers(CENTRES, size=n)]
                label = (X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=n) > 0).astype(np.int8)
                values = [*X.T, label]
                if plan is not None:
                    keys = row_keys(plan.seed, path.name, first, n)
                    values.append(part_numbers(keys, plan))
                table = pa.table(values, names=names)
                writer.write_table(table, row_group_size=GROUP_ROWS)
