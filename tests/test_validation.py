"""Every bad input is refused before an engine starts."""

# ruff: noqa: E501 - the table of bad inputs reads best with one row for each

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString

from optibench.backends.sklearn.backend import SklearnBackend
from optibench.config.schema import TopLevel
from optibench.datasets.encoding import encode
from optibench.datasets.fields import DatasetFields
from optibench.errors import ConfigError, DataError, InputError
from optibench.evaluation.scoring import default_metric
from optibench.evaluation.settings import EvaluationSettings
from optibench.evaluation.split import SplitPlan, scaling_on, split
from optibench.models.kmeans import KMeans
from optibench.models.xgboost import XGBoost
from optibench.models.xgboost_regression import XGBoostRegression
from optibench.records import Candidate, Table
from optibench.search.grid import GridSearch
from optibench.validation import validate_config, validate_split, validate_table
from optibench.validation.wording import list_override

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "a": RNG.normal(size=60),
        "b": RNG.integers(9, size=60),
        "word": RNG.choice(["x", "y", "z"], 60),
        "when": pd.date_range("2024-01-01", periods=60).astype(str),
        "who": np.arange(60) % 12,
        "y": RNG.permutation(np.arange(60) % 2),
    }
)
NUMBERS = FRAME[["a", "b", "y"]]


@dataclass
class Case:
    """One input; what is not given is usable."""

    frame: pd.DataFrame = field(default_factory=lambda: NUMBERS)
    model: Any = field(default_factory=XGBoost)
    target: str | None = "y"
    categorical: tuple[str, ...] = ()
    scale: bool | str = "auto"
    params: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    metric: str | None = None
    with_folds: bool = True
    search: dict[str, Any] = field(default_factory=dict)
    rows: float = 1.0


def check(case: Case, fields: DatasetFields | None = None) -> None:
    settings = EvaluationSettings(**case.evaluation)
    model, task = case.model, case.model.task
    config: Any = SimpleNamespace(
        top=TopLevel(),
        model=model,
        backend=SklearnBackend(),
        search=GridSearch(**case.search),
        evaluation=settings,
        dataset=fields or DatasetFields(scale=case.scale),
    )
    validate_config(config, case.metric or default_metric(task))
    table = Table(
        "t", case.frame, case.target, "here", case.categorical, settings.groups, settings.time
    )
    candidates = [Candidate(0, case.params, rows=case.rows)]
    validate_table(config, table, candidates, with_folds=case.with_folds)
    dataset = encode(table, task)
    scale = scaling_on(case.scale, task)
    plan = SplitPlan(task, settings, scale=scale, seed=0, with_folds=case.with_folds)
    validate_split(config.model, split(dataset, plan), candidates, config.top.seed)


def refusal(case: Case, fields: DatasetFields) -> str:
    with pytest.raises(InputError) as caught:
        check(case, fields)
    return str(caught.value)


def numbers(**columns: Any) -> pd.DataFrame:
    return NUMBERS.assign(**columns)


def with_value(value: object) -> pd.DataFrame:
    column = NUMBERS["a"].astype(object)
    column[3] = value
    return numbers(a=column.infer_objects())


def regression(**fields: Any) -> Case:
    """A case of a model that predicts numbers."""
    return Case(model=XGBoostRegression(), **fields)


def kmeans(**fields: Any) -> Case:
    return Case(**{"model": KMeans(), "params": {"n_clusters": 3}, **fields})


def xgboost_over(**space: Any) -> Case:
    return Case(model=XGBoost(space=space))


