"""Fit sharing of K-means: candidates that differ only in n_init and max_iter share their starts.

With a fixed seed scikit-learn draws all starts from one random stream. The fit with n_init=30
therefore begins with the ten starts of n_init=10, and a start that converges within max_iter
iterations is the same for every larger max_iter. This module runs each start once, with the
largest max_iter, by `KMeans(n_init=1, random_state=stream)`. Each candidate keeps the best of its
own starts by scikit-learn's rule. The tests compare the results with plain fits to the last bit.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optibench.contracts import SharedFit
from optibench.records import Prediction, Reused

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from optibench.contracts import CostAttribution, FitSetting, FoldRows, GroupMember
    from optibench.records import Params

# Every default is set here, because those of the libraries differ (Spark: k=2, 20 iterations).
DEFAULTS: dict[str, Any] = {
    "n_clusters": 8,
    "init": "k-means++",
    "n_init": "auto",
    "max_iter": 300,
    "tol": 1e-4,
    "algorithm": "lloyd",
}
AUTOMATIC_STARTS = {"k-means++": 1, "random": 10}  # scikit-learn's n_init="auto"
STREAM = ("n_clusters", "init", "tol", "algorithm")  # what determines the starts, with the seed


def complete(params: Params) -> dict[str, Any]:
    """Add the defaults to `params`, and replace n_init="auto" by its number."""
    full = {**DEFAULTS, **params}
    if full["n_init"] == "auto":
        full["n_init"] = AUTOMATIC_STARTS[full["init"]]
    return full


def make_estimator(params: Mapping[str, Any], random_state: Any) -> Any:
    """Create an unfitted `sklearn.cluster.KMeans`."""
    from sklearn.cluster import KMeans

    return KMeans(**params, random_state=random_state, copy_x=True, verbose=0)


def assign(estimator: Any, X: NDArray[np.float64]) -> Prediction:
    """Return the nearest centre of each row, and the inertia of these rows."""
    labels = estimator.predict(X).astype("int64")
    return Prediction(labels=labels, inertia=-float(estimator.score(X)))


@dataclass
class Race:
    """The starts of one stream so far, and the best of them for each max_iter.

    Attributes:
        family: the key of the fit group, which determines the stream.
        stream: the random stream that the next start draws from.
        run: number of starts that have been run.
        best: the best estimator so far for each max_iter.
    """

    fit_group: Hashable
    stream: np.random.RandomState
    run: int = 0
    best: dict[int, Any] = field(default_factory=dict)

    def enter(self, max_iter: int, estimator: Any) -> None:
        """Keep a start as scikit-learn does: lower inertia and a different clustering."""
        leader = self.best.get(max_iter)
        if leader is None or (
            estimator.inertia_ < leader.inertia_
            and not same_clustering(estimator.labels_, leader.labels_, leader.n_clusters)
        ):
            self.best[max_iter] = _with_narrow_labels(estimator)


def _with_narrow_labels(estimator: Any) -> Any:
    """Store labels in one byte per row instead of four: a race may be sent or kept for later."""
    import numpy as np

    narrow = np.min_scalar_type(estimator.n_clusters - 1)
    estimator.labels_ = estimator.labels_.astype(narrow, copy=False)
    return estimator


def same_clustering(labels: NDArray[Any], other: NDArray[Any], n_clusters: int) -> bool:
    """Return whether every cluster of `labels` lies within one cluster of `other`."""
    import numpy as np

    pairs = np.bincount(labels.astype(np.int64) * n_clusters + other)
    return int(np.count_nonzero(pairs)) == int(np.count_nonzero(np.bincount(labels)))


class KMeansFitSharing:
    """Implements `contracts.FitSharing`."""

    def fit_group(self, params: Params) -> Hashable:
        """Return what determines the stream of starts."""
        full = complete(params)
        return tuple(full[name] for name in STREAM)

    def continues_exactly(self, params: Params) -> bool:
        """Return True: the random stream continues where it stopped."""
        del params
        return True

    def fit(
        self,
        members: Sequence[GroupMember],
        fold: FoldRows,
        costs: CostAttribution,
        setting: FitSetting,
    ) -> Iterator[SharedFit]:
        """Run each start once; a member has its result after its n_init starts."""
        full = [complete(member.params) for member in members]
        X = fold.X_train
        race = _begin(self.fit_group(members[0].params), members[0], full[0], setting)
        if race.run:
            costs.reuse(range(len(full)), Reused.BEGINNING)
        winners: dict[int, Any] = {}
        paid: set[int] = set()
        with _without_checks():
            for start in range(race.run, max(params["n_init"] for params in full)):
                racing = [i for i, params in enumerate(full) if params["n_init"] > start]
                paid |= set(_run_start(race, X, [full[i] for i in racing], racing, costs))
                race.run = start + 1
                for i in racing:
                    if full[i]["n_init"] == race.run:
                        winners[i] = race.best[full[i]["max_iter"]]
        for i, params in enumerate(full):  # a continued race may have no start left to run
            winners.setdefault(i, race.best[params["max_iter"]])
        costs.reuse([i for i in range(len(full)) if i not in paid], Reused.FIT)
        yield from _results(winners, members, race, fold, costs)


def _without_checks() -> AbstractContextManager[None]:
    """Skip scikit-learn's checks of the table and hyperparameters, a tenth of a start's time."""
    from sklearn import config_context

    context: AbstractContextManager[None] = config_context(
        assume_finite=True, skip_parameter_validation=True
    )
    return context


def _begin(
    fit_group: Hashable, member: GroupMember, params: Mapping[str, Any], setting: FitSetting
) -> Race:
    """Start a race, or continue the one of the same candidate with fewer starts."""
    if member.state is not None:
        race: Race = pickle.loads(member.state)  # noqa: S301 - written by a worker of this run
        same = race.fit_group == fit_group and params["max_iter"] in race.best
        if same and race.run <= params["n_init"]:
            return race
    from numpy.random import RandomState

    return Race(fit_group, RandomState(setting.seed))


def _run_start(
    race: Race,
    X: NDArray[np.float64],
    params: Sequence[Mapping[str, Any]],
    racing: Sequence[int],
    costs: CostAttribution,
) -> Iterator[int]:
    """Run a start once for each max_iter that changes it; yield the member that is fitted."""
    stream = race.stream
    limits = sorted({p["max_iter"] for p in params}, reverse=True)
    before = stream.get_state() if len(limits) > 1 else None  # takes a tenth of a short start
    estimator: Any = None
    for max_iter in limits:
        if estimator is None or estimator.n_iter_ > max_iter:
            if estimator is not None and before is not None:
                stream.set_state(before)
            with costs.fit() as sharers:
                estimator = make_estimator(
                    {**params[0], "n_init": 1, "max_iter": max_iter}, stream
                )
                estimator.fit(X)
                served = [
                    i
                    for i, p in zip(racing, params, strict=True)
                    if p["max_iter"] == max_iter or estimator.n_iter_ <= p["max_iter"] < max_iter
                ]
                sharers.extend(served)
            yield max(served, key=lambda i: params[racing.index(i)]["n_init"])
        with costs.fit() as sharers:  # a plain fit also compares its starts
            sharers.extend(
                i for i, p in zip(racing, params, strict=True) if p["max_iter"] == max_iter
            )
            race.enter(max_iter, estimator)


def _results(
    winners: Mapping[int, Any],
    members: Sequence[GroupMember],
    race: Race,
    fold: FoldRows,
    costs: CostAttribution,
) -> Iterator[SharedFit]:
    """Predict once for each distinct winner, and yield it with its members."""
    of_winner: dict[int, list[int]] = {}
    for i, estimator in winners.items():
        of_winner.setdefault(id(estimator), []).append(i)
    states = {i: pickle.dumps(race) for i, member in enumerate(members) if member.resumable}
    for positions in of_winner.values():
        with costs.score() as sharers:
            sharers.extend(positions)
            prediction = assign(winners[positions[0]], fold.X_validation)
        yield SharedFit(tuple(sorted(positions)), prediction, states)
