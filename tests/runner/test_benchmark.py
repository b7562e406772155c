"""One whole benchmark: what it measures, writes and leaves behind, however it ends."""

import csv
import io
import pstats
import tempfile

import numpy as np
import pytest

import optibench
from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.errors import BenchmarkError, ConfigError, DataError, SearchError, TrackingError
from optibench.records import Reused, Status
from optibench.runner import benchmark
from optibench.strategies.trial_parallel import strategy as trial_parallel
from optibench.tracking.memory import MemoryTracker

SMALL = ["model=xgboost", "dataset=iris", "model.space.max_depth=[2,3]", "model.params.eta=0.3"]
# The engine stays up for the next run, where nothing is said of its start and its end.
WARM = [*SMALL, "backend.keep_alive=true"]
PHASES = ("startup", "load", "split", "search", "fit", "score", "tracking")


def run(*overrides, tracker=None):
    words = ["progress=false", "model.params.n_estimators=20", *overrides]
    return benchmark.run(resolve(compose(words)), tracker=tracker or MemoryTracker())


@pytest.fixture(autouse=True, scope="module")
def nothing_kept():
    """No engine of another module, and none left for one."""
    optibench.release_engine()
    yield
    optibench.release_engine()


@pytest.fixture(scope="module")
def finished():
    """A finished run and its tracker."""
    tracker = MemoryTracker()
    return run(*SMALL, tracker=tracker), tracker


@pytest.mark.slow
def test_the_phases_add_up_to_the_wall_time(finished):
    metrics = finished[0].metrics
    total = sum(metrics[f"{phase}_seconds"] for phase in PHASES)
    assert total == pytest.approx(metrics["wall_seconds"], rel=0.02)
    assert metrics["shutdown_seconds"] > 0


@pytest.mark.slow
def test_every_phase_reports_its_cpu_and_memory(finished):
    metrics = finished[0].metrics
    for prefix in ("", *(f"{phase}_" for phase in PHASES)):
        assert metrics[f"{prefix}cpu_seconds"] >= 0
        assert 0 <= metrics[f"{prefix}cpu_percent"] <= 100
        assert 0 < metrics[f"{prefix}memory_percent"] <= 100
        assert metrics[f"{prefix}peak_memory_bytes"] > 0


@pytest.mark.slow
def test_the_workers_cpu_is_counted_and_the_efficiency_follows_from_the_trials(finished):
    result, _ = finished
    metrics = result.metrics
    paid = sum(trial.cpu_seconds for trial in result.trials)
    assert metrics["search_cpu_seconds"] >= 0.95 * paid
    cores = int(finished[1].params["cores"])
    assert metrics["search_efficiency"] == paid / (cores * metrics["search_seconds"])


@pytest.mark.slow
def test_the_metrics_have_their_baselines_beside_them(finished):
    metrics = finished[0].metrics
    for name in ("accuracy", "f1", "roc_auc", "log_loss"):
        for prefix in ("", "train_", "default_", "baseline_"):
            assert np.isfinite(metrics[f"{prefix}{name}"])
    assert metrics["baseline_accuracy"] == pytest.approx(1 / 3)
    assert {"best_cv_score", "best_cv_std"} <= set(metrics)


@pytest.mark.slow
def test_the_fit_of_the_defaults_can_be_saved(finished):
    bare = run(*WARM, "search=none", "evaluation.default_fit=false").metrics
    assert not any(name.startswith("default_") for name in bare)
    assert bare["baseline_accuracy"] == finished[0].metrics["baseline_accuracy"]


@pytest.mark.slow
def test_parameters_and_tags_say_what_ran(finished):
    params, tags = finished[1].params, finished[1].header.tags
    expected = {"model": "xgboost", "backend": "sklearn", "search": "grid", "dataset": "iris"}
    assert expected.items() <= params.items()
    assert {"seed", "folds", "metric", "workers", "threads_per_trial", "n_candidates"} <= set(
        params
    )
    assert (params["n_samples"], params["n_features"]) == (150, 4)
    assert params["best_max_depth"] in (2, 3)
    assert {"version.scikit-learn", "version.xgboost", "version.joblib"} <= set(params)
    assert tags["optibench.kind"] == "benchmark"
    assert {"optibench.config_digest", "optibench.dataset_digest", "optibench.machine"} <= set(
        tags
    )


@pytest.mark.slow
def test_the_digest_depends_on_the_question_and_not_on_its_wording():
    def digest(*words):
        tracker = MemoryTracker()
        run(*WARM, "search=none", *words, tracker=tracker)
        return tracker.header.tags["optibench.config_digest"]

    assert digest() == digest("tracking.experiment=other", "progress=true")
    assert digest() != digest("seed=1")