USABLE = {
    "xgboost": Case(),
    "kmeans": kmeans(),
    "kmeans sets the target aside, whatever is in it": kmeans(frame=numbers(y=[None, "x"] * 30)),
    "xgboost_regression predicts measurements": regression(target="a"),
    "xgboost_regression needs no classes": regression(frame=numbers(y=range(60))),
    "kmeans needs no target": kmeans(target=None),
    "xgboost takes missing values": Case(frame=with_value(None)),
    "xgboost takes categories": Case(frame=FRAME[["a", "word", "y"]], categorical=("word",)),
    "numbers as categories": Case(categorical=("b",)),
    "a boolean feature is a number": kmeans(frame=numbers(b=[True, False] * 30)),
    "text classes": Case(frame=numbers(y=np.where(NUMBERS.y, "yes", "no"))),
    "fractional classes": Case(frame=numbers(y=NUMBERS.y / 2)),
    "one constant feature": kmeans(frame=numbers(b=1)),
    "ordered in time": Case(frame=FRAME[["a", "when", "y"]], evaluation={"time": "when"}),
    "clusters in time": kmeans(frame=FRAME[["a", "when", "y"]], evaluation={"time": "when"}),
    "grouped": Case(frame=FRAME[["a", "who", "y"]], evaluation={"groups": "who"}),
    "as many clusters as distinct rows": kmeans(
        frame=pd.DataFrame({"a": np.arange(60) % 4.0, "y": 0}), params={"n_clusters": 4}
    ),
    "few rows of a class, no search": Case(frame=numbers(y=[1] * 3 + [0] * 57), with_folds=False),
    "few rows of a class, fewer folds": Case(
        frame=numbers(y=[1] * 5 + [0] * 55), evaluation={"folds": 3}
    ),
    "the objective of two classes": Case(params={"objective": "binary:logistic"}),
    "a distribution": xgboost_over(eta={"low": 0.01, "high": 1, "log": True}),
    "whole numbers from a distribution": xgboost_over(
        max_depth={"low": 2, "high": 9, "int": True}
    ),
}


@pytest.mark.parametrize("name", USABLE)
def test_usable_input_passes(name: str) -> None:
    check(USABLE[name])


