"""What installed packages declare: four groups, clashes of names, code that cannot be imported."""

import shutil
import textwrap

import pytest
from tests.engines import run

from optibench.config.composition import compose
from optibench.config.installed import ENTRY_POINT_GROUPS, installed_names
from optibench.config.registry import BUILT_IN, find
from optibench.config.resolution import resolve
from optibench.errors import ConfigError
from optibench.runner import benchmark

MODULE = """
    from dataclasses import dataclass, field
    from enum import Enum
    from typing import Any

    from optibench.backends.sklearn.backend import SklearnBackend
    from optibench.datasets.builtin import Iris
    from optibench.models.kmeans import KMeans
    from optibench.search.grid import GridSearch

    class Kind(Enum):
        FIRST = 1
        SECOND = 2

    @dataclass(frozen=True)
    class Model(KMeans):
        name: str = "declared"
        kind: Kind = Kind.FIRST
        params: dict[str, Any] = field(default_factory=lambda: {"n_init": 1})
        space: dict[str, Any] = field(
            default_factory=lambda: {"n_clusters": {"low": 2, "high": 4, "int": True},
                                     "init": ["random", "k-means++"]}
        )

    @dataclass(frozen=True, kw_only=True)
    class Search(GridSearch):
        name: str = "declared"
        steps: int

    @dataclass(frozen=True)
    class Dataset(Iris):
        name: str = "declared"

    @dataclass(frozen=True)
    class Backend(SklearnBackend):
        name: str = "declared"

    @dataclass(frozen=True)
    class Unusable:
        name: str = "unusable"
        values: Any = field(default_factory=object)

    class Plain:
        pass
"""
ENTRY_POINTS = """
    [optibench.models]
    declared = declared:Model
    unusable = declared:Unusable
    plain = declared:Plain
    [optibench.searches]
    declared = declared:Search
    [optibench.datasets]
    declared = declared:Dataset
    [optibench.backends]
    declared = declared:Backend
    broken = declared.missing:Backend
"""


def install(folder, package, entry_points, version="1.5"):
    """Write what an installer leaves of a package."""
    about = folder / f"{package}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    )
    (about / "entry_points.txt").write_text(textwrap.dedent(entry_points))


@pytest.fixture
def packages(use, tmp_path):
    """A folder in which this process sees packages; the one in it has a plug-in of each group."""
    folder = tmp_path / "packages"
    install(folder, "all-four", ENTRY_POINTS)
    (folder / "declared.py").write_text(textwrap.dedent(MODULE))
    with use(folder):
        yield folder


def refusal(*words):
    with pytest.raises(ConfigError) as caught:
        resolve(compose(list(words)))
    return str(caught.value)


@pytest.mark.usefixtures("packages")
def test_the_defaults_of_the_class_are_the_configuration_and_can_be_changed():
    config = resolve(compose(["model=declared", "seed=7"]))
    assert config.space == {
        "n_clusters": {"low": 2, "high": 4, "int": True},
        "init": ["random", "k-means++"],
    }
    assert config.model.params == {"n_init": 1}
    words = ["~model.space.init", "model.space.n_clusters=[2,3]", "~model.params.n_init"]
    changed = resolve(compose(["model=declared", *words, "model.kind=SECOND"]))
    assert changed.space == {"n_clusters": [2, 3]}
    assert changed.model.params == {}
    assert changed.model.kind.name == "SECOND"


@pytest.mark.usefixtures("packages")
def test_a_search_has_the_seed_of_the_run_and_a_field_without_default_must_be_given():
    assert refusal("search=declared").startswith("search.steps=")
    search = resolve(compose(["search=declared", "search.steps=2", "seed=7"])).search
    assert (search.seed, search.steps) == (7, 2)
    search = resolve(compose(["search=declared", "search.steps=2", "search.seed=8"])).search
    assert search.seed == 8


