"""TPE and GP: which points they draw, what the points depend on, which settings are refused."""

import importlib.util
import logging
import statistics
import warnings

import pytest

from optibench.contracts import SearchFacts
from optibench.errors import ConfigError
from optibench.search.gp import GPSearch
from optibench.search.random import RandomSearch
from optibench.search.tpe import TPESearch

optuna = pytest.importorskip("optuna")
torch_is_missing = importlib.util.find_spec("torch") is None
needs_torch = pytest.mark.skipif(torch_is_missing, reason="torch is not installed")

SPACE = {
    "x": {"low": -2.0, "high": 2.0},
    "y": {"low": 1e-3, "high": 10.0, "log": True},
    "k": {"low": 1, "high": 20, "int": True},
    "kind": ["a", None, True, 0.5],
}
FACTS = SearchFacts("score", greater_is_better=True, folds=5)
SEARCHES = [TPESearch, pytest.param(GPSearch, marks=needs_torch)]


def smooth(params, _rows, fold):
    """Return a score whose maximum, 0, is at x = 1 and y = 0.1 on every fold."""
    import math

    return -((params["x"] - 1) ** 2) - (math.log10(params["y"]) + 1) ** 2 - 1e-6 * fold


@pytest.mark.parametrize("search", SEARCHES)
def test_candidates_lie_in_the_space_on_top_of_the_fixed_hyperparameters(search, loop):
    state = search(n_iter=16, startup=6).start({"c": 1}, SPACE, FACTS)
    asked = loop(state, smooth).run().asked
    assert [c.number for c in asked] == list(range(16)) == list(range(state.total))
    for params in (c.params for c in asked):
        assert list(params) == ["c", *SPACE]
        assert -2 <= params["x"] <= 2
        assert 1e-3 <= params["y"] <= 10
        assert type(params["k"]) is int
        assert 1 <= params["k"] <= 20
        assert any(params["kind"] is v for v in ("a", None, True)) or params["kind"] == 0.5


@pytest.mark.parametrize("search", SEARCHES)
def test_in_order_the_candidates_do_not_depend_on_workers_and_who_is_fast(search, loop):
    runs = [
        loop(search(n_iter=18, startup=5).start({}, SPACE, FACTS), smooth, workers=w, seed=w).run()
        for w in (1, 2, 9)
    ]
    assert runs[0].asked == runs[1].asked == runs[2].asked
    assert runs[0].observed == runs[2].observed


def test_candidates_depend_on_the_seed_and_on_the_scores(loop):
    def draw(score=smooth, **keys):
        state = TPESearch(n_iter=20, startup=5, **keys).start({}, SPACE, FACTS)
        return [c.params for c in loop(state, score).run().asked]

    one = draw()
    other = draw(lambda params, *_: -params["x"])
    assert one == draw()
    assert one != draw(seed=1)
    assert one[:5] == other[:5]
    assert one[5:] != other[5:]


def test_candidates_under_way_are_not_drawn_again():
    state = TPESearch(n_iter=8, parallel=8).start({}, SPACE, FACTS)
    points = [c.params["x"] for c in state.ask(8)]
    assert len(set(points)) == 8


@pytest.mark.parametrize("greater", [True, False])
def test_tpe_finds_a_better_optimum_than_random_search(greater, loop):
    """Compare medians over 15 seeds, with 40 candidates each."""
    facts = SearchFacts("score", greater_is_better=greater, folds=5)
    space = {key: SPACE[key] for key in ("x", "y")}
    sign = 1 if greater else -1

    def best(search):
        run = loop(search.start({}, space, facts), lambda *a: sign * smooth(*a)).run()
        return max(sign * result.mean_scores["score"] for result in run.observed)

    tpe = [best(TPESearch(n_iter=40, seed=seed)) for seed in range(15)]
    random = [best(RandomSearch(n_iter=40, seed=seed)) for seed in range(15)]
    assert statistics.median(tpe) > statistics.median(random)


@needs_torch
def test_gp_finds_a_better_optimum_than_random_search(loop):
    space = {key: SPACE[key] for key in ("x", "y")}

    def best(search):
        run = loop(search.start({}, space, FACTS), smooth).run()
        return max(result.mean_scores["score"] for result in run.observed)

    gp = [best(GPSearch(n_iter=20, startup=6, seed=seed)) for seed in range(3)]
    random = [best(RandomSearch(n_iter=20, seed=seed)) for seed in range(3)]
    assert statistics.median(gp) > statistics.median(random)


