"""Means and variances of pieces, put together, against NumPy and scikit-learn on the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from optibench.evaluation.moments import Moments, scaler_of


@given(
    seed=st.integers(0, 2**31), cuts=st.lists(st.integers(1, 99), max_size=4), gaps=st.booleans()
)
def test_pieces_have_the_moments_of_the_whole(seed, cuts, gaps):
    rng = np.random.default_rng(seed)
    X = rng.normal(1e3, 1.0, (100, 3)) * [1.0, 1e-3, 1e6]
    if gaps:
        X[rng.random(X.shape) < 0.2] = np.nan
        X[0] = 1.0
    whole = Moments.merge([Moments.of(piece) for piece in np.split(X, sorted(cuts))])
    assert whole.mean == pytest.approx(np.nanmean(X, axis=0), rel=1e-12)
    assert whole.variance == pytest.approx(np.nanvar(X, axis=0), rel=1e-8)


@given(seed=st.integers(0, 2**31))
def test_the_scaler_is_that_of_scikit_learn_and_leaves_constants_alone(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(5, 2, 90), np.full(90, 0.1), rng.integers(0, 2, 90)])
    own = scaler_of(Moments.merge([Moments.of(X[:30]), Moments.of(X[30:])]))
    plain = StandardScaler().fit(X)
    assert own.scale_ == pytest.approx(plain.scale_, rel=1e-10)
    assert own.scale_[1] == 1.0
    assert own.transform(X) == pytest.approx(plain.transform(X), rel=1e-9, abs=1e-12)
    assert own.inverse_transform(own.transform(X)) == pytest.approx(X)