@pytest.mark.slow
def test_trials_csv_gives_every_bit_back(finished):
    result, tracker = finished
    rows = list(csv.DictReader(io.StringIO(tracker.artifacts["trials.csv"].decode())))
    assert len(rows) == len(result.trials) == 2 * 3 * 5
    for row, trial in zip(rows, result.trials, strict=True):
        assert (int(row["candidate"]), int(row["fold"])) == (trial.candidate, trial.fold)
        assert float(row["accuracy"]) == trial.scores["accuracy"]
        assert float(row["fit_seconds"]) == trial.fit_seconds
        assert row["status"] == "FINISHED"
        assert row["error"] == ""


@pytest.mark.slow
def test_profiles_show_the_fit_of_the_workers(finished, tmp_path):
    artifacts = finished[1].artifacts
    (tmp_path / "workers.prof").write_bytes(artifacts["profile/workers.prof"])
    stats = pstats.Stats(str(tmp_path / "workers.prof")).stats
    assert any(name == "fit" and "xgboost" in file for file, _, name in stats)
    top = artifacts["profile/functions.txt"].decode().split("filename:lineno(function)")[1]
    assert "(fit)" in "".join(top.splitlines()[:5])
    assert "profile/driver.prof" in artifacts


@pytest.mark.slow
def test_resources_are_drawn_and_listed(finished):
    artifacts = finished[1].artifacts
    assert artifacts["resources/timeline.png"].startswith(b"\x89PNG")
    assert artifacts["resources/samples.csv"].decode().count("\n") > 2
    assert "config.yaml" in artifacts


@pytest.mark.slow
def test_profiling_off_removes_the_profile_and_nothing_else():
    tracker = MemoryTracker()
    run(*WARM, "profiling=off", tracker=tracker)
    assert not [name for name in tracker.artifacts if name.startswith("profile")]
    assert "resources/timeline.png" in tracker.artifacts
    assert tracker.metrics["search_cpu_seconds"] > 0


@pytest.mark.slow
def test_a_search_without_a_finite_score_fails_and_says_why(tmp_path):
    near, far = [f"{1 + i / 1e6},1" for i in range(97)], ["9,9"] * 3
    rows = "\n".join(near + far)  # a validation fold without a far row falls in one cluster
    (tmp_path / "points.csv").write_text(f"a,b\n{rows}\n")
    words = ["model=kmeans", "~model.params.n_estimators", "dataset=csv", "seed=3"]
    data = [f"dataset.path={tmp_path / 'points.csv'}", "dataset.target=null"]
    space = ["model.space.n_clusters=[2]", "model.space.n_init=[1]", "model.space.max_iter=[9]"]
    tracker = MemoryTracker()
    with pytest.raises(SearchError, match="one cluster"):
        run(*words, *data, *space, tracker=tracker)
    assert tracker.status is Status.FAILED
    assert "one cluster" in tracker.reason
    assert "trials.csv" in tracker.artifacts


@pytest.mark.slow
def test_wrong_data_creates_no_run(tmp_path):
    (tmp_path / "one.csv").write_text("a,y\n" + "1,x\n2,x\n" * 20)
    tracker = MemoryTracker()
    data = ["dataset=csv", f"dataset.path={tmp_path / 'one.csv'}", "dataset.target=y"]
    with pytest.raises(DataError, match="class"):
        run(*data, tracker=tracker)
    assert tracker.calls == []


