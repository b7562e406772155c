"""Halving and Hyperband against the papers and scikit-learn, synchronous and asynchronous."""

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optibench.contracts import SearchFacts
from optibench.errors import ConfigError
from optibench.search.halving import HalvingSearch
from optibench.search.hyperband import HyperbandSearch
from optibench.search.random import RandomSearch
from optibench.search.resources import Resource

SPACE = {"x": {"low": 0.0, "high": 1.0}}
FACTS = SearchFacts("score", greater_is_better=True, folds=5)
# Table of Li et al. 2018 (JMLR 18(185)) for R=81 and eta=3: (n_i, r_i) of the brackets s=4 to 0.
PAPER = [
    [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
    [(34, 3), (11, 9), (3, 27), (1, 81)],
    [(15, 9), (5, 27), (1, 81)],
    [(8, 27), (2, 81)],
    [(5, 81)],
]


def of_x(params, _rows, fold):
    """Return a score that grows with x and does not depend on the resource."""
    return params["x"] + 0.01 * fold


def count_by(candidates, amount):
    return dict(Counter(amount(c) for c in candidates))


def start(search, params=None, space=SPACE, facts=FACTS):
    return search.start(params or {}, space, facts)


def test_hyperband_has_the_brackets_of_the_paper(loop):
    search = HyperbandSearch(resource="n", min_resource=1, max_resource=81)
    state = start(search)
    asked = loop(state, of_x).run().asked
    expected = Counter()
    for bracket in PAPER:
        for n, r in bracket:
            expected[r] += n
    assert count_by(asked, lambda c: c.params["n"]) == dict(expected)
    first = [c.params["n"] for c in asked if c.continues is None]
    assert first == [r for b in PAPER for n, r in b[:1] for _ in range(n)]
    assert state.total == len(asked) == sum(n for bracket in PAPER for n, _ in bracket)


def test_hyperband_promotes_within_a_bracket_as_the_paper_says(loop):
    search = HyperbandSearch(resource="n", min_resource=1, max_resource=81)
    asked = {c.number: c for c in loop(start(search), of_x).run().asked}
    chains = defaultdict(Counter)
    for candidate in asked.values():
        root = candidate
        while root.continues is not None:
            assert root.params["x"] == asked[root.continues].params["x"]
            root = asked[root.continues]
        chains[root.params["n"]][candidate.params["n"]] += 1
    assert [dict(chains[b[0][1]]) for b in PAPER] == [{r: n for n, r in b} for b in PAPER]


@pytest.mark.parametrize(("n_candidates", "factor"), [(27, 3), (18, 3), (16, 2), (16, 4)])
def test_halving_has_the_rungs_of_scikit_learn(n_candidates, factor, loop):
    """Compare where scikit-learn's resources reach the maximum and its sizes divide evenly."""
    from scipy.stats import uniform
    from sklearn.dummy import DummyClassifier
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingRandomSearchCV

    class Model(DummyClassifier):
        def __init__(self, x=0.0, n=1):
            super().__init__()
            self.x, self.n = x, n

        def score(self, X, y=None):  # noqa: ARG002
            return self.x

    n_rungs = 1 + int(np.log(n_candidates) / np.log(factor) + 1e-9)
    smallest, largest = 2, 2 * factor ** (n_rungs - 1)
    theirs = HalvingRandomSearchCV(
        Model(),
        {"x": uniform()},
        n_candidates=n_candidates,
        factor=factor,
        resource="n",
        min_resources=smallest,
        max_resources=largest,
        cv=2,
        random_state=0,
    ).fit(np.zeros((8, 1)), [0, 1] * 4)
    search = HalvingSearch(
        n_candidates=n_candidates,
        factor=factor,
        resource="n",
        min_resource=smallest,
        max_resource=largest,
    )
    asked = loop(start(search), of_x).run().asked
    expected = dict(zip(theirs.n_resources_, theirs.n_candidates_, strict=True))
    assert count_by(asked, lambda c: c.params["n"]) == expected


def test_halving_of_rows_gives_shares_and_starts_fits_anew(loop):
    asked = loop(start(HalvingSearch()), of_x).run().asked
    assert count_by(asked, lambda c: c.rows) == {1 / 27: 27, 1 / 9: 9, 1 / 3: 3, 1.0: 1}
    assert all(c.budget == c.rows and c.continues is None and not c.resumable for c in asked)
    assert all(set(c.params) == {"x"} for c in asked)


def test_halving_of_a_hyperparameter_goes_on_from_the_fits_below(loop):
    search = HalvingSearch(resource="trees", max_resource=100)
    asked = loop(start(search, {"trees": 50, "k": 1}), of_x).run().asked
    assert count_by(asked, lambda c: c.params["trees"]) == {3: 27, 11: 9, 33: 3, 100: 1}
    assert all(c.params["k"] == 1 and c.rows == 1.0 for c in asked)
    assert all(c.budget == c.params["trees"] / 100 for c in asked)
    assert all(c.resumable == (c.params["trees"] < 100) for c in asked)
    for candidate in asked[27:]:
        below = asked[candidate.continues]
        assert below.params["x"] == candidate.params["x"]
        assert below.params["trees"] == candidate.params["trees"] // 3


def test_the_largest_resource_is_the_fixed_hyperparameter_where_it_is_not_given(loop):
    asked = loop(start(HalvingSearch(resource="trees"), {"trees": 40}), of_x).run().asked
    assert max(c.params["trees"] for c in asked) == 40


def test_the_best_go_on_and_of_equals_the_one_asked_first(loop):
    space = {"x": [5, 1, 3, 3, 2, 3]}

    def score(params, *_):
        return float(params["x"])

    state = HalvingSearch(n_candidates=6, resource="n", max_resource=9).start({}, space, FACTS)
    run = loop(state, score).run()
    first = run.asked[:6]
    scores = sorted((-c.params["x"], c.number) for c in first)
    assert [c.continues for c in run.asked[6:8]] == [number for _, number in scores[:2]]


def test_smaller_scores_go_on_where_smaller_is_better(loop):
    lower = SearchFacts("score", greater_is_better=False, folds=5)
    asked = loop(HalvingSearch().start({}, SPACE, lower), of_x).run().asked
    assert asked[-1].params["x"] == min(c.params["x"] for c in asked)


def test_failed_candidates_do_not_go_on(loop):
    def score(params, *_):
        return float("nan") if params["x"] > 0.2 else params["x"]

    asked = loop(start(HalvingSearch()), score).run().asked
    able = [c for c in asked[:27] if c.params["x"] <= 0.2]
    assert 1 <= len(able) < 9
    assert {c.params["x"] for c in asked if c.rows == 1 / 9} == {c.params["x"] for c in able}
    assert all(c.params["x"] <= 0.2 for c in asked[27:])
    assert asked[-1].rows == 1.0


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_search_in_which_all_fail_is_over_after_the_first_rungs(deterministic, loop):
    state = start(HyperbandSearch(deterministic=deterministic))
    run = loop(state, lambda *_: float("nan"), deterministic=deterministic).run()
    assert len(run.observed) == 27 + 12 + 6 + 4
    assert list(state.ask(100)) == []


def test_few_candidates_start_with_more_of_the_resource(loop):
    asked = loop(start(HalvingSearch(n_candidates=5)), of_x).run().asked
    assert count_by(asked, lambda c: c.rows) == {1 / 3: 5, 1.0: 1}


def test_points_are_those_of_random_search():
    drawn = [c.params for c in start(HalvingSearch(n_candidates=8, seed=3)).ask(100)]
    assert drawn == [c.params for c in start(RandomSearch(n_iter=8, seed=3)).ask(100)]


def test_a_space_of_lists_is_not_repeated_within_a_bracket():
    space = {"a": [1, 2, 3], "b": [1, 2, 3, 4, 5]}
    asked = start(HyperbandSearch(), space=space).ask(1000)
    of_bracket = defaultdict(list)
    for candidate in asked:
        of_bracket[candidate.rows].append(tuple(sorted(candidate.params.items())))
    assert {rows: len(points) for rows, points in of_bracket.items()} == {
        1 / 9: 15 + 12,  # 27 wanted, there are 15: that bracket starts one rung higher
        1 / 3: 6,
        1.0: 4,
    }
    assert len(set(of_bracket[1 / 9][:15])) == 15
    assert len(set(of_bracket[1 / 9][15:])) == 12


def test_a_bracket_goes_on_while_another_still_has_open_results(evaluate):
    state = start(HyperbandSearch(resource="n", max_resource=27))
    first = state.ask(10**6)
    assert [c.params["n"] for c in first] == [1] * 27 + [3] * 12 + [9] * 6 + [27] * 4
    state.tell([evaluate(candidate, of_x) for candidate in first[:26]])
    assert list(state.ask(10**6)) == []
    state.tell([evaluate(first[26], of_x)])
    assert [c.params["n"] for c in state.ask(10**6)] == [3] * 9


@pytest.mark.parametrize("search", [HalvingSearch(), HyperbandSearch()])
def test_in_order_the_candidates_do_not_depend_on_who_is_fast(search, loop):
    runs = [loop(start(search), of_x, seed=s, workers=1 + 3 * s).run() for s in range(4)]
    assert all(run.asked == runs[0].asked for run in runs)
    assert len(runs[0].asked) == start(search).total


@given(
    n=st.integers(1, 60),
    factor=st.integers(2, 4),
    workers=st.integers(1, 9),
    slope=st.sampled_from([-1, 0, 1]),
)
def test_as_results_come_only_the_top_so_far_go_on_and_the_search_ends(
    loop, n, factor, workers, slope
):
    class CheckedPromotions(loop):
        def _ask(self):
            before = len(self.asked)
            super()._ask()
            check_promotions(self.asked[before:], self.observed, factor)

    search = HalvingSearch(
        n_candidates=n, factor=factor, resource="n", max_resource=64, deterministic=False
    )
    state = start(search)
    order = {}

    def score(params, *_):
        # With a slope of 1 each point is better than all earlier ones: most promotions.
        return slope * order.setdefault(params["x"], len(order)) if slope else params["x"]

    run = CheckedPromotions(state, score, deterministic=False, workers=workers, seed=n).run()
    assert len(run.observed) == len(run.asked) <= state.total
    assert list(state.ask(100)) == []
    rungs = count_by(run.asked, lambda c: c.params["n"])
    sizes = [rungs[level] for level in sorted(rungs)]
    assert sizes[0] == n
    assert max(rungs) == 64
    assert all(above >= below // factor for below, above in pairwise(sizes))


def check_promotions(candidates, recorded, factor):
    """Check that promotions are in the top 1/factor of the results on the rung (ASHA, alg. 2)."""
    costs = {r.number: (r.budget, -r.mean_scores["score"], r.number) for r in recorded}
    for candidate in candidates:
        if candidate.continues is not None:
            own = costs[candidate.continues]
            rung = sorted(cost for cost in costs.values() if cost[0] == own[0])
            assert rung.index(own) < len(rung) // factor


def test_as_results_come_a_promotion_does_not_wait_for_its_rung(loop):
    run = loop(start(HalvingSearch(deterministic=False)), of_x, deterministic=False).run()
    first_up = next(c.number for c in run.asked if c.rows > 1 / 27)
    assert first_up < 27
    assert max(c.rows for c in run.asked) == 1.0


def test_asynchronous_brackets_all_reach_the_full_resource(loop):
    state = start(HyperbandSearch(deterministic=False))
    run = loop(state, of_x, deterministic=False).run()
    assert count_by(run.asked, lambda c: c.rows)[1.0] >= 4 + 3
    assert len(run.asked) <= state.total


def test_where_failures_leave_too_few_the_best_still_reaches_the_full_resource(loop):
    def score(params, *_):
        return params["x"] if params["x"] > 0.9 else float("nan")

    run = loop(start(HalvingSearch(deterministic=False)), score, deterministic=False).run()
    able = [c for c in run.asked[:27] if c.params["x"] > 0.9]
    assert 1 <= len(able) <= 8  # too few for a rung of three above them
    assert max(c.rows for c in run.asked) == 1.0


def test_the_examples_hold_every_choice_at_both_ends_of_the_resource():
    space = {"a": ["u", "v"], "k": {"low": 2, "high": 9, "int": True}}
    state = start(HalvingSearch(resource="n", max_resource=30), {"c": 0}, space)
    points = [c.params for c in state.examples]
    assert points == [
        {"c": 0, "a": a, "k": k, "n": n}
        for a, k in [("u", 2), ("v", 2), ("u", 9)]
        for n in (1, 30)
    ]
    assert all(type(p["k"]) is int and type(p["n"]) is int for p in points)


@given(full=st.integers(1, 10**6), least=st.integers(1, 10**6), factor=st.integers(2, 5))
def test_levels_end_at_the_maximum_and_do_not_fall_below_the_minimum(full, least, factor):
    full, least = max(full, least), min(full, least)
    levels = Resource("n", least, full, factor).ladder({}, {}).levels
    assert levels[-1] == full
    assert levels[0] >= least
    assert Fraction(full, factor ** len(levels)) < least  # one more would be below
    assert list(levels) == [full // factor**i for i in range(len(levels))][::-1]


@pytest.mark.parametrize("steps", range(1, 9))
@pytest.mark.parametrize("factor", [2, 3, 5, 10])
def test_shares_that_are_powers_are_not_lost_to_rounding(factor, steps):
    levels = Resource("rows", 1 / factor**steps, None, factor).ladder({}, {}).levels
    assert len(levels) == steps + 1
    assert levels == tuple(1 / factor**i for i in range(steps, -1, -1))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"factor": 1}, "search.factor=1"),
        ({"n_candidates": 0}, "search.n_candidates=0"),
        ({"min_resource": 0}, "search.min_resource=0"),
        ({"max_resource": 1.5}, "search.max_resource=1.5"),
        ({"min_resource": 0.5, "max_resource": 0.2}, "search.min_resource=0.5 is above"),
        ({"resource": "x"}, "search.resource=x is in the search space"),
        ({"resource": "n"}, "search.max_resource=null with search.resource=n"),
        ({"resource": "n", "max_resource": 0.5}, "search.max_resource=0.5"),
        ({"resource": "n", "max_resource": 9, "min_resource": 1.5}, "search.min_resource=1.5"),
        ({"resource": "auto_n"}, "model.params.auto_n=auto"),
    ],
)
def test_a_resource_that_cannot_be_is_refused_by_name(keys, says):
    with pytest.raises(ConfigError) as caught:
        start(HalvingSearch(**keys), {"auto_n": "auto"})
    assert says in str(caught.value)
