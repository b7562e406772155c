"""Interrupted searches resume, stored results are exact, and processes do not interfere."""

import functools
import json
import math
import os
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optibench.contracts import Journal, SearchFacts
from optibench.errors import TrackingError
from optibench.records import Candidate, Reused, Status, Trial
from optibench.search.journal import StudyJournal, read_trials, write_trials
from optibench.search.tpe import TPESearch

optuna = pytest.importorskip("optuna")

N = 16  # candidates of a search
SPACE = {
    "x": {"low": 0.0, "high": 1.0},
    "y": {"low": 1e-9, "high": 1.0, "log": True},
    "k": {"low": 1, "high": 9, "int": True, "log": True},
    "kind": ["a", None, True, 2.5],
}
FACTS = SearchFacts("score", greater_is_better=True, folds=5)


def bumpy(params, _rows, fold):
    """Return a score with which some candidates fail on a fold."""
    if 0.4 < params["x"] < 0.45:
        return math.nan
    return math.sin(9 * params["x"]) / 3 + math.log10(params["y"]) / 7 + 0.05 * math.cos(fold)


def search_of(pruner, **keys):
    return TPESearch(n_iter=N, startup=6, pruner=pruner, **keys)


def start(journal, search):
    state = search.start({"c": 3}, SPACE, FACTS)
    state.open(journal)
    return state


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path, "question")


def exactly(results):
    """Return values that are equal if every float is, to the last bit; NaN equals NaN."""
    return [(repr(result), repr(result.trials)) for result in results]


def abandon(state):
    """Release the locks, as the kernel does at the end of a process, and do nothing else."""
    state._journal._lock.release()
    state._journal._storage.engine.dispose()


@pytest.fixture(scope="module")
def undisturbed(loop):
    """Return `undisturbed(pruner)`: the run of a search that nothing interrupts, made once."""

    @functools.cache
    def run(pruner):
        return loop(search_of(pruner).start({"c": 3}, SPACE, FACTS), bumpy).run()

    return run


@pytest.mark.parametrize("tells", [1, 9, N - 1])
@pytest.mark.parametrize("pruner", [None, "median", "hyperband", "successive_halving"])
def test_in_order_an_interrupted_search_repeats_itself_and_runs_only_what_is_new(
    pruner, tells, journal, loop, undisturbed
):
    search, whole = search_of(pruner), undisturbed(pruner)
    state = start(journal, search)
    first = loop(state, bumpy, seed=1).run(tells)
    abandon(state)
    state = start(journal, search)
    second = loop(state, bumpy, seed=2).run()
    state.close(finished=True)
    assert second.asked == whole.asked
    assert exactly(second.observed) == exactly(whole.observed)
    assert exactly(first.observed) == exactly(whole.observed[:tells])
    assert sorted(second.ran) == list(range(tells, N))


@pytest.mark.slow
def test_an_interruption_of_a_resumed_search_is_one_more(journal, loop, undisturbed):
    search = search_of("wilcoxon")
    for tells in (5, 9, 10, 14):
        state = start(journal, search)
        run = loop(state, bumpy, seed=tells).run(tells)
        abandon(state)
    state = start(journal, search)
    run = loop(state, bumpy).run()
    state.close(finished=True)
    assert exactly(run.observed) == exactly(undisturbed("wilcoxon").observed)
    assert len(read(journal, 1)) == N


def read(journal, n):
    storage = f"sqlite:///{journal.folder / 'optuna.db'}"
    return optuna.load_study(study_name=f"{journal.name}-{n}", storage=storage).trials