CONFIG, DATA = ConfigError, DataError
REFUSED: list[tuple[str, Case, type[InputError], list[str]]] = [
    # the configuration
    ("metric of the other task", Case(metric="silhouette"), CONFIG, ["evaluation.metric='silhouette'", "clustering", "accuracy, f1"]),
    ("unknown metric", kmeans(metric="acuracy"), CONFIG, ["'acuracy' is unknown", "silhouette, davies_bouldin"]),
    ("test_size 0", Case(evaluation={"test_size": 0.0}), CONFIG, ["evaluation.test_size=0.0", "below 1"]),
    ("test_size 1", Case(evaluation={"test_size": 1.0}), CONFIG, ["evaluation.test_size=1.0"]),
    ("one fold", Case(evaluation={"folds": 1}), CONFIG, ["evaluation.folds=1", "at least 2"]),
    ("silhouette of two rows", Case(evaluation={"silhouette_sample": 2}), CONFIG, ["silhouette_sample=2", "at least 3"]),
    ("groups and time", Case(evaluation={"groups": "a", "time": "b"}), CONFIG, ["set the other to null"]),
    ("scale", Case(scale="yes"), CONFIG, ["dataset.scale='yes'", "true, false and auto"]),
    ("unknown hyperparameter", Case(model=XGBoost(params={"max_dept": 3})), CONFIG, ["'max_dept'", "max_depth"]),
    ("unknown hyperparameter in the space", xgboost_over(max_dept=[3]), CONFIG, ["'max_dept'", "max_depth"]),
    ("one wrong value in a list", xgboost_over(max_depth=[3, "deep"]), CONFIG, ["max_depth='deep'", "whole number"]),
    ("an empty list", xgboost_over(max_depth=[]), CONFIG, ["model.space.max_depth=[] is empty"]),
    ("an end out of range", xgboost_over(subsample={"low": 0.5, "high": 1.5}), CONFIG, ["subsample=1.5", "to 1"]),
    ("fractions for a whole number", xgboost_over(max_depth={"low": 2, "high": 5}), CONFIG, ["max_depth=2.0"]),
    ("one cluster", kmeans(model=KMeans(space={"n_clusters": [1, 2]})), CONFIG, ["n_clusters=1", "at least 2"]),
    ("no time", Case(search={"max_seconds": 0.0}), CONFIG, ["search.max_seconds=0", "above 0"]),
    ("a target that is no number", Case(search={"target": float("nan")}), CONFIG, ["search.target=nan", "finite"]),
    # the columns
    ("text", Case(frame=FRAME[["a", "word", "y"]]), DATA, ["'word' holds text", "dataset.categorical=[word]"]),
    ("text for distances", kmeans(frame=FRAME[["a", "word", "y"]]), DATA, ["'word' holds text", "dataset.drop=[word]"]),
    ("categories for distances", kmeans(frame=FRAME[["a", "word", "y"]], categorical=("word",)), DATA, ["dataset.categorical=['word']", "dataset.drop"]),
    ("categories scaled", Case(categorical=("b",), scale=True), DATA, ["dataset.scale=True", "dataset.scale=false"]),
    ("dates", Case(frame=numbers(b=pd.date_range("2024-01-01", periods=60))), DATA, ["'b' holds dates", "evaluation.time"]),
    ("an empty column", Case(frame=numbers(b=np.nan)), DATA, ["'b' holds nothing", "dataset.drop=[b]"]),
    ("an empty category", Case(frame=numbers(b=None), categorical=("b",)), DATA, ["column 'b' has no value"]),
    ("a mixed column", Case(frame=numbers(b=[1, "x"] * 30)), DATA, ["'b' holds values of several kinds"]),
    ("infinite", Case(frame=with_value(np.inf)), DATA, ["Infinite values in feature column 'a' (1 in 'a')", "dataset.drop=[a]"]),
    ("infinite for distances", kmeans(frame=with_value(-np.inf)), DATA, ["(1 in 'a')"]),
    ("missing for distances", kmeans(frame=with_value(None)), DATA, ["1 in 'a'", "model=kmeans does not accept them", "dataset.drop=[a]"]),
    ("no feature", Case(frame=NUMBERS[["y"]]), DATA, ["No feature column is left"]),
    ("all constant", Case(frame=numbers(a=1.0, b=2)), DATA, ["Every feature column has one value only"]),
    ("unknown groups", Case(evaluation={"groups": "B"}), DATA, ["evaluation.groups='B'", "Did you mean 'b'"]),
    ("unknown time", kmeans(evaluation={"time": "tme"}), DATA, ["evaluation.time='tme'"]),
    ("the target as groups", Case(evaluation={"groups": "y"}), DATA, ["evaluation.groups='y'", "one use"]),
    ("gaps in time", Case(frame=with_value(None), evaluation={"time": "a"}), DATA, ["evaluation.time='a'", "missing in 1 of 60 rows"]),
    ("words for time", Case(frame=FRAME[["a", "word", "y"]], evaluation={"time": "word"}), DATA, ["evaluation.time='word'", "neither numbers nor dates"]),
    # the target and the rows
    ("no target", Case(target=None), DATA, ["dataset.target is null", "'a', 'b', 'y'"]),
    ("missing classes", Case(frame=numbers(y=[None, 1, 0] * 20)), DATA, ["'y' has 20 missing values in 60 rows"]),
    ("one class", Case(frame=numbers(y=1)), DATA, ["'y' has one class only (1 in all 60 rows)"]),
    ("a measured target", Case(target="a"), DATA, ["'a' holds 60 distinct numbers that look like measurements"]),
    ("an infinite target", Case(frame=numbers(y=[np.inf, 0.0] * 30)), DATA, ["measurements"]),
    ("dates as target", Case(frame=numbers(y=pd.to_datetime(["2024-01-01", "2024-01-02"] * 30))), DATA, ["'y' holds dates"]),
    ("a number per row as target", Case(frame=numbers(y=range(60))), DATA, ["has 1 row, fewer than evaluation.folds=5", "is it a column of classes", "xgboost_regression"]),
    ("fewer rows of a class than folds", Case(frame=numbers(y=["r"] * 4 + ["o"] * 56)), DATA, ["Class 'r' of target column 'y' has 4 rows", "evaluation.folds=5"]),
    ("too few left to train", Case(frame=numbers(y=["r"] * 5 + ["o"] * 55)), DATA, ["Class 'r' of column 'y' has 4 rows in the train part"]),
    ("a single row of a class, no search", Case(frame=numbers(y=[1] + [0] * 59), with_folds=False), DATA, ["Class 1", "1 row,"]),
    ("no room for the classes", Case(frame=numbers(y=np.arange(60) % 10), evaluation={"test_size": 0.1}), DATA, ["evaluation.test_size=0.1", "54 to train and 6 held out", "10 classes"]),
    ("the objective of many classes", Case(params={"objective": "multi:softprob"}), DATA, ["'multi:softprob' does not fit the 2 classes"]),
    ("few groups", Case(frame=numbers(g=np.arange(60) % 5), evaluation={"groups": "g"}), DATA, ["evaluation.groups='g' has 5 distinct values; at least 6"]),
    ("few rows", kmeans(frame=NUMBERS.head(15)), DATA, ["15 rows: 12 to train (in 5 pieces) and 3 held out", "at least 3"]),
    ("two rows", Case(frame=NUMBERS.head(2), evaluation={"folds": 2}), DATA, ["y"]),
    ("no numbers to predict", regression(target=None), DATA, ["model=xgboost_regression predicts", "the numbers"]),
    ("text to predict", regression(frame=FRAME[["a", "word"]], target="word"), DATA, ["'word' holds text", "predicts numbers", "model=xgboost for classes"]),
    ("a gap to predict", regression(frame=numbers(y=[np.nan, 1.0] * 30)), DATA, ["'y' has 30 missing values", "needs a number"]),
    ("infinity to predict", regression(frame=numbers(y=[np.inf, 1.0] * 30)), DATA, ["'y' has 30 infinite values"]),
    ("one number to predict", regression(frame=numbers(y=[2.5] * 60)), DATA, ["'y' is 2.5 in all 60 rows"]),
    ("few rows to predict", regression(frame=NUMBERS.head(10), evaluation={"folds": 5}), DATA, ["8 to train (in 5 pieces)", "at least 2"]),
    # the parts
    ("more clusters than distinct rows", kmeans(frame=pd.DataFrame({"a": np.arange(60) % 4.0}), target=None, params={"n_clusters": 5}), DATA, ["n_clusters=5 is more than the 4 distinct rows in the train part"]),
    ("the default of 8 clusters", kmeans(frame=pd.DataFrame({"a": np.arange(60) % 4.0}), target=None, params={}), DATA, ["n_clusters=8 is more than the 4 distinct rows"]),
    ("more clusters than rows of a fold", kmeans(params={"n_clusters": 40}), DATA, ["n_clusters=40 is more than the 38 distinct rows in the training rows of fold 0"]),
    ("more clusters than rows of a share", kmeans(params={"n_clusters": 5}, rows=0.1), DATA, ["n_clusters=5", "search.min_resource"]),
    ("a share without a class", Case(frame=numbers(y=np.arange(60) % 6), rows=0.1), DATA, ["is not in the first 4 rows of fold 0", "search.min_resource"]),
    ("early stopping with many classes", Case(frame=numbers(y=np.arange(60) % 6), params={"early_stopping_rounds": 3}), DATA, ["early_stopping_rounds sets a tenth", "6 classes"]),
    ("early stopping with one row of a class", Case(rows=0.05, params={"early_stopping_rounds": 3}), DATA, ["2 rows of 2 classes, 1 of the rarest"]),
    ("a class that comes late", Case(frame=FRAME[["a", "when"]].assign(y=[0] * 30 + [1] * 30), evaluation={"time": "when"}), DATA, ["code 1", "the training rows of fold 0"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "error", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_bad_input_is_refused_in_one_short_paragraph(
    case: Case, error: type[InputError], expected: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        check(case)
    message = str(caught.value)
    assert type(caught.value) is error
    assert [part for part in expected if part not in message] == []
    assert "\n" not in message
    assert "np." not in message
    assert len(message) < 420


def test_a_refusal_has_exit_code_2() -> None:
    with pytest.raises(InputError) as caught:
        check(replace(Case(), metric="x"))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b.c", "d-1"], ["dataset.drop=[a,b.c,d-1]"]),
        (
            ["body mass", "0", "null", 'a"b'],
            [r"""'dataset.drop=["body mass","0","null","a\"b"]'"""],
        ),
    ],
)
def test_a_printed_override_names_the_same_columns_when_it_is_typed(names, words) -> None:
    typed = list_override("dataset.drop", names)
    assert [typed] == words
    (argument,) = shlex.split(typed)
    (parsed,) = OverridesParser.create().parse_overrides([argument])
    values = [value.text if isinstance(value, QuotedString) else value for value in parsed.value()]
    assert (parsed.key_or_group, values) == ("dataset.drop", names)


def test_a_remedy_keeps_the_columns_that_are_left_out_already() -> None:
    case = Case(frame=numbers(b=np.nan))
    assert "dataset.drop=[word,b]" in refusal(case, DatasetFields(drop=("word",)))
