"""Folds that are kept as a number per row are those of scikit-learn's splitters."""

import numpy as np
import pytest
from sklearn import model_selection

from optibench.records import Folds

N_ROWS = 103
RNG = np.random.default_rng(0)
Y, GROUPS = RNG.integers(3, size=N_ROWS), RNG.integers(17, size=N_ROWS)
SHUFFLED = {"shuffle": True, "random_state": 4}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("KFold", SHUFFLED),
        ("StratifiedKFold", SHUFFLED),
        ("GroupKFold", SHUFFLED),
        ("StratifiedGroupKFold", SHUFFLED),
        ("TimeSeriesSplit", {}),
    ],
)
def test_row_numbers_are_those_of_the_splitter_in_its_order(name, settings):
    splitter = getattr(model_selection, name)(5, **settings)
    groups = GROUPS if "Group" in name else None
    expected = list(splitter.split(np.zeros((N_ROWS, 1)), Y, groups))
    folds = Folds.of(iter(expected), N_ROWS, ordered=name == "TimeSeriesSplit")
    assert len(folds) == 5
    for (train, validation), (their_train, their_validation) in zip(folds, expected, strict=True):
        assert np.array_equal(train, their_train)
        assert np.array_equal(validation, their_validation)
    assert [len(train) for train, _ in folds[1:3]] == [len(train) for train, _ in expected[1:3]]
    with pytest.raises(IndexError):
        folds[5]
    assert folds.validates.nbytes == 2 * N_ROWS
