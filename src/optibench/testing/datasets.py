"""The conformance suite of datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from optibench.datasets.encoding import encode
from optibench.evaluation.parts import PartPlan
from optibench.records import Status, Task
from optibench.strategies.data_parallel.files import SurveyedFiles
from optibench.strategies.data_parallel.survey import SurveyRequest, SurveyResult, survey_blocks
from optibench.testing.plugins import check_plugin, global_random_seed
from optibench.testing.runs import EngineUser, Plugins, configured, engine_words, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.contracts import DatasetSource

PLAN = PartPlan(0, 0.25, 3)


class DatasetSuite(EngineUser):
    """What every dataset does. Derive from it and override the fixture `dataset`.

    Attributes:
        task: what the table is for.
        overrides: needed to configure the dataset from the command line, such as a path.
    """

    task: ClassVar[Task] = Task.CLASSIFICATION
    overrides: ClassVar[Sequence[str]] = ()

    @pytest.fixture
    def dataset(self) -> DatasetSource:
        """Return the dataset as configured."""
        msg = f"{type(self).__name__} overrides the fixture `dataset`"
        raise NotImplementedError(msg)

    def test_it_is_found_by_its_name(self, dataset: DatasetSource) -> None:
        """It is a frozen dataclass that says whether it is scaled."""
        check_plugin("dataset", dataset, self.overrides)
        assert dataset.scale in (True, False, "auto")

    def test_its_table_names_its_columns(self, dataset: DatasetSource) -> None:
        """Target and categories are columns, names are text, and there is something to learn."""
        table = dataset.load(0)
        names = list(table.frame.columns)
        assert table.name == dataset.name
        assert table.source
        assert all(isinstance(name, str) for name in names)
        assert len(set(names)) == len(names)
        assert {*table.categorical} <= {*names}
        assert table.features
        if self.task is not Task.CLUSTERING:
            assert table.target in names
            assert table.frame[table.target].notna().all()

    def test_the_same_seed_gives_the_same_table(self, dataset: DatasetSource) -> None:
        """Whatever NumPy's global random numbers are."""
        digests = []
        for seed in (1, 2):
            with global_random_seed(seed):
                digests.append(encode(dataset.load(5), self.task).digest)
        assert digests[0] == digests[1]

    def test_it_is_encoded_as_numbers(self, dataset: DatasetSource) -> None:
        """Features become floats, classes become codes."""
        encoded = encode(dataset.load(0), self.task)
        assert encoded.X.dtype == np.float64
        assert encoded.X.shape == (len(encoded.X), len(encoded.feature_names))
        assert not np.isinf(encoded.X).any()
        if self.task is Task.CLASSIFICATION:
            assert encoded.y is not None
            assert set(encoded.y.tolist()) == set(range(len(encoded.classes)))

    def test_its_blocks_are_the_table(self, dataset: DatasetSource) -> None:
        """Workers that read it block by block get the rows that are loaded at once.

        A dataset that is not read in blocks has nothing to compare.
        """
        files = dataset.in_blocks(classes=self.task is Task.CLASSIFICATION)
        if files is None:
            return
        request = SurveyRequest(files, self.task, PLAN)
        seen = SurveyResult.merge([survey_blocks(request, [block]) for block in files.blocks])
        table = SurveyedFiles.of(request, seen).table
        rows = [rows for block in table.blocks for rows in table.read(block)]
        expected = encode(dataset.load(0), self.task)
        X = np.concatenate([piece.X for piece in rows])
        assert np.array_equal(X, expected.X, equal_nan=True)
        if expected.y is not None:
            found = [piece.y for piece in rows if piece.y is not None]
            assert np.array_equal(np.concatenate(found), expected.y)

    def test_a_model_is_fitted_on_it(self, dataset: DatasetSource) -> None:
        """A benchmark without a search ends well, with a finite score."""
        words = [*engine_words("sklearn"), "search=none"]
        result, tracker = run(configured(Plugins(dataset=dataset), self.task, words))
        assert result.status is Status.FINISHED
        assert np.isfinite(result.metrics[result.metric])
        assert tracker.params["n_samples"] == len(dataset.load(0).frame)
