"""XGBoost candidates on one fold share its quantised matrix, and one fit of the most trees.

The scikit-learn API quantises the rows anew for every candidate; one `QuantileDMatrix` serves all
with the same max_bin (missing value and categories are those of the table). And boosting goes
round by round, so that a fit of 300 trees is, after 100 rounds, the fit of 100: a path over
n_estimators is one fit that is asked on the way. Not so for dart, which changes earlier trees,
nor with early stopping. The tests hold the results equal to plain fits to the last bit.
"""

from __future__ import annotations

import ctypes
import functools
import math
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.contracts import SharedFit
from optibench.models.classifier import most_probable
from optibench.records import Prediction, Reused

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from optibench.contracts import CacheEntry, CostAttribution, FitSetting, FoldRows, GroupMember
    from optibench.models.hyperparameters import Catalogue
    from optibench.records import DataFacts, Params

BINARY = 2
DEFAULT_TREES = 100  # XGBoost's own n_estimators where none is given
DEFAULT_BINS = 256
ONE_BYTE_BINS = 256  # up to so many, a quantised value takes one byte
DRAWS = ("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode")
QUANTISED = (None, "auto", "hist")  # tree methods for which the scikit-learn API quantises first


def make_estimator(canonical: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
    """An unfitted `xgboost.XGBClassifier`, or an `XGBRegressor` where there are no classes.

    `canonical` holds hyperparameters by their one name.
    """
    from xgboost import XGBClassifier, XGBRegressor

    kind, objective = XGBRegressor, "reg:squarederror"
    if facts.n_classes:
        kind = XGBClassifier
        objective = "multi:softprob" if facts.n_classes > BINARY else "binary:logistic"
    types = None if facts.feature_types is None else list(facts.feature_types)
    return kind(
        **{"objective": objective, **canonical},
        random_state=seed,
        n_jobs=threads,
        verbosity=0,
        enable_categorical=types is not None,
        feature_types=types,
    )


def with_count(canonical: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters that are given, and the number of trees in any case."""
    given = {name: value for name, value in canonical.items() if value is not None}
    return {"n_estimators": DEFAULT_TREES, **given}


@dataclass(frozen=True, eq=False)
class Path:
    """The members of a family on one fold, and after how many rounds each has its result."""

    fit_group: Hashable | None
    members: Sequence[GroupMember]
    counts: Sequence[int]
    fold: FoldRows
    costs: CostAttribution
    setting: FitSetting

    def at(self, count: int, booster: Any) -> SharedFit:
        """What `booster` says after `count` rounds, for the members that ask for so many."""
        asking = [i for i, own in enumerate(self.counts) if own == count]
        with self.costs.score() as sharers:
            sharers.extend(asking)
            answers = booster.inplace_predict(self.fold.X_validation, validate_features=False)
            prediction = booster_prediction(answers, self.setting.facts.n_classes)
        resumable = [i for i in asking if self.members[i].resumable]
        state = (
            pickle.dumps((self.fit_group, bytes(booster.save_raw("ubj")))) if resumable else b""
        )
        return SharedFit(tuple(asking), prediction, dict.fromkeys(resumable, state))


def booster_prediction(answers: NDArray[Any], n_classes: int) -> Prediction:
    """What a booster says, as the scikit-learn API tells it."""
    import numpy as np

    if not n_classes:
        return Prediction(answers)
    if n_classes == BINARY:
        # Laid out in memory as by the scikit-learn API: sums over it round alike.
        answers = np.vstack((1.0 - answers, answers)).transpose()
    return most_probable(answers)


@dataclass(frozen=True)
class XGBoostFitSharing:
    """Implements `contracts.FitSharing`."""

    catalogue: Catalogue

    def fit_group(self, params: Params) -> Hashable | None:
        """All but the number of trees; None where a smaller number is another fit."""
        full = with_count(self.catalogue.canonical(params))
        if full.get("booster", "gbtree") != "gbtree" or "early_stopping_rounds" in full:
            return None
        del full["n_estimators"]
        return frozenset(full.items())

    def continues_exactly(self, params: Params) -> bool:
        """Where nothing is drawn: the random stream of a loaded booster begins anew.

        Nor does it matter where no fit goes on (see `fit_group`).
        """
        full = self.catalogue.canonical(params)
        draws = any(full.get(name) not in (None, 1) for name in DRAWS)
        return not draws or self.fit_group(params) is None

    def fit(
        self,
        members: Sequence[GroupMember],
        fold: FoldRows,
        costs: CostAttribution,
        setting: FitSetting,
    ) -> Iterator[SharedFit]:
        """Boost to the largest number of trees, and predict at the number of each member."""
        full = [with_count(self.catalogue.canonical(member.params)) for member in members]
        _refuse_missing_class(fold, setting.facts.n_classes)
        fit_group = self.fit_group(members[0].params)
        path = Path(
            fit_group, members, [params["n_estimators"] for params in full], fold, costs, setting
        )
        counts = path.counts
        longest = counts.index(max(counts))
        everyone = list(range(len(members)))
        with costs.fit() as sharers:
            sharers.extend(everyone)
            settings = booster_settings(full[longest], setting)
            matrix = _matrix(full[longest], settings, fold, setting)
            booster, done = self._begin(full[longest], settings, matrix.value, members[longest])
        if not matrix.fresh:
            costs.reuse(everyone, Reused.MATRIX, matrix.cpu_seconds)
        if done:
            costs.reuse(everyone, Reused.BEGINNING)
        costs.reuse([i for i in everyone if i != longest], Reused.FIT)
        for count in sorted(set(counts)):
            with costs.fit() as sharers:
                sharers.extend(i for i in everyone if counts[i] >= count)
                boost(booster, matrix.value, range(done, count))
                done = count
            yield path.at(count, booster)

    def _begin(
        self, params: Params, settings: Mapping[str, Any], matrix: Any, member: GroupMember
    ) -> tuple[Any, int]:
        """A new booster, or the one whose fit goes on; and how many rounds it has."""
        from xgboost import Booster

        if member.state is not None:
            fit_group, raw = pickle.loads(member.state)  # noqa: S301 - written by a worker of this run
            booster = Booster(dict(settings))
            booster.load_model(bytearray(raw))
            done = booster.num_boosted_rounds()
            if fit_group == self.fit_group(params) and done <= params["n_estimators"]:
                # The stream of a loaded booster begins anew: with the same seed the rows of the
                # first rounds would be drawn again.
                booster.set_param({**settings, "random_state": settings["random_state"] + done})
                return booster, done
        return Booster(dict(settings), [matrix]), 0


def _refuse_missing_class(fold: FoldRows, n_classes: int) -> None:
    import numpy as np

    if not n_classes or fold.y_train is None:
        return
    if np.count_nonzero(np.bincount(fold.y_train)) != n_classes:
        msg = "a class is missing from the rows"  # the plain fit tells it in XGBoost's words
        raise ValueError(msg)


def boost(booster: Any, matrix: Any, rounds: range) -> None:
    """Boost round by round.

    `Booster.update` describes the features anew in every round, which on a few hundred rows is a
    tenth of the time: once it has done so, the function of XGBoost's C API behind it is called.
    """
    from xgboost.core import XGBoostError

    if not rounds:
        return
    booster.update(matrix, rounds[0])
    library = _library()
    for iteration in rounds[1:]:
        if library.XGBoosterUpdateOneIter(booster.handle, iteration, matrix.handle) != 0:
            raise XGBoostError(library.XGBGetLastError().decode())


@functools.cache
def _library() -> ctypes.CDLL:
    """XGBoost's C API, of the library that the package has loaded."""
    from xgboost.libpath import find_lib_path

    library = ctypes.CDLL(find_lib_path()[0])
    library.XGBoosterUpdateOneIter.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library


def booster_settings(params: Mapping[str, Any], setting: FitSetting) -> dict[str, Any]:
    """What the scikit-learn API hands to its booster."""
    settings = {**_common_settings(setting), **params}
    del settings["n_estimators"]
    if setting.facts.n_classes > BINARY:
        settings |= {"objective": "multi:softprob", "num_class": setting.facts.n_classes}
    return settings


@functools.lru_cache(maxsize=8)
def _common_settings(setting: FitSetting) -> dict[str, Any]:
    """Of an estimator without hyperparameters; asking one for them takes a millisecond."""
    estimator = make_estimator({}, setting.facts, seed=setting.seed, threads=setting.threads)
    settings: dict[str, Any] = estimator.get_xgb_params()
    return settings


def _matrix(
    params: Mapping[str, Any], settings: Mapping[str, Any], fold: FoldRows, setting: FitSetting
) -> CacheEntry:
    """The fold's train rows as the scikit-learn API would prepare them; kept with the fold."""
    from xgboost import DMatrix, QuantileDMatrix

    quantised, bins = params.get("tree_method") in QUANTISED, params.get("max_bin")
    types = setting.facts.feature_types
    options: dict[str, Any] = {
        "missing": math.nan,
        "feature_types": None if types is None else list(types),
        "enable_categorical": types is not None,
        "nthread": setting.threads,
    }

    def make() -> Any:
        if quantised:
            return QuantileDMatrix(fold.X_train, label=fold.y_train, max_bin=bins, **options)
        return DMatrix(fold.X_train, label=fold.y_train, **options)

    bins = bins or DEFAULT_BINS
    width = (1 if bins <= ONE_BYTE_BINS else 2) if quantised else 8
    key = ("xgboost", settings.get("tree_method") if not quantised else "quantised", bins)
    return fold.keep(key, make, fold.n_train_values * width)
