"""Candidates to jobs to trials where each fit uses all workers; the trainer only pretends."""

from dataclasses import replace

import numpy as np
import pytest

from optibench.contracts import DistributedFit, FitJob, PredictionRequest
from optibench.errors import FitError
from optibench.evaluation.parts import PartPlan
from optibench.evaluation.scoring import ScoringSettings
from optibench.records import Candidate, Chunk, Prediction, Status, Task, Unit
from optibench.strategies.data_parallel.chunks import TableInMemory
from optibench.strategies.data_parallel.parts import Parts, survey
from optibench.strategies.data_parallel.scheduler import (
    MAX_JOB_CANDIDATES,
    DistributedScheduler,
    FitContext,
)

FOLDS = 2
ROWS = Chunk(0, np.zeros((4, 1)), np.array([0, 1, 0, 1]), np.arange(4, dtype=np.uint64))


class Pretending:
    """Answers that a share `params["right"]` of the rows have their class; "bad" raises."""

    def __init__(self):
        self.jobs: list[FitJob] = []

    def fit(self, job):
        self.jobs.append(job)
        if any(params.get("bad") for params in job.candidates):
            message = f"bad among {len(job.candidates)}"
            raise FitError(message)
        for i, params in enumerate(job.candidates):
            right = np.arange(4) < 4 * params["right"]
            labels = np.where(right, ROWS.y, 1 - ROWS.y)
            answers = Prediction(labels, np.stack([1.0 - labels, labels], axis=1) * 0.8 + 0.1)
            yield DistributedFit(i, object(), (answers,), 1.0, 0.1, 2.0)


def schedule_of(trainer, *, reuse=True, in_order=False):
    table = TableInMemory("t", np.arange(60.0).reshape(60, 1), np.arange(60) % 2)
    plan = PartPlan(0, 0.2, FOLDS)
    context = FitContext(
        trainer=trainer,
        parts=Parts.make(plan, survey(table, table.blocks, plan), scale=False),
        task=Task.CLASSIFICATION,
        metric="accuracy",
        scoring=ScoringSettings(10, 0, 2),
        rows=dict.fromkeys(range(FOLDS), ROWS),
        requests={fold: PredictionRequest(frozenset({fold}), 4, 2**64) for fold in range(FOLDS)},
        reuse=reuse,
        in_order=in_order,
    )
    return DistributedScheduler(context)


def run(scheduler, params):
    for number, own in enumerate(params):
        scheduler.add([Unit((Candidate(number, own),), fold) for fold in range(FOLDS)])
    trials = []
    while scheduler.busy:
        trials += [trial for outcome in scheduler.wait() for trial in outcome.trials]
    return {(trial.candidate, trial.fold): trial for trial in trials}


def test_the_candidates_of_a_fold_are_one_job_on_the_other_folds():
    trainer = Pretending()
    trials = run(schedule_of(trainer), [{"right": share} for share in (0.25, 0.75, 1.0)])
    assert [len(job.candidates) for job in trainer.jobs] == [3, 3]
    assert [(job.train, job.requests[0].parts) for job in trainer.jobs] == [({1}, {0}), ({0}, {1})]
    assert {place: trial.scores["accuracy"] for place, trial in trials.items()} == {
        (number, fold): share for number, share in enumerate((0.25, 0.75, 1.0)) for fold in (0, 1)
    }
    assert {trial.cpu_seconds for trial in trials.values()} == {2.0}


def test_without_reuse_and_beyond_a_number_candidates_go_in_jobs_of_their_own():
    alone, many = Pretending(), Pretending()
    run(schedule_of(alone, reuse=False), [{"right": 1.0}] * 3)
    assert [len(job.candidates) for job in alone.jobs] == [1] * 6
    run(schedule_of(many), [{"right": 1.0}] * (MAX_JOB_CANDIDATES + 1))
    assert [len(job.candidates) for job in many.jobs] == [
        MAX_JOB_CANDIDATES,
        MAX_JOB_CANDIDATES,
        1,
        1,
    ]


def test_where_time_is_limited_candidates_come_to_their_end_one_after_the_other():
    trainer = Pretending()
    trials = run(schedule_of(trainer, in_order=True), [{"right": 0.5}, {"right": 1.0}])
    assert [len(job.candidates) for job in trainer.jobs] == [1, 1, 1, 1]
    assert list(trials) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_one_that_fails_is_found_and_the_others_have_their_scores():
    trials = run(schedule_of(Pretending()), [{"right": 0.5}, {"bad": True}, {"right": 1.0}])
    assert len(trials) == 6
    for (number, _), trial in trials.items():
        assert trial.status is (Status.FAILED if number == 1 else Status.FINISHED)
        assert trial.error == ("bad among 1" if number == 1 else None)


def test_a_metric_that_is_no_number_fails_the_trial():
    scheduler = schedule_of(Pretending())
    scheduler._context = replace(
        scheduler._context,
        metric="roc_auc",
        rows={fold: replace(ROWS, y=np.zeros(4, dtype=np.int64)) for fold in range(FOLDS)},
    )
    trials = run(scheduler, [{"right": 0.5}])
    assert all("ROC AUC needs rows of every class" in trial.error for trial in trials.values())


def test_a_stopped_schedule_ends_with_what_was_begun():
    scheduler = schedule_of(Pretending())
    scheduler.add([Unit((Candidate(n, {"right": 1.0}),), fold) for n in (0, 1) for fold in (0, 1)])
    (first,) = scheduler.wait()
    scheduler.stop()
    rest = []
    while scheduler.busy:
        rest += scheduler.wait()
    assert [(o.trials[0].candidate, o.trials[0].fold) for o in (first, *rest)] == [(0, 0), (1, 0)]


def test_a_cancelled_schedule_has_nothing_under_way():
    scheduler = schedule_of(Pretending())
    scheduler.add([Unit((Candidate(0, {"right": 1.0}),), 0)])
    scheduler.cancel()
    scheduler.stop()
    assert not scheduler.busy
    assert scheduler.wait() == []


def test_a_job_knows_the_rows_that_it_has():
    trainer = Pretending()
    scheduler = schedule_of(trainer)
    run(scheduler, [{"right": 1.0}])
    assert trainer.jobs[0].n_rows == scheduler._context.parts.n_rows({1})
    assert trainer.jobs[0].spread == pytest.approx(scheduler._context.parts.spread({1}))
