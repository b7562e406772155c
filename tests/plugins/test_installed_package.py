"""A package that adds a model and a search, as its users have it."""

import json
import shutil

import pytest
from tests.backends.clusters import another_machine, cluster
from tests.engines import run
from tests.plugins.conftest import PACKAGE

from optibench.errors import EngineError

TUNED = ["model=nearest", "search=shuffled", "dataset=iris", "progress=false", "profiling=off"]
RUN = """
import json, sys, optibench
result = optibench.run(sys.argv[1:])
print(json.dumps({"id": result.run_id, "params": [t.params for t in result.trials]}))
"""


def test_help_lists_the_plugins_among_the_choices(program):
    done = program("-m", "optibench", "--help")
    assert done.returncode == 0, done.stderr
    choices = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert "nearest" in choices["model"].split(", ")
    assert "shuffled" in choices["search"].split(", ")


@pytest.mark.slow
def test_a_sweep_plans_each_job_in_a_process_of_its_own(program):
    words = ["-m", "model=nearest,kmeans", "search=shuffled,grid", "plan=true"]
    done = program("-m", "optibench", *words)
    assert done.returncode == 0, done.stderr
    assert "nearest-sklearn-shuffled-pima" in done.stdout
    assert "kmeans-sklearn-shuffled-pima" in done.stdout
    assert "3 by search=shuffled, 5 folds" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["search=shufled"], "gp grid halving hyperband none random shuffled tpe"),
        (["model=nearest", "search=shuffled", "search.n_itr=3"], "Did you mean search.n_iter?"),
        (["search=shuffled", "search.n_iter=many"], "search.n_iter='many'"),
        (["model=nearest", "model.params.n_neighbours=3"], "nearest are n_neighbors"),
    ],
)
def test_wrong_input_is_refused_by_name(program, words, says):
    done = program("-m", "optibench", *words)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr


@pytest.mark.slow
def test_a_run_from_python_tunes_the_model_by_the_search_and_records_the_package(
    program, tmp_path
):
    import mlflow

    done = program("-c", RUN, *TUNED, "search.n_iter=2", "evaluation.folds=2", "seed=3")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    values = [params["n_neighbors"] for params in result["params"][::2]]
    assert len(values) == 2
    assert set(values) < {1, 5, 15}
    params = (
        mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
        .get_run(result["id"])
        .data.params
    )
    assert params["model"] == "nearest"
    assert params["search.seed"] == "3"
    assert params["version.optibench-tiny"] == "0.1.0"


@pytest.mark.slow
def test_the_tests_of_the_package_pass_which_are_the_suites(program):
    done = program("-m", "pytest", str(PACKAGE / "tests"), "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.dask
def test_the_code_of_a_plugin_reaches_the_workers_of_a_given_cluster(use, tiny, tmp_path):
    """What is not installed by its path travels; what is must be installed there as well."""
    words = [*TUNED, "evaluation.folds=2", "backend=dask", "backend.workers=2"]
    site_packages = tmp_path / "here" / "site-packages"
    shutil.copytree(tiny, site_packages)
    with cluster("dask", "--workers", "2", **another_machine(tmp_path)) as address:
        with use(tiny):
            result, _ = run(*words, address)
            assert [trial.error for trial in result.trials] == [None] * 6
        with use(site_packages), pytest.raises(EngineError) as caught:
            run(*words, address)
    assert "has no optibench_tiny, this program has 0.1.0" in str(caught.value)
    assert "pip install 'optibench-tiny==0.1.0'" in str(caught.value)
