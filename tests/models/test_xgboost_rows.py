"""A worker's rows as XGBoost has them."""

import numpy as np
import pytest
from xgboost import QuantileDMatrix

from optibench.contracts import FitJob, FitSetting
from optibench.models.xgboost_rows import WorkerRows
from optibench.records import Chunk, DataFacts


@pytest.mark.parametrize("stored", [False, True])
def test_bins_of_a_large_table_are_those_of_a_sample(stored, tmp_path):
    rng = np.random.default_rng(0)
    chunks = [
        Chunk(
            part=number % 3,
            X=rng.normal(number, size=(500, 2)).astype(np.float32),
            y=rng.integers(2, size=500),
            order=rng.integers(2**63, size=500, dtype=np.uint64) * np.uint64(2),
        )
        for number in range(6)
    ]
    held = [chunk.stored(str(tmp_path)) for chunk in chunks] if stored else chunks
    setting, limit, train = FitSetting(DataFacts(2, None), 0, 1), 2**62, frozenset({0, 1})
    job = FitJob([{}], train, [], n_rows=2000, sketch_limit=limit)
    matrix = WorkerRows(held, job, setting, first=True).matrix(16)
    rows = np.concatenate([c.X[c.order < limit] for c in chunks if c.part in train])
    assert 300 < len(rows) < 700
    expected = QuantileDMatrix(rows, max_bin=16, nthread=1).get_quantile_cut()
    assert matrix.num_row() == 2000
    assert all(map(np.array_equal, matrix.get_quantile_cut(), expected))
