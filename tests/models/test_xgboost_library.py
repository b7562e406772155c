"""Boosting by XGBoost's C library is boosting by its public API, to the last bit."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
import xgboost

from optibench.models import xgboost_library
from optibench.models.xgboost_library import boost, fast_update

ROUNDS = range(12)
SETTINGS = {
    "drawn rows and columns": {"subsample": 0.6, "colsample_bynode": 0.5, "seed": 3},
    "dart": {"booster": "dart", "rate_drop": 0.3, "one_drop": 1},
    "three classes": {"objective": "multi:softprob", "num_class": 3},
    "exact": {"tree_method": "exact"},
    "regression": {"objective": "reg:absoluteerror"},
}


def rows(settings):
    """With names of features, which only the public API looks at, and with gaps."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    y = rng.integers(settings.get("num_class", 2), size=300)
    kind = xgboost.DMatrix if settings.get("tree_method") == "exact" else xgboost.QuantileDMatrix
    return kind(X, label=y, feature_names=["a", "b", "c", "d"], nthread=1)


def boosted(settings, advance):
    matrix = rows(settings)
    booster = xgboost.Booster({"nthread": 1, **settings}, [matrix])
    advance(booster, matrix)
    return bytes(booster.save_raw("ubj"))


def by_public_api(booster, matrix):
    for iteration in ROUNDS:
        booster.update(matrix, iteration)


def by_library(booster, matrix):
    boost(booster, matrix, ROUNDS)


@pytest.fixture
def _asked_anew():
    """What is known of the library is found out again, before the test and after it."""
    fast_update.cache_clear()
    yield
    fast_update.cache_clear()


def test_the_installed_xgboost_has_the_functions_and_the_handles():
    matrix = rows({})
    booster = xgboost.Booster({"nthread": 1}, [matrix])
    library = xgboost_library._library()
    assert library is not None, "libpath.find_lib_path, XGBoosterUpdateOneIter, XGBGetLastError"
    assert fast_update() is not None
    assert isinstance(booster.handle, ctypes.c_void_p), "Booster.handle"
    assert isinstance(matrix.handle, ctypes.c_void_p), "DMatrix.handle"


def test_the_rounds_after_the_first_are_not_boosted_by_the_public_api(monkeypatch):
    updates = []
    update = xgboost.Booster.update
    monkeypatch.setattr(
        xgboost.Booster,
        "update",
        lambda self, matrix, iteration: (
            updates.append(iteration) or update(self, matrix, iteration)
        ),
    )
    boosted({}, by_library)
    assert updates == [0]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_model_is_that_of_the_public_api(settings, monkeypatch):
    expected = boosted(settings, by_public_api)
    assert boosted(settings, by_library) == expected
    monkeypatch.setattr(xgboost_library, "fast_update", lambda: None)
    assert boosted(settings, by_library) == expected


@pytest.mark.usefixtures("_asked_anew")
@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("xgboost.libpath.find_lib_path", list),
        ("xgboost.libpath.find_lib_path", lambda: ["/nowhere/libxgboost.so"]),
        ("ctypes.CDLL", lambda _: SimpleNamespace(XGBGetLastError=SimpleNamespace())),
    ],
    ids=["no path", "no library", "no function"],
)
def test_without_the_library_every_round_is_boosted_by_the_public_api(name, changed, monkeypatch):
    expected = boosted({}, by_public_api)
    monkeypatch.setattr(name, changed)
    assert fast_update() is None
    assert boosted({}, by_library) == expected


def test_without_handles_every_round_is_boosted_by_the_public_api():
    rounds = []
    other = SimpleNamespace(update=lambda _, iteration: rounds.append(iteration))
    boost(other, SimpleNamespace(), range(3, 6))
    assert rounds == [3, 4, 5]


def test_no_rounds_do_nothing():
    matrix = rows({})
    booster = xgboost.Booster({"nthread": 1}, [matrix])
    boost(booster, matrix, range(4, 4))
    assert booster.num_boosted_rounds() == 0