@pytest.mark.slow
@pytest.mark.usefixtures("packages")
def test_a_benchmark_takes_all_four_kinds_from_a_package():
    words = ["model=declared", "dataset=declared", "backend=declared", "search=declared"]
    words += ["search.steps=1", "model.space.n_clusters=[2,3]", "evaluation.folds=2"]
    words += ["progress=false", "profiling=off", "backend.workers=1"]
    result, tracker = run(*words)
    names = ["model", "search", "dataset", "backend"]
    assert [tracker.params[name] for name in names] == ["declared"] * 4
    assert tracker.params["version.all-four"] == "1.5"
    plain, _ = run(*words[5:], "model=kmeans", "dataset=iris", "model.params.n_init=1",
                   "model.space.init=[random,k-means++]", "~model.space.max_iter",
                   "~model.space.n_init", "backend=sklearn")  # fmt: skip
    assert [trial.scores for trial in result.trials] == [trial.scores for trial in plain.trials]


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["backend=declared"], "backend=declared has no trainer for model=kmeans (for no model"),
        (["model=declared", "backend=dask"], "backend=dask has no trainer for model=declared"),
    ],
)
def test_fits_on_all_workers_are_refused_for_plugins_and_auto_takes_trials(words, says):
    words = ["model=kmeans", "dataset=iris", *words, "model.space.n_clusters=[2]"]
    with pytest.raises(ConfigError) as caught:
        benchmark.plan(resolve(compose([*words, "backend.parallelism=data"])))
    assert says in str(caught.value)
    plan = benchmark.plan(resolve(compose([*words, "backend.parallelism=auto"])))
    assert "parallelism=trials" in plan.facts["engine"]


@pytest.mark.usefixtures("packages")
def test_code_that_cannot_be_imported_is_reported_once_it_is_chosen():
    resolve(compose(["model=declared"]))
    message = refusal("backend=broken")
    assert "declared.missing:Backend of the installed package all-four 1.5" in message
    assert "cannot be imported (ModuleNotFoundError" in message
    assert "must be a dataclass" in refusal("model=plain")
    assert "Unusable has a field that a configuration cannot hold" in refusal("model=unusable")


def test_a_name_that_is_taken_is_refused_with_both_owners(packages):
    install(packages, "other", "[optibench.models]\ndeclared = other:M\nkmeans = other:K\n", "2")
    found = refusal("model=declared")
    assert "all-four 1.5 (declared:Model) and other 2 (other:M)" in found
    assert "Uninstall all-four or other" in found
    found = refusal("model=kmeans")
    assert "OptiBench (optibench.models.kmeans:KMeans) and other 2 (other:K)" in found
    assert "Uninstall other" in found
    resolve(compose(["model=xgboost"]))


@pytest.mark.usefixtures("packages")
def test_an_unknown_name_is_refused_with_the_nearest():
    assert refusal("model.name=declard").endswith("Did you mean declared?")
    assert "kmeans, logistic_regression, plain" in refusal("model.name=zzz")


@pytest.mark.parametrize("group", BUILT_IN)
def test_the_table_of_built_in_plugins_has_the_yaml_files_of_each_group(group):
    from optibench.config.composition import conf_dir

    assert set(BUILT_IN[group]) == {path.stem for path in (conf_dir() / group).glob("*.yaml")}
    for name in BUILT_IN[group]:
        assert find(group, name)().name == name


def test_a_package_in_an_archive_is_found_and_one_without_plugins_declares_none(use, tmp_path):
    install(tmp_path / "with", "zipped", "[optibench.models]\nzipped = zipped:Model\n")
    install(tmp_path / "without", "other", "[console_scripts]\nother = other:main\n")
    archive = shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "with")
    with use(archive):
        assert installed_names("model") == ["zipped"]
    with use(tmp_path / "without"):
        assert [installed_names(group) for group in ENTRY_POINT_GROUPS] == [[]] * 4
