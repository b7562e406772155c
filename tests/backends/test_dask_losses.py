"""What is counted of the ends of Dask workers, as a scheduler tells them."""

import pytest

from optibench.backends.dask.losses import Losses
from optibench.backends.tally import Tally
from optibench.records import Batch, Candidate, Unit


class Scheduler:
    """Has the ears of those who listen."""

    def __init__(self):
        self.ears = {}

    def subscribe_topic(self, topic, handler):
        self.ears[topic] = handler

    def end(self, worker, *, tasks=(), results=(), expected=False):
        event = {"action": "remove-worker", "expected": expected}
        event |= {"processing-tasks": set(tasks), "lost-computed-tasks": set(results)}
        self.ears[worker]((0.0, event))


@pytest.fixture
def heard():
    """A scheduler, what listens to it for three workers, and its count."""
    scheduler, again = Scheduler(), Tally()
    losses = Losses(scheduler, again)
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
    scheduler.end("a stranger's", tasks=["something else"])
    assert not losses.were_heard(["ours-1", "ours-2"])
    scheduler.end("ours-2", tasks=["ours, but no batch"])
    assert losses.were_heard(["ours-1", "ours-2"])
    assert not losses.were_heard(["ours-1", "ours-2"])
    assert again.count == 0
    assert losses.workers == 1


def test_a_worker_that_was_sent_away_has_lost_nothing(heard):
    scheduler, losses, again = heard
    scheduler.end("ours-1", tasks=["first"], expected=True)
    assert not losses.were_heard(["ours-1"])
    assert again.count == 0