@pytest.mark.parametrize("pruner", [None, "median", "successive_halving"])
def test_as_results_come_what_is_written_is_taken_over_and_counts(pruner, journal, loop):
    search = search_of(pruner, deterministic=False)
    state = start(journal, search)
    first = loop(state, bumpy, deterministic=False, workers=6).run(10)
    abandon(state)
    state = start(journal, search)
    second = loop(state, bumpy, deterministic=False, workers=6).run()
    state.close(finished=True)
    taken = {c.number: c.params for c in second.asked[:10]}
    assert list(taken.values()) == [r.params for r in first.observed]
    assert len(second.observed) == N
    assert not set(second.ran) & set(range(10))
    again = {r.number: r for r in second.observed}
    for number, result in enumerate(first.observed):
        assert again[number].mean_scores == pytest.approx(result.mean_scores, nan_ok=True)
        assert again[number].status is result.status
        assert all(trial.candidate == number for trial in again[number].trials)
    assert len(read(journal, 1)) == N


def test_a_finished_search_is_left_alone_and_the_next_measures_anew(journal, loop):
    for n in (1, 2):
        state = start(journal, search_of(None))
        run = loop(state, bumpy).run()
        state.close(finished=True)
        assert sorted(run.ran) == list(range(N))
        assert len(read(journal, n)) == N


def test_an_unfinished_search_that_was_closed_is_taken_up(journal, loop):
    state = start(journal, search_of(None))
    loop(state, bumpy).run(6)
    state.close(finished=False)
    state = start(journal, search_of(None))
    run = loop(state, bumpy).run()
    state.close(finished=True)
    assert sorted(run.ran) == list(range(6, N))


def test_another_question_is_another_study(tmp_path, loop):
    for name in ("one", "other"):
        state = start(Journal(tmp_path, name), search_of(None))
        run = loop(state, bumpy).run(6)
        state.close(finished=False)
        assert len(run.ran) >= 6


def test_two_live_searches_with_one_question_do_not_share_a_study(journal, loop):
    one, other = start(journal, search_of(None)), start(journal, search_of(None))
    first, second = loop(one, bumpy).run(9), loop(other, bumpy).run(4)
    one.close(finished=False)
    other.close(finished=False)
    assert exactly(first.observed[:4]) == exactly(second.observed)
    assert (len(read(journal, 1)), len(read(journal, 2))) == (9, 4)


def test_a_candidate_stopped_from_outside_is_run_again(journal, evaluate):
    state = start(journal, search_of("median"))
    stopped, over = state.ask(2)
    result = evaluate(stopped, bumpy)
    state.tell([replace(result, status=Status.KILLED, trials=result.trials[:2])])
    state.tell([evaluate(over, bumpy)])
    state.close(finished=False)
    state = start(journal, search_of("median"))
    again = state.ask(2)
    assert again == [stopped, over]
    assert [len(state.recall(candidate)) for candidate in again] == [0, 5]
    state.close(finished=False)


def test_what_is_written_under_a_number_is_not_recalled_for_other_hyperparameters(
    journal, evaluate
):
    state = start(journal, search_of(None))
    state.tell([evaluate(state.ask(1)[0], bumpy)])
    state.close(finished=False)
    state = start(journal, search_of(None, seed=1))  # as if Optuna drew otherwise
    (candidate,) = state.ask(1)
    assert state.recall(candidate) == ()
    state.close(finished=False)


def test_a_journal_that_cannot_be_used_is_named(journal):
    (journal.folder / "optuna.db").write_bytes(b"no database" * 100)
    with pytest.raises(TrackingError, match=r"optuna\.db cannot be used"):
        StudyJournal(journal, maximize=True)


floats = st.floats(allow_nan=True, allow_infinity=True)


@given(score=floats, seconds=st.floats(0, 1e9), status=st.sampled_from(Status))
def test_trials_are_written_to_the_last_bit(score, seconds, status):
    candidate = Candidate(4, {"x": 0.1, "k": None})
    trial = Trial(
        4,
        candidate.params,
        2,
        {"a": score, "b": 0.1 + 0.2},
        seconds,
        seconds / 3,
        seconds / 7,
        "host:1",
        1e9 + 1 / 3,
        1e9 + 2 / 3,
        status,
        "ünïcode\nerror",
        seconds / 9,
        Reused.FIT,
    )
    (back,) = read_trials(write_trials([trial]), candidate)
    assert repr(back) == repr(trial)
    assert type(back.status) is Status
    assert type(back.reused) is Reused


