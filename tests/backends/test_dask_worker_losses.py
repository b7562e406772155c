"""Which Dask workers count, and what of their ends, as a scheduler tells them."""

import pytest

from optibench.backends.common import compatibility
from optibench.backends.common.retry_counter import RetryCounter
from optibench.backends.dask.worker_losses import WorkerLosses
from optibench.backends.dask.workers import DaskWorkers
from optibench.records import Batch, Candidate, Unit


class Scheduler:
    """Has three workers, and the ears of those who listen."""

    def __init__(self):
        self.limits = {"ours-1": 2000, "ours-2": 3000, "a stranger's": 10}
        self.ears = {}

    def wait_for_workers(self, *_, **__):
        pass

    def scheduler_info(self, **_):
        one = {"nthreads": 1, "status": "running"}
        return {"workers": {name: {**one, "memory_limit": n} for name, n in self.limits.items()}}

    def subscribe_topic(self, topic, handler):
        self.ears[topic] = handler

    def end(self, worker, *, tasks=(), results=(), expected=False):
        event = {"action": "remove-worker", "expected": expected}
        event |= {"processing-tasks": set(tasks), "lost-computed-tasks": set(results)}
        self.ears[worker]((0.0, event))


@pytest.fixture
def heard():
    """A scheduler, what listens to it for three workers, and its count."""
    scheduler, again = Scheduler(), RetryCounter()
    losses = WorkerLosses(scheduler, again)
    losses.listen(["ours-1", "ours-2", "a stranger's"])
    unit = Unit((Candidate(0, {}),), 0)
    for key in ("first", "second", "third"):
        losses.watch(key, Batch((unit, unit), 1.0))
    return scheduler, losses, again


def test_of_a_workers_batches_the_one_that_it_was_at_is_counted_and_what_it_had_done(heard):
    scheduler, _, again = heard
    scheduler.end("ours-1", tasks=["third", "second"], results=["first"])
    assert again.count == 2 * 2


def test_work_of_others_that_went_with_their_worker_is_none_of_ours(heard):
    scheduler, losses, again = heard
    losses.reset(["a stranger's"])
    scheduler.end("a stranger's", tasks=["something else"])
    assert not losses.have_lost_work()
    losses.listen(["came-later"])
    for ours in ("ours-2", "came-later"):
        scheduler.end(ours, tasks=["no batch"])
        assert losses.have_lost_work()
        assert not losses.have_lost_work()
    assert again.count == 0
    assert losses.workers == 1


def test_a_worker_that_was_sent_away_has_lost_nothing(heard):
    scheduler, losses, again = heard
    scheduler.end("ours-1", tasks=["first"], expected=True)
    assert not losses.have_lost_work()
    assert again.count == 0


def test_the_memory_of_other_workers_is_not_looked_at(heard):
    scheduler, losses, _ = heard
    workers = DaskWorkers(scheduler, 2, losses)
    assert workers.memory_limits(["ours-1", "ours-2"]) == [2000, 3000]
    assert workers.memory_limits(["one that has gone"]) == []


@pytest.mark.dask
def test_the_version_of_the_package_that_trains_is_compared():
    assert "dask_ml" in compatibility.compared_packages(["optibench.backends.dask.kmeans"])
    assert "dask_ml" not in compatibility.compared_packages(["optibench.trials.worker"])
