"""Every built-in dataset does what the conformance suite says."""

import numpy as np
import pandas as pd
import pytest

from optibench.config.registry import BUILT_IN, find
from optibench.records import Task
from optibench.testing import DatasetSuite

FILES = {"csv": "table.csv", "parquet": "parts"}
NUMBERS = ("diabetes", "regression")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same table in either format."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=90), "b": rng.integers(0, 9, 90)})
    frame["y"] = np.where(frame["a"] > 0, "up", "down")
    frame.to_csv(folder / FILES["csv"], index=False)
    (folder / FILES["parquet"]).mkdir()
    for number in range(3):
        part = frame.iloc[30 * number : 30 * number + 30]
        part.to_parquet(folder / FILES["parquet"] / f"{number}.parquet")
    return folder


@pytest.mark.shared_engine
class TestDatasets(DatasetSuite):
    @pytest.fixture(params=sorted(BUILT_IN["dataset"]))
    def dataset(self, request, folder):
        name = request.param
        self.task = Task.REGRESSION if name in NUMBERS else Task.CLASSIFICATION
        options = {"path": str(folder / FILES[name]), "target": "y"} if name in FILES else {}
        return find("dataset", name)(**options)

    @classmethod
    def teardown_class(cls):
        """The engine stays up for other tests."""
