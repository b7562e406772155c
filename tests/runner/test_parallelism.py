"""backend.parallelism=auto: the way that fits, the faster of two, and why."""

from concurrent.futures import Future

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trials.fakes import SharedInProcess

from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.errors import ConfigError
from optibench.runner.loading import load
from optibench.runner.parallelism import LARGE_BYTES, ROOM, ParallelismInputs, choose
from optibench.runner.settings import make_settings
from optibench.strategies.data_parallel.memory import HELD_SHARE
from optibench.strategies.data_parallel.strategy import DataParallel
from optibench.strategies.trial_parallel.strategy import TrialParallel

GIB = 2**30


def situation(**changes):
    usual = {
        "table_bytes": 10**6,
        "worker_bytes": 4 * GIB,
        "driver_bytes": 16 * GIB,
        "workers": 4,
        "fits": 40,
        "why_no_data": None,
    }
    return ParallelismInputs(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "strategy", "why"),
    [
        ({}, "trials", "1.0 MiB is small enough for every worker"),
        ({"fits": 0}, "trials", "a single fit of it is fast on one worker"),
        ({"table_bytes": 2 * GIB}, "data", "2048.0 MiB is too large for every worker"),
        (
            {"table_bytes": 2 * GIB, "worker_bytes": 8 * GIB},
            "trials",
            "40 fits keep all workers busy",
        ),
        ({"table_bytes": 6 * GIB, "worker_bytes": 64 * GIB}, "data", "more than the 16384 MiB"),
        ({"table_bytes": GIB, "fits": 0}, "data", "0 fits of the search do not keep 4 workers"),
        ({"table_bytes": GIB, "fits": 3}, "data", "3 fits of the search do not keep 4 workers"),
        ({"table_bytes": GIB, "fits": 3, "why_no_data": "no trainer"}, "trials", "no trainer"),
        ({"table_bytes": GIB, "fits": 0, "held_bytes": GIB}, "data", "0 fits"),
        ({"table_bytes": GIB, "fits": 0, "held_bytes": 7 * GIB}, "trials", "MEMORY_ONLY would"),
    ],
)
def test_the_strategy_and_its_reason(changes, strategy, why):
    choice = choose(situation(**changes))
    assert choice.parallelism == strategy
    assert why in choice.reason


def test_what_fits_neither_strategy_is_refused():
    with pytest.raises(ConfigError, match=r"too large for every worker.* And: no trainer"):
        choose(situation(table_bytes=2 * GIB, why_no_data="no trainer"))


def test_a_table_that_memory_alone_cannot_keep_is_refused():
    with pytest.raises(ConfigError, match=r"1792 MiB in each worker.*persist=MEMORY_AND_DISK"):
        choose(situation(table_bytes=2 * GIB, held_bytes=7 * GIB))


@given(
    table_bytes=st.integers(1, 2**40),
    worker_bytes=st.integers(1, 2**40),
    driver_bytes=st.integers(1, 2**40),
    fits=st.integers(0, 1000),
)
def test_what_cannot_fit_is_never_chosen(table_bytes, worker_bytes, driver_bytes, fits):
    given_ = situation(
        table_bytes=table_bytes, worker_bytes=worker_bytes, driver_bytes=driver_bytes, fits=fits
    )
    fits_in = ROOM * table_bytes <= min(worker_bytes, driver_bytes)
    chosen = choose(given_).parallelism
    assert chosen == "data" or fits_in
    if fits_in and fits >= given_.workers and table_bytes < LARGE_BYTES:
        assert chosen == "trials"


class Here:
    """An engine whose worker is this process."""

    def __init__(self, worker_memory_bytes):
        self.worker_memory_bytes = worker_memory_bytes
        self.data_parallel = self

    def share(self, value):
        return SharedInProcess(value)

    def submit(self, task, shared, batch):
        done = Future()
        done.set_result(task(shared.view(), batch))
        return done


@pytest.fixture(params=["csv", "parquet"])
def words(request, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc"))
    frame = frame.assign(y=(frame["a"] > 0).astype(int))
    path = tmp_path / f"t.{request.param}"
    getattr(frame, f"to_{request.param}")(path, index=False)
    return [f"dataset={request.param}", f"dataset.path={path}", "dataset.target=y"]


def loaded(worker_bytes, *words):
    every = ["model=xgboost", "backend=dask", "backend.parallelism=auto", *words]
    return load(make_settings(resolve(compose(every))), lambda: Here(worker_bytes))


def test_files_are_loaded_as_the_chosen_strategy_needs_them(words):
    small, large = loaded(10**9, *words), loaded(10_000, *words)
    assert small.files is None
    assert len(small.dataset.X) == 400
    assert isinstance(small.strategy(), TrialParallel)
    assert large.files is not None
    assert len(large.dataset.X) < 400 == large.dataset.n_samples
    assert isinstance(large.strategy(), DataParallel)
    assert "small enough" in small.reason
    assert "too large" in large.reason


def test_a_table_in_memory_is_loaded_and_then_judged(words):
    del words
    assert isinstance(loaded(10**9, "dataset=pima").strategy(), TrialParallel)
    large = loaded(10_000, "dataset=pima")
    assert isinstance(large.strategy(), DataParallel)
    assert large.files is None


def test_rows_that_memory_alone_is_to_keep_are_counted_as_they_are_kept(monkeypatch):
    """768 rows of 8 columns on two workers, 5 bytes for each value and 16 for each row."""
    monkeypatch.setattr("optibench.strategies.data_parallel.memory.LIBRARIES_BYTES", 0)
    each = 768 * (8 * 5 + 16) / 2 / HELD_SHARE
    held = ["dataset=pima", "backend.persist=MEMORY_ONLY", "backend.workers=2", "cores=2"]
    assert isinstance(loaded(int(each) + 1, *held).strategy(), DataParallel)
    with pytest.raises(ConfigError, match="persist=MEMORY_AND_DISK"):
        loaded(int(each) - 1, *held)


def test_what_cannot_be_had_on_all_workers_is_done_by_trials(words):
    chosen = loaded(10**9, *words, "search=tpe")
    assert isinstance(chosen.strategy(), TrialParallel)
    assert "search=tpe cannot be used" in chosen.reason
    with pytest.raises(
        ConfigError, match=r"too large for every worker.*search=tpe cannot be used"
    ):
        loaded(10_000, *words, "search=tpe")
