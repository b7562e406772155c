"""The core test: same seed, same scores to the last bit, on every backend and in scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as skm
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, ParameterGrid, StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler
from tests.engines import SharedEngine
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier, XGBRegressor

import optibench

SPACES = {
    "kmeans": {
        "init": ["k-means++", "random"],
        "max_iter": [3, 100],
        "n_clusters": [5],
        "n_init": [2, 5],
    },
    "xgboost": {
        "max_depth": [2, 4],
        "eta": [0.2],
        "n_estimators": [10, 30],
        "subsample": [0.5, 1.0],
    },
    "random_forest": {"max_depth": [2, None], "max_features": ["sqrt", 0.5], "n_estimators": [8]},
    "xgboost_regression": {"max_depth": [2, 4], "eta": [0.3], "n_estimators": [10, 30]},
    "logistic_regression": {"C": [0.01, 1.0], "class_weight": [None, "balanced"]},
}
OTHER_KEYS = {  # of its own space
    "random_forest": ["min_samples_leaf"],
    "xgboost_regression": ["subsample"],
}
# Of scikit-learn's or XGBoost's API, with what OptiBench sets itself.
CLASSIFIERS = {
    "xgboost": lambda **params: XGBClassifier(objective="binary:logistic", n_jobs=1, **params),
    "random_forest": RandomForestClassifier,
    "logistic_regression": lambda **params: LogisticRegression(max_iter=1000, **params),
}
pytestmark = [pytest.mark.shared_engine, pytest.mark.usefixtures("backend")]
NO_DEFAULT = "evaluation.default_fit=false"
ALONE = SharedEngine("sklearn", workers=1)


def small(model):
    """Overrides that give the model its small space alone."""
    lists = {key: str(values).replace("None", "null") for key, values in SPACES[model].items()}
    other = [f"~model.space.{key}" for key in OTHER_KEYS.get(model, ())]
    data = ["dataset=diabetes"] if model == "xgboost_regression" else []
    return [f"model={model}", *data, *other, *(f"model.space.{k}={v}" for k, v in lists.items())]


def pima():
    """The table, read anew."""
    frame = optibench_pima()
    return frame.drop(columns="outcome").to_numpy(float), frame["outcome"].to_numpy()


def optibench_pima():
    """The file that ships with the package."""
    from importlib.resources import files

    return pd.read_csv(files(optibench) / "datasets" / "data" / "pima.csv")


def independent_kmeans(space, seed=0):
    """Scores by candidate and fold, computed with scikit-learn alone."""
    X, _ = pima()
    train, _ = train_test_split(X, test_size=0.2, random_state=seed)
    X = StandardScaler().fit_transform(train)
    rows = {}
    for number, params in enumerate(ParameterGrid(space)):
        folds = KFold(5, shuffle=True, random_state=seed).split(X)
        for fold, (fit_rows, check) in enumerate(folds):
            model = KMeans(random_state=seed, **params).fit(X[fit_rows])
            labels = model.predict(X[check])
            rows[number, fold] = {
                "silhouette": skm.silhouette_score(X[check], labels),
                "davies_bouldin": skm.davies_bouldin_score(X[check], labels),
                "calinski_harabasz": skm.calinski_harabasz_score(X[check], labels),
                "inertia": -model.score(X[check]),
            }
    return rows


def independent_classes(model, seed=0):
    """Scores by candidate and fold, computed with xgboost and scikit-learn alone."""
    X, y = pima()
    X, _, y, _ = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=y)
    rows = {}
    for number, params in enumerate(ParameterGrid(SPACES[model])):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y)
        for fold, (fit_rows, check) in enumerate(folds):
            estimator = CLASSIFIERS[model](random_state=seed, **params)
            estimator.fit(X[fit_rows], y[fit_rows])
            labels, chances = estimator.predict(X[check]), estimator.predict_proba(X[check])
            rows[number, fold] = {
                "accuracy": skm.accuracy_score(y[check], labels),
                "f1": skm.f1_score(y[check], labels),
                "roc_auc": skm.roc_auc_score(y[check], chances[:, 1]),
                "log_loss": skm.log_loss(y[check], chances),
            }
    return rows


def independent_values(seed=0):
    """Scores by candidate and fold, computed with xgboost and scikit-learn alone."""
    X, y = load_diabetes(return_X_y=True)
    X, _, y, _ = train_test_split(X, y, test_size=0.2, random_state=seed)
    rows = {}
    for number, params in enumerate(ParameterGrid(SPACES["xgboost_regression"])):
        folds = KFold(5, shuffle=True, random_state=seed).split(X)
        for fold, (fit_rows, check) in enumerate(folds):
            estimator = XGBRegressor(random_state=seed, n_jobs=1, **params)
            predicted = estimator.fit(X[fit_rows], y[fit_rows]).predict(X[check])
            rows[number, fold] = {
                "rmse": skm.root_mean_squared_error(y[check], predicted),
                "mae": skm.mean_absolute_error(y[check], predicted),
                "r2": skm.r2_score(y[check], predicted),
            }
    return rows


@pytest.fixture(scope="session")
def expected():
    """The independent computation, done once, with one thread."""
    with threadpool_limits(1):
        return {
            "kmeans": independent_kmeans(SPACES["kmeans"]),
            "xgboost_regression": independent_values(),
            **{model: independent_classes(model) for model in CLASSIFIERS},
        }


@pytest.mark.parametrize(
    ("model", "workers"),
    [
        ("kmeans", 1),
        ("kmeans", 2),
        ("xgboost", 1),
        ("xgboost", 2),
        ("xgboost_regression", 2),
        ("random_forest", 2),
        ("logistic_regression", 2),
    ],
)
@pytest.mark.usefixtures("workers")
def test_scores_equal_the_independent_computation_to_the_last_bit(shared, model, expected):
    result, _ = shared.run(*small(model), NO_DEFAULT)
    scores = {(trial.candidate, trial.fold): dict(trial.scores) for trial in result.trials}
    assert scores == expected[model]


def test_the_winner_is_the_best_mean_and_is_refitted_on_the_train_part(shared, expected):
    result, _ = shared.run(*small("xgboost"))
    means = [
        np.mean([expected["xgboost"][number, fold]["accuracy"] for fold in range(5)])
        for number in range(8)
    ]
    best = int(np.argmax(means))
    assert result.best_params == list(ParameterGrid(SPACES["xgboost"]))[best]
    assert result.metrics["best_cv_score"] == means[best]
    X, y = pima()
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
    model = XGBClassifier(
        objective="binary:logistic", random_state=0, n_jobs=1, **result.best_params
    ).fit(X, y)
    assert result.metrics["accuracy"] == model.score(X_test, y_test)
    assert result.metrics["train_accuracy"] == model.score(X, y)
    assert result.metrics["baseline_accuracy"] == np.mean(y_test == 0)
    plain = XGBClassifier(objective="binary:logistic", random_state=0, n_jobs=1).fit(X, y)
    assert result.metrics["default_accuracy"] == plain.score(X_test, y_test)


FEW_STARTS = ["model.space.n_init=[2,4]", "model.space.max_iter=[100,200]"]
SEARCHES = {
    "halving by rows": ["model=kmeans", "search=halving", *FEW_STARTS],
    "hyperband by trees": [
        "model=xgboost",
        "search=hyperband",
        "search.resource=n_estimators",
        "model.params.n_estimators=54",  # points of the space come in several brackets
        "search.factor=3",
        "search.min_resource=2",
    ],
    "halving by starts": [
        "model=kmeans",
        "search=halving",
        "search.resource=n_init",
        "model.params.n_init=9",
        "model.space.max_iter=[100,200]",
    ],
    "tpe": ["model=xgboost", "search=tpe", "search.n_iter=8", "model.params.n_estimators=10"],
    "tpe with a pruner": [
        "model=xgboost",
        "search=tpe",
        "search.n_iter=9",
        "search.pruner=median",
        "search.startup=4",
        "model.params.n_estimators=10",
    ],
}


FEW_TREES = ["model=xgboost", "model.params.n_estimators=20"]
REFERENCES = {
    **SEARCHES,
    "random": [
        "model=xgboost",
        "search=random",
        "search.n_iter=3",
        "dataset=iris",
        "model.space.eta={low: 0.01, high: 1, log: true}",
        "model.params.n_estimators=10",
    ],
    "grid": FEW_TREES,
}


@pytest.fixture(scope="session")
def references():
    """Each search on one worker of the sklearn backend, without any sharing."""
    words = ["search.reuse=false", NO_DEFAULT]
    found = {name: ALONE.run(*search, *words)[0] for name, search in REFERENCES.items()}
    optibench.release_engine()
    return found


def test_random_search_gives_the_same_trials_on_every_backend(shared, references):
    result, _ = shared.run(*REFERENCES["random"], NO_DEFAULT)
    again = references["random"]
    assert [t.params for t in result.trials] == [t.params for t in again.trials]
    assert [t.scores for t in result.trials] == [t.scores for t in again.trials]


def trials_of(result):
    """What does not depend on time."""
    return [(t.candidate, dict(t.params), t.fold, dict(t.scores), t.status) for t in result.trials]


@pytest.mark.parametrize("search", SEARCHES)
def test_adaptive_searches_find_the_same_on_every_backend(shared, search, references):
    result, _ = shared.run(*SEARCHES[search], NO_DEFAULT)
    alone = references[search]
    assert trials_of(result) == trials_of(alone)
    assert result.best_params == alone.best_params
    assert result.metrics["best_cv_score"] == alone.metrics["best_cv_score"]


# What depends on time, the deterministic search that it is a part of or begins like, and its tag.
TIMED = {
    "asynchronous halving": ("halving by rows", "search.deterministic=false", "false"),
    "asynchronous tpe": ("tpe", "search.deterministic=false", "false"),
    "time limit": ("grid", "search.max_seconds=1", "false"),
    "target": ("grid", "search.target=0.74", "true"),
}


@pytest.mark.parametrize("search", TIMED)
def test_what_depends_on_time_is_which_trials_there_are_and_never_a_score(
    shared, search, references
):
    reference, word, tag = TIMED[search]
    found, tracker = shared.run(*REFERENCES[reference], word, NO_DEFAULT)
    assert tracker.header.tags["optibench.deterministic"] == tag
    whole = references[reference]
    own, known = scores_by_place(found), scores_by_place(whole)
    both = own.keys() & known.keys()
    fewest = 1 if search == "time limit" else 5
    assert len(both) >= fewest  # an asynchronous search soon draws other candidates
    assert {place: own[place] for place in both} == {place: known[place] for place in both}
    if search == "target":
        first = next(c for c in whole.candidates if c.mean_scores["accuracy"] >= 0.74)
        assert found.best_params == first.params


def scores_by_place(result):
    """Scores by hyperparameters, share of the rows and fold, of the trials that went well."""
    rows = {candidate.number: candidate.rows for candidate in result.candidates}
    return {
        (tuple(sorted(t.params.items())), rows[t.candidate], t.fold): dict(t.scores)
        for t in result.trials
        if t.error is None
    }


def test_early_stopping_never_looks_at_the_rows_that_score(shared):
    """The stopped fit is that of scikit-learn's API on a split of the fold's train rows alone."""
    words = ["model=xgboost", "search=grid", "model.params.early_stopping_rounds=5"]
    result, _ = shared.run(
        *words,
        "model.params.n_estimators=200",
        "model.space.max_depth=[3]",
        "model.space.eta=[0.3]",
        "model.space.subsample=[1.0]",
        NO_DEFAULT,
    )
    X, y = pima()
    X, _, y, _ = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)
    for trial, (rows, check) in zip(result.trials, folds, strict=True):
        fit, watch = train_test_split(
            np.arange(len(rows)), test_size=0.1, random_state=0, stratify=y[rows]
        )
        model = XGBClassifier(
            n_estimators=200,
            max_depth=3,
            eta=0.3,
            subsample=1.0,
            random_state=0,
            n_jobs=1,
            early_stopping_rounds=5,
        )
        model.fit(
            X[rows][fit], y[rows][fit], eval_set=[(X[rows][watch], y[rows][watch])], verbose=False
        )
        assert model.best_iteration < 199
        assert trial.scores["accuracy"] == skm.accuracy_score(y[check], model.predict(X[check]))
        assert trial.scores["log_loss"] == skm.log_loss(y[check], model.predict_proba(X[check]))


def test_no_search_fits_the_given_hyperparameters(shared):
    result, _ = shared.run("model=kmeans", "search=none", "model.params.n_clusters=3")
    assert result.trials == ()
    assert result.best_params == {"n_clusters": 3}
    assert result.model.estimator.n_clusters == 3
    assert np.isfinite(result.metrics["silhouette"])
