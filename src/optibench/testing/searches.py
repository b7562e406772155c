"""The conformance suite of searches."""

from __future__ import annotations

import copy
import math
import pickle
import zlib
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from optibench.contracts import Journal, SearchFacts
from optibench.errors import ConfigError
from optibench.records import Task
from optibench.search.settings import SearchSettings
from optibench.testing.plugins import check_plugin
from optibench.testing.reference import expected_scores
from optibench.testing.runs import EngineUser, Plugins, configured, engine_words, run
from optibench.testing.search_driver import FOLDS, SearchDriver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from optibench.contracts import Search, SearchState
    from optibench.records import Candidate, Params

FACTS = SearchFacts("score", greater_is_better=True, folds=FOLDS)
BROKEN_SHARE = 0.3


class SearchSuite(EngineUser):
    """What every search does. Derive from it and override the fixture `search`.

    Attributes:
        space: what the search walks in these tests: lists, or distributions where it takes them.
        params: the fixed hyperparameters.
        overrides: needed to configure it from the command line.
    """

    space: ClassVar[Mapping[str, Any]] = {"depth": [1, 2, 3], "kind": ["x", "y"]}
    params: ClassVar[Mapping[str, Any]] = {"fixed": 0}
    overrides: ClassVar[Sequence[str]] = ()

    @pytest.fixture
    def search(self) -> Search:
        """Return the search as configured."""
        msg = f"{type(self).__name__} overrides the fixture `search`"
        raise NotImplementedError(msg)

    def test_it_is_found_by_its_name_and_has_the_keys_of_every_search(
        self, search: Search
    ) -> None:
        """A search that inherits `SearchSettings` has the keys."""
        check_plugin("search", search, self.overrides)
        keys = {field.name for field in fields(SearchSettings)}
        assert keys <= vars(search).keys()

    def test_candidates_are_points_of_the_space_numbered_in_order(
        self, search: Search, tmp_path: Path
    ) -> None:
        """Each has all fixed hyperparameters, one value of each key, and at most its budget."""
        driver = SearchDriver(state := self._started(search, tmp_path), score).run()
        assert [c.number for c in driver.asked] == list(range(len(driver.asked)))
        assert 1 <= len(driver.asked) <= state.total
        assert len(driver.observed) == len(driver.asked)
        for candidate in driver.asked:
            self._check_candidate(candidate, driver.asked, in_space=state.uses_folds)

    def _check_candidate(
        self, candidate: Candidate, asked: Sequence[Candidate], *, in_space: bool
    ) -> None:
        params = candidate.params
        assert pickle.loads(pickle.dumps(candidate)) == candidate  # noqa: S301 - our own
        assert 0 < candidate.rows <= 1
        assert 0 < candidate.budget <= 1
        assert params.keys() >= self.params.keys()
        if candidate.budget == 1:  # with less, one of them is the resource
            assert {key: params[key] for key in self.params} == dict(self.params)
        for key, entry in self.space.items() if in_space else ():
            assert is_in(params[key], entry), f"{key}={params[key]!r} is not in {entry!r}"
        if candidate.continues is not None:
            assert candidate.continues < candidate.number
            assert asked[candidate.continues].resumable

    def test_it_gives_no_more_than_there_is_room_for_and_ends(
        self, search: Search, tmp_path: Path
    ) -> None:
        """Without room it gives nothing; once it is over it gives nothing more."""
        state = self._started(search, tmp_path)
        assert list(state.ask(0)) == []
        SearchDriver(state, score).run()
        assert list(state.ask(10)) == []
        state.close(finished=True)

    def test_the_same_seed_gives_the_same_candidates(self, search: Search, tmp_path: Path) -> None:
        """Which trial ends first does not matter while results are told in order."""
        asked = []
        for chance in (0, 1):
            state = self._started(search, tmp_path / str(chance))
            asked.append(SearchDriver(state, score, seed=chance).run().asked)
        assert asked[0] == asked[1]

    def test_it_takes_results_as_they_come(self, search: Search, tmp_path: Path) -> None:
        """With search.deterministic=false results come in any order, on several workers."""
        assert is_dataclass(search)
        state = self._started(replace(search, deterministic=False), tmp_path)
        driver = SearchDriver(state, score, deterministic=False, workers=4).run()
        assert sorted(r.number for r in driver.observed) == list(range(len(driver.asked)))
        for candidate in driver.asked:
            self._check_candidate(candidate, driver.asked, in_space=state.uses_folds)

    @pytest.mark.parametrize("share", [BROKEN_SHARE, 1.0])
    def test_failed_candidates_do_not_stop_it(
        self, search: Search, share: float, tmp_path: Path
    ) -> None:
        """Some candidates have no score, or all of them."""

        def broken(params: Params, rows: float, fold: int) -> float:
            return math.nan if chance_of(params) < share else score(params, rows, fold)

        driver = SearchDriver(self._started(search, tmp_path), broken).run()
        assert driver.asked
        assert len(driver.observed) == len(driver.asked)

    def test_it_goes_on_after_an_interruption(self, search: Search, tmp_path: Path) -> None:
        """An interrupted search that is started again ends with the same candidates."""
        undisturbed = SearchDriver(self._started(search, tmp_path / "whole"), score).run()
        state = self._started(search, tmp_path / "parts")
        SearchDriver(state, score, seed=1).run(tells=max(1, len(undisturbed.observed) // 2))
        state.close(finished=False)
        again = SearchDriver(self._started(search, tmp_path / "parts"), score, seed=2).run()
        assert [c.params for c in again.asked] == [c.params for c in undisturbed.asked]

    def test_examples_stand_for_the_candidates(self, search: Search, tmp_path: Path) -> None:
        """What is checked before the start has the hyperparameters that are proposed later."""
        state = self._started(search, tmp_path)
        known = {frozenset(example.params) for example in state.examples}
        assert known, "there are no examples"
        for candidate in SearchDriver(state, score).run().asked:
            assert frozenset(candidate.params) in known

    def test_an_empty_space_is_refused(self, search: Search) -> None:
        """Only a search that fits its one candidate without folds needs no space."""
        params, space = self._given()
        if search.start(params, space, FACTS).uses_folds:
            with pytest.raises(ConfigError, match="space"):
                search.start(params, {}, FACTS)

    def test_it_leaves_what_it_was_given_as_it_was(self, search: Search, tmp_path: Path) -> None:
        """The space and the fixed hyperparameters are shared with the rest of the run."""
        params, space = self._given()
        state = search.start(params, space, FACTS)
        state.open(Journal(tmp_path, "suite"))
        SearchDriver(state, score).run()
        assert (params, space) == self._given()

    def test_it_tunes_a_model_on_an_engine(self, search: Search) -> None:
        """Each trial on all rows has the scores of a plain fit of its candidate."""
        words = engine_words("sklearn")
        config = configured(Plugins(search=search), Task.CLASSIFICATION, words)
        result, _ = run(config)
        whole = [c for c in result.candidates if c.rows == 1]
        assert whole or not result.trials
        expected = expected_scores(config, [candidate.params for candidate in whole])
        for place, candidate in enumerate(whole):
            for trial in candidate.trials:
                assert trial.scores == expected[place, trial.fold]
        assert result.best_params

    def _started(self, search: Search, folder: Path) -> SearchState:
        folder.mkdir(exist_ok=True)
        state = search.start(*self._given(), FACTS)
        state.open(Journal(folder, "suite"))
        return state

    def _given(self) -> tuple[Params, Mapping[str, Any]]:
        """Return copies of the fixed hyperparameters and of the space."""
        return copy.deepcopy(dict(self.params)), copy.deepcopy(dict(self.space))


def score(params: Params, rows: float, fold: int) -> float:
    """Score a candidate by its hyperparameters, a little by fold and by share of the rows."""
    return chance_of(params) + 0.01 * fold + 0.001 * rows


def chance_of(params: Params) -> float:
    """Return a number from 0 to 1 that depends on nothing but the hyperparameters."""
    return zlib.crc32(repr(sorted(params.items())).encode()) / 2**32


def is_in(value: object, entry: Any) -> bool:
    """Return True for a value that an entry of a search space allows."""
    if isinstance(entry, dict):
        return isinstance(value, int | float) and entry["low"] <= value <= entry["high"]
    return value in entry
