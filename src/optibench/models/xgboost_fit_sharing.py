"""Fit sharing of XGBoost: candidates share the quantised matrix of a fold, and one fit per path.

The scikit-learn API quantises the rows for every candidate. Here one `QuantileDMatrix` serves all
candidates with the same max_bin (missing values and categories are those of the table). After 100
rounds a fit of 300 trees is the fit of 100 trees, so a path over n_estimators is one fit that
predicts at each number of trees. Two cases are excluded: dart changes earlier trees, and early
stopping. The tests compare the results with plain fits to the last bit.
"""

from __future__ import annotations

import functools
import math
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.contracts import SharedFit
from optibench.models.classifier import most_probable
from optibench.models.xgboost_library import boost
from optibench.records import Prediction, Reused

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from xgboost import Booster, DMatrix, XGBClassifier, XGBRegressor

    from optibench.contracts import CacheEntry, CostAttribution, FitSetting, FoldRows, GroupMember
    from optibench.models.hyperparameters import Catalogue
    from optibench.records import DataFacts, Params

BINARY = 2
DEFAULT_TREES = 100  # XGBoost's default of n_estimators
DEFAULT_BINS = 256
ONE_BYTE_BINS = 256  # with more bins, a quantised value takes two bytes
DRAWS = ("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode")
QUANTISED = (None, "auto", "hist")  # tree methods for which the scikit-learn API quantises


def make_estimator(
    canonical: Params, facts: DataFacts, *, seed: int, threads: int
) -> XGBClassifier | XGBRegressor:
    """Create an unfitted classifier, or a regressor if the data has no classes.

    `canonical` has hyperparameters by their canonical names.
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
    """Return the hyperparameters that are not null, and the number of trees in any case."""
    given = {name: value for name, value in canonical.items() if value is not None}
    return {"n_estimators": DEFAULT_TREES, **given}


@dataclass(frozen=True, eq=False)
class Path:
    """The members of a fit group on one fold, and after how many rounds each has its result."""

    fit_group: Hashable | None
    members: Sequence[GroupMember]
    counts: Sequence[int]
    fold: FoldRows
    costs: CostAttribution
    setting: FitSetting

    def at(self, count: int, booster: Booster) -> SharedFit:
        """Predict after `count` rounds, for the members with this number of trees."""
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
    """Convert a booster's predictions to those of the scikit-learn API."""
    import numpy as np

    if not n_classes:
        return Prediction(answers)
    if n_classes == BINARY:
        # The memory layout is that of the scikit-learn API, so that sums round in the same way.
        answers = np.vstack((1.0 - answers, answers)).transpose()
    return most_probable(answers)


@dataclass(frozen=True)
class XGBoostFitSharing:
    """Implements `contracts.FitSharing`."""

    catalogue: Catalogue

    def fit_group(self, params: Params) -> Hashable | None:
        """Return all but the number of trees; None if fewer trees are not a prefix of the fit."""
        full = with_count(self.catalogue.canonical(params))
        if full.get("booster", "gbtree") != "gbtree" or "early_stopping_rounds" in full:
            return None
        del full["n_estimators"]
        return frozenset(full.items())

    def continues_exactly(self, params: Params) -> bool:
        """Return True if nothing is drawn: a loaded booster restarts its random stream.

        Also return True if the candidate's fit is never continued (see `fit_group`).
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
        """Boost to the largest number of trees, and predict at that of each member."""
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
        self, params: Params, settings: Mapping[str, Any], matrix: DMatrix, member: GroupMember
    ) -> tuple[Booster, int]:
        """Create a booster, or load the one to continue; also return its number of rounds."""
        from xgboost import Booster

        if member.state is not None:
            fit_group, raw = pickle.loads(member.state)  # noqa: S301 - written by a worker of this run
            booster = Booster(dict(settings))
            booster.load_model(bytearray(raw))
            done = booster.num_boosted_rounds()
            if fit_group == self.fit_group(params) and done <= params["n_estimators"]:
                # A loaded booster restarts its random stream: with the same seed it would draw
                # the rows of the first rounds again.
                booster.set_param({**settings, "random_state": settings["random_state"] + done})
                return booster, done
        return Booster(dict(settings), [matrix]), 0


def _refuse_missing_class(fold: FoldRows, n_classes: int) -> None:
    import numpy as np

    if not n_classes or fold.y_train is None:
        return
    if np.count_nonzero(np.bincount(fold.y_train)) != n_classes:
        msg = "a class is missing from the rows"  # the plain fit fails with XGBoost's message
        raise ValueError(msg)


def booster_settings(params: Mapping[str, Any], setting: FitSetting) -> dict[str, Any]:
    """Return the parameters that the scikit-learn API passes to its booster."""
    settings = {**_common_settings(setting), **params}
    del settings["n_estimators"]
    if setting.facts.n_classes > BINARY:
        settings |= {"objective": "multi:softprob", "num_class": setting.facts.n_classes}
    return settings


@functools.lru_cache(maxsize=8)
def _common_settings(setting: FitSetting) -> dict[str, Any]:
    """Return those of an estimator without hyperparameters; `get_xgb_params` takes 1 ms."""
    estimator = make_estimator({}, setting.facts, seed=setting.seed, threads=setting.threads)
    settings: dict[str, Any] = estimator.get_xgb_params()
    return settings


def _matrix(
    params: Mapping[str, Any], settings: Mapping[str, Any], fold: FoldRows, setting: FitSetting
) -> CacheEntry:
    """Prepare the fold's train rows as the scikit-learn API would; cached with the fold."""
    from xgboost import DMatrix, QuantileDMatrix

    quantised, bins = params.get("tree_method") in QUANTISED, params.get("max_bin")
    types = setting.facts.feature_types
    options: dict[str, Any] = {
        "missing": math.nan,
        "feature_types": None if types is None else list(types),
        "enable_categorical": types is not None,
        "nthread": setting.threads,
    }

    def make() -> DMatrix:
        if quantised:
            return QuantileDMatrix(fold.X_train, label=fold.y_train, max_bin=bins, **options)
        return DMatrix(fold.X_train, label=fold.y_train, **options)

    bins = bins or DEFAULT_BINS
    width = (1 if bins <= ONE_BYTE_BINS else 2) if quantised else 8
    key = ("xgboost", settings.get("tree_method") if not quantised else "quantised", bins)
    return fold.keep(key, make, fold.n_train_values * width)
