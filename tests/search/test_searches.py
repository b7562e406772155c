"""Grid, random and none against scikit-learn's own generators."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import ParameterGrid, ParameterSampler

from optibench.contracts import SearchFacts
from optibench.errors import ConfigError
from optibench.search.grid import GridSearch
from optibench.search.none import NoSearch
from optibench.search.random import RandomSearch
from optibench.search.space import Distribution

FACTS = SearchFacts("accuracy", greater_is_better=True, folds=5)
LISTS = {"b": [3, 1, 2], "a": ["x", "y"]}


def test_grid_walks_the_points_in_the_order_of_parameter_grid():
    candidates = GridSearch().start({"c": 0}, LISTS, FACTS).ask(100)
    assert [c.params for c in candidates] == [{"c": 0, **point} for point in ParameterGrid(LISTS)]
    assert [c.number for c in candidates] == list(range(6))


def test_a_search_is_over_after_its_candidates_were_asked_for():
    state = GridSearch().start({}, LISTS, FACTS)
    assert state.total == len(state.ask(100)) == 6
    assert list(state.ask(100)) == []


def test_a_search_gives_at_most_what_there_is_room_for_and_goes_on_from_there():
    state = GridSearch().start({}, LISTS, FACTS)
    numbers = [[c.number for c in state.ask(room)] for room in (4, 0, 4)]
    assert numbers == [[0, 1, 2, 3], [], [4, 5]]


def test_grid_refuses_a_distribution():
    with pytest.raises(ConfigError, match=r"model\.space\.eta is a distribution"):
        GridSearch().start({}, {"eta": {"low": 0.1, "high": 1}}, FACTS)


def test_random_draws_what_parameter_sampler_draws():
    points = [c.params for c in RandomSearch(n_iter=4, seed=7).start({}, LISTS, FACTS).ask(100)]
    assert points == list(ParameterSampler(LISTS, n_iter=4, random_state=7))


def test_random_depends_on_the_seed_and_repeats_with_it():
    space = {"eta": {"low": 0.01, "high": 1, "log": True}, "depth": [1, 2, 3]}

    def draw(seed):
        return [
            c.params for c in RandomSearch(n_iter=5, seed=seed).start({}, space, FACTS).ask(100)
        ]

    assert draw(0) == draw(0) != draw(1)


def test_random_walks_a_small_space_of_lists_once():
    assert RandomSearch(n_iter=100).start({}, LISTS, FACTS).total == 6


@pytest.mark.parametrize("n_iter", [0, -3])
def test_random_refuses_fewer_than_one_candidate(n_iter):
    with pytest.raises(ConfigError, match=rf"search\.n_iter={n_iter}"):
        RandomSearch(n_iter=n_iter).start({}, LISTS, FACTS)


def test_none_proposes_the_fixed_hyperparameters_alone():
    state = NoSearch().start({"k": 2}, LISTS, FACTS)
    assert [c.params for c in state.ask(100)] == [{"k": 2}]
    assert not state.uses_folds


@given(st.integers(0, 50), st.integers(1, 50), st.booleans(), st.integers(0, 1000))
def test_whole_numbers_stay_in_range_and_are_python_ints(low, width, log, seed):
    distribution = Distribution(low + 1, low + 1 + width, log=log, integer=True)
    value = distribution.rvs(np.random.RandomState(seed))
    assert type(value) is int
    assert low + 1 <= value <= low + 1 + width


def test_both_ends_of_a_whole_number_range_are_as_likely_as_the_middle():
    random_state = np.random.RandomState(0)
    draws = [Distribution(1, 3, integer=True).rvs(random_state) for _ in range(6000)]
    assert np.bincount(draws)[1:] == pytest.approx([2000] * 3, rel=0.08)


def test_a_log_distribution_is_uniform_in_the_logarithm():
    random_state = np.random.RandomState(0)
    draws = np.log10([Distribution(1e-3, 1e3, log=True).rvs(random_state) for _ in range(4000)])
    assert np.histogram(draws, bins=4, range=(-3, 3))[0] == pytest.approx([1000] * 4, rel=0.12)


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({}, "model.space is empty"),
        ({"a": []}, "model.space.a=[] is empty"),
        ({"a": 3}, "model.space.a=3"),
        ({"a": [1, {"low": 1, "high": 2}]}, "not both"),
        ({"a": {"low": 1}}, "a distribution is"),
        ({"a": {"low": 1, "high": 2, "step": 1}}, "a distribution is"),
        ({"a": {"low": "1", "high": 2}}, "a distribution is"),
        ({"a": {"low": 2, "high": 2}}, "must be below"),
        ({"a": {"low": math.nan, "high": 2}}, "a distribution is"),
        ({"a": {"low": 0, "high": 2, "log": True}}, "above 0"),
        ({"a": {"low": 0.5, "high": 2, "int": True}}, "whole numbers"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_by_name(space, says):
    with pytest.raises(ConfigError) as caught:
        RandomSearch().start({}, space, FACTS)
    assert says in str(caught.value)