@pytest.mark.slow
def test_text_labels_and_categories_and_gaps_come_through(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["carrier,delay,late"]
    for _ in range(200):
        carrier, delay = rng.choice(["AA", "UA", "B6"]), rng.normal()
        late = "yes" if delay + (carrier == "UA") > 0.5 else "no"
        lines.append(f"{carrier},{'' if rng.random() < 0.1 else delay},{late}")
    (tmp_path / "flights.csv").write_text("\n".join(lines))
    data = ["dataset=csv", f"dataset.path={tmp_path / 'flights.csv'}", "dataset.target=late"]
    space = ["model.space.max_depth=[2]", "backend.keep_alive=true"]
    result = run(*data, "dataset.categorical=[carrier]", *space)
    assert result.model.classes == ("no", "yes")
    assert result.model.categories == {"carrier": ("AA", "B6", "UA")}
    assert result.metrics["accuracy"] > result.metrics["baseline_accuracy"]


@pytest.mark.parametrize("word", ["plan=true", "repeats=2"])
def test_the_python_call_refuses_what_only_the_command_line_does(word):
    with pytest.raises(ConfigError, match=word.replace("=", "=")):
        optibench.run([word])


def test_the_python_call_plans_without_running(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = optibench.plan({"model": "kmeans", "backend": {"workers": 1}}, cores=1)
    assert plan.facts["workers"] == "1 x 1 thread(s) of 1 core(s)"
    assert list(tmp_path.iterdir()) == []


def test_a_plan_of_many_fits_on_all_workers_of_a_small_table_names_the_faster_strategy():
    words = ["model=kmeans", "backend=dask", "backend.parallelism=data"]
    assert "271 fits run one after the other" in optibench.plan(words).facts["engine"]
    assert "run one after the other" not in optibench.plan([*words, "search=none"]).facts["engine"]
    assert "run one after the other" not in optibench.plan(words[:2]).facts["engine"]


@pytest.mark.slow
def test_an_interrupted_search_keeps_the_trials_that_it_has(monkeypatch):
    from optibench.report.progress import Progress

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "advance", interrupt)
    tracker = MemoryTracker()
    with pytest.raises(KeyboardInterrupt):
        run(*SMALL, tracker=tracker)
    rows = tracker.artifacts["trials.csv"].decode().splitlines()
    assert len(rows) > 1
    assert rows[0].startswith("candidate,")


@pytest.mark.slow
def test_a_run_that_cannot_be_announced_is_closed():
    def refuse(_run_id):
        raise OSError

    tracker = MemoryTracker()
    config = resolve(compose([*SMALL, "progress=false"]))
    with pytest.raises(OSError):  # noqa: PT011 - whatever the caller raises
        benchmark.run(config, tracker=tracker, announce=refuse)
    assert tracker.status is Status.FAILED


@pytest.mark.slow
def test_an_error_before_a_run_can_be_created_says_why_there_is_none(monkeypatch):
    class Full(MemoryTracker):
        def start(self, _header):
            message = "the disk is full"
            raise TrackingError(message)

    def fail(*_):
        message = "no rows today"
        raise OSError(message)

    monkeypatch.setattr(benchmark, "load", fail)
    with pytest.raises(BenchmarkError, match=r"no rows today .*the disk is full") as recorded:
        run(*SMALL, tracker=Full())
    assert isinstance(recorded.value.__cause__, OSError)
    tracker = MemoryTracker()
    with pytest.raises(OSError, match="no rows today"):
        run(*SMALL, tracker=tracker)
    assert (tracker.status, tracker.reason) == (Status.FAILED, "no rows today")
    assert tracker.calls.count("start") == 1


@pytest.mark.slow
def test_an_interrupted_run_is_killed_with_what_it_has():
    class Interrupting(MemoryTracker):
        def log_candidates(self, *_):
            raise KeyboardInterrupt

    tracker = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        run(*SMALL, tracker=tracker)
    assert tracker.status is Status.KILLED
    assert "trials.csv" in tracker.artifacts


@pytest.mark.slow
def test_no_temporary_folder_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run(*SMALL)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("optibench")] == []


@pytest.mark.slow
@pytest.mark.parametrize("end", [KeyboardInterrupt, MemoryError])
def test_a_search_that_is_over_is_not_lost_before_its_run_is(end, monkeypatch, tmp_path):
    words = [*WARM, "search=tpe", "search.n_iter=6"]
    journal = {"journal_folder": tmp_path}

    def dies(*_args):
        raise end

    with monkeypatch.context() as patched:
        patched.setattr(trial_parallel, "refit", dies)
        with pytest.raises(end):
            run(*words, tracker=MemoryTracker(**journal))
    again = run(*words, tracker=MemoryTracker(**journal))
    assert {trial.reused for trial in again.trials} == {Reused.RUN}
    anew = run(*words, tracker=MemoryTracker(**journal))
    assert Reused.RUN not in {trial.reused for trial in anew.trials}


@pytest.mark.slow
def test_an_interrupted_repeat_is_not_taken_up_by_another(monkeypatch, tmp_path):
    words = [*WARM, "search=tpe", "search.n_iter=6"]

    def dies(*_args):
        raise KeyboardInterrupt

    monkeypatch.setenv("OPTIBENCH_REPEAT", "1")
    with monkeypatch.context() as patched:
        patched.setattr(trial_parallel, "refit", dies)
        with pytest.raises(KeyboardInterrupt):
            run(*words, tracker=MemoryTracker(journal_folder=tmp_path))
    monkeypatch.setenv("OPTIBENCH_REPEAT", "2")
    other = run(*words, tracker=MemoryTracker(journal_folder=tmp_path))
    assert Reused.RUN not in {trial.reused for trial in other.trials}