def test_one_candidate_at_a_time_draws_what_optuna_itself_draws():
    """Compare with the same samplers in Optuna's own ask-and-tell interface."""
    search = TPESearch(n_iter=25, startup=5, parallel=1, seed=3)
    state = search.start({}, SPACE, FACTS)
    study = optuna.create_study(direction="maximize")
    for number in range(25):
        (candidate,) = state.ask(1)
        study.sampler = search.sampler(number)
        trial = study.ask()
        theirs = {
            "x": trial.suggest_float("x", -2, 2),
            "y": trial.suggest_float("y", 1e-3, 10, log=True),
            "k": trial.suggest_int("k", 1, 20),
            "kind": trial.suggest_categorical("kind", ["a", None, True, 0.5]),
        }
        assert candidate.params == theirs
        result = _result(candidate)
        state.tell([result])
        study.tell(trial, result.mean_scores["score"])


def _result(candidate):
    from optibench.records import CandidateResult, Status

    numbers = ["mean_fit_seconds", "mean_score_seconds", "cpu_seconds", "start", "end"]
    return CandidateResult(
        candidate.number,
        candidate.params,
        {"score": smooth(candidate.params, 1.0, 0)},
        {},
        rank=1,
        status=Status.FINISHED,
        **dict.fromkeys(numbers, 0.0),
    )


def test_failed_candidates_teach_nothing_and_the_search_goes_on(loop):
    def score(params, *_):
        return float("nan") if params["kind"] == "a" else smooth(params, 1.0, 0)

    run = loop(TPESearch(n_iter=30).start({}, SPACE, FACTS), score).run()
    assert len(run.observed) == 30
    assert {result.status.value for result in run.observed} == {"FINISHED", "FAILED"}


def test_as_results_come_the_search_ends_after_its_candidates(loop):
    state = TPESearch(n_iter=25, deterministic=False).start({}, SPACE, FACTS)
    run = loop(state, smooth, deterministic=False, workers=7).run()
    assert sorted(r.number for r in run.observed) == list(range(25))
    assert [r.number for r in run.observed] != list(range(25))


def test_optuna_is_quiet_and_its_own_settings_are_left_as_they_were(loop, capsys):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        facts = SearchFacts("score", greater_is_better=True, folds=5)
        state = TPESearch(n_iter=12, startup=3, pruner="wilcoxon").start({}, SPACE, facts)
        loop(state, smooth).run()
    assert capsys.readouterr().err == ""
    assert logging.getLogger("optuna").level == logging.INFO


def test_the_examples_hold_every_choice():
    points = [c.params for c in TPESearch().start({}, SPACE, FACTS).examples]
    assert {p["kind"] for p in points} == {"a", None, True, 0.5}
    assert {p["x"] for p in points} == {-2.0, 2.0}
    assert {p["k"] for p in points} == {1, 20}


@pytest.mark.parametrize(
    ("keys", "space", "says"),
    [
        ({"n_iter": 0}, SPACE, "search.n_iter=0"),
        ({"startup": 0}, SPACE, "search.startup=0"),
        ({"parallel": 0}, SPACE, "search.parallel=0"),
        ({"pruner": "best"}, SPACE, "search.pruner=best: allowed is null or one of median"),
        ({}, {"layers": [3, [1, 2]]}, "model.space.layers contains [1, 2]"),
        ({}, {}, "model.space is empty"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(keys, space, says):
    with pytest.raises(ConfigError) as caught:
        TPESearch(**keys).start({}, space, FACTS)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("search", "missing", "says"),
    [
        (TPESearch(), "optuna", "search=tpe .* pip install 'optibench\\[optuna\\]'"),
        (GPSearch(), "optuna", "search=gp .* pip install 'optibench\\[optuna\\]'"),
        (GPSearch(), "torch", "search=gp .* pip install torch .* or use search=tpe"),
    ],
)
def test_a_missing_library_is_named_with_what_to_install(search, missing, says, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else real(name)
    )
    with pytest.raises(ConfigError, match=says):
        search.start({}, SPACE, FACTS)