PROGRAM = """
    import os, sys
    from pathlib import Path
    from optibench.contracts import Journal, SearchFacts
    from optibench.search.tpe import TPESearch
    from optibench.records import CandidateResult, Status, Trial

    folder, tells = Path(sys.argv[1]), int(sys.argv[2])
    space = {"x": {"low": 0.0, "high": 1.0}}
    search = TPESearch(n_iter=20, startup=4)
    state = search.start({}, space, SearchFacts("score", True, 2))
    state.open(Journal(folder, "question"))
    waiting, recorded = list(state.ask(4)), 0
    while waiting:
        candidate = waiting.pop(0)
        trials = list(state.recall(candidate))
        recalled = bool(trials)
        x = candidate.params["x"]
        for fold in range(0 if recalled else 2):
            trials.append(Trial(candidate.number, candidate.params, fold,
                {"score": -(x - 0.3) ** 2 / 3}, 0.1, 0.1, 0.1, "w", 0.0, 1.0))
        score = sum(t.scores["score"] for t in trials) / 2
        state.tell([CandidateResult(candidate.number, candidate.params, {"score": score}, {}, 1,
            0.0, 0.0, 0.0, 0.0, 1.0, Status.FINISHED, trials=tuple(trials))])
        print(candidate.number, repr(x), repr(score), recalled, flush=True)
        recorded += 1
        if recorded == tells:
            os._exit(9)
        waiting += state.ask(1)
    state.close(finished=True)
"""


def program(folder, tells):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(folder), str(tells)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )


def lines_of(process):
    out, err = process.communicate(timeout=250)
    return [line.split() for line in out.splitlines()], err


@pytest.mark.slow
def test_a_killed_process_leaves_a_search_that_goes_on(tmp_path):
    (tmp_path / "killed").mkdir()
    (tmp_path / "whole").mkdir()
    whole, _ = lines_of(program(tmp_path / "whole", 0))
    killed = program(tmp_path / "killed", 9)
    first, _ = lines_of(killed)
    assert killed.returncode == 9
    second, err = lines_of(program(tmp_path / "killed", 0))
    assert err == ""
    assert len(whole) == 20
    assert [row[:3] for row in first] == [row[:3] for row in whole[:9]]
    assert [row[:3] for row in second] == [row[:3] for row in whole]
    assert [row[3] for row in second] == ["True"] * 9 + ["False"] * 11


@pytest.mark.slow
def test_the_first_use_by_several_processes_at_once_is_safe(tmp_path):
    processes = [program(tmp_path, 0) for _ in range(5)]
    outcomes = [lines_of(process) for process in processes]
    assert [process.returncode for process in processes] == [0] * 5
    assert all(err == "" for _, err in outcomes)
    assert all(len(lines) == 20 for lines, _ in outcomes)
    journal = Journal(tmp_path, "question")
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    names = optuna.get_all_study_names(storage)
    assert sum(len(read(journal, n + 1)) for n in range(len(names))) == 20 * 5


def test_what_is_written_can_be_read_by_optuna_and_by_people(journal, loop):
    state = start(journal, search_of("median"))
    run = loop(state, bumpy).run()
    state.close(finished=True)
    trials = read(journal, 1)
    states = {"FINISHED": "COMPLETE", "FAILED": "FAIL", "KILLED": "PRUNED"}
    for trial, result in zip(trials, run.observed, strict=True):
        assert {**trial.params, "c": 3} == result.params
        assert trial.user_attrs["number"] == result.number
        assert trial.state.name == states[result.status.value]
        if result.status is Status.FINISHED:
            assert trial.value == result.mean_scores["score"]
        assert len(json.loads(trial.user_attrs["trials"])) == len(result.trials)
    assert {trial.state.name for trial in trials} == set(states.values())
