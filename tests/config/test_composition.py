"""The real conf/, composed as the command line composes it."""

import pytest

from optibench.cli.arguments import prepare
from optibench.config.composition import compose, normalise
from optibench.config.resolution import resolve
from optibench.errors import ConfigError

MODELS, BACKENDS, SEARCHES = (
    (
        "kmeans",
        "xgboost",
        "xgboost_regression",
        "random_forest",
        "logistic_regression",
        "estimator",
    ),
    ("sklearn", "dask", "spark"),
    ("none", "grid", "random"),
)
DATASETS = (
    "pima",
    "iris",
    "wine",
    "breast_cancer",
    "digits",
    "blobs",
    "classification",
    "regression",
    "diabetes",
    "csv",
    "parquet",
)


def config(*overrides):
    return resolve(compose(overrides))


# Each model with each backend and search, and each backend with each search: not all three.
PAIRINGS = [
    (model, backend, SEARCHES[(row + column) % len(SEARCHES)])
    for row, model in enumerate(MODELS)
    for column, backend in enumerate(BACKENDS)
]


@pytest.mark.parametrize(("model", "backend", "search"), PAIRINGS)
def test_every_pairing_composes_into_its_plug_ins(model, backend, search):
    composed = config(f"model={model}", f"backend={backend}", f"search={search}")
    assert (composed.model.name, composed.backend.name, composed.search.name) == (
        model,
        backend,
        search,
    )
    assert composed.run_name == f"{model}-{backend}-{search}-pima"


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_composes(dataset):
    assert config(f"dataset={dataset}").dataset.name == dataset


def test_the_default_spaces_are_the_grids_of_the_report():
    assert config("model=kmeans").space == {
        "init": ["k-means++", "random"],
        "max_iter": [100, 200, 300],
        "n_clusters": [2, 5, 8],
        "n_init": [10, 20, 30],
    }
    assert config("model=xgboost").space == {
        "max_depth": [3, 4, 5],
        "eta": [1, 0.1, 0.2],
        "subsample": [0.5, 0.7, 1.0],
    }


@pytest.mark.parametrize("prefix", ["", "+", "++"])
@pytest.mark.parametrize("key", ["gamma", "max_depth"])
def test_params_and_space_take_every_prefix_for_listed_and_new_keys(prefix, key):
    assert config(f"{prefix}model.params.{key}=7").model.params == {key: 7}
    assert config(f"{prefix}model.space.{key}=[7,8]").space[key] == [7, 8]


def test_a_fixed_hyperparameter_leaves_the_space():
    assert "eta" not in config("model.params.eta=0.3").space


def test_spark_properties_are_given_by_their_dotted_names():
    words = ["backend=spark", "backend.conf.spark.driver.memory=4g", "+backend.conf.a=1"]
    assert config(*words).backend.conf == {"spark": {"driver": {"memory": "4g"}}, "a": 1}


def test_a_distribution_replaces_a_list_from_the_command_line():
    assert config("model.space.eta={low: 0.1, high: 1}").space["eta"] == {"low": 0.1, "high": 1}


@pytest.mark.parametrize("group_file", [True, False])
def test_yaml_replaces_lists_and_distributions_and_never_merges(tmp_path, group_file):
    (tmp_path / "model").mkdir()
    (tmp_path / "experiment").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(
        "defaults: [xgboost]\nspace:\n  eta: {low: 0.1, high: 1, log: true}\n  max_depth: [2]\n"
    )
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\nmodel:\n  space:\n"
        "    eta: {low: 0.1, high: 1, log: true}\n    max_depth: [2]\n"
    )
    chosen = "model=mine" if group_file else "+experiment=mine"
    search_path = f"hydra.searchpath=[file://{tmp_path}]"
    space = config(search_path, chosen).space
    assert space["eta"] == {"low": 0.1, "high": 1, "log": True}
    assert space["max_depth"] == [2]
    assert space["subsample"] == [0.5, 0.7, 1.0]
    again = config(search_path, chosen, "model.space.eta={low: 0.2, high: 0.5}").space
    assert again["eta"] == {"low": 0.2, "high": 0.5}
    assert config(search_path, chosen, "model.space.eta=[1]").space["eta"] == [1]


@pytest.mark.parametrize("word", ["~model.space.eta", "model.space.eta=null"])
def test_a_key_can_be_taken_out_of_the_space(word):
    assert "eta" not in config(word).space


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("+backend.foo=1", "backend.foo: there is no such key"),
        ("+backend.worker=1", "Did you mean backend.workers?"),
        ("+sed=1", "Did you mean seed?"),
        ("seed=abc", "seed='abc'"),
        ("backend.workers=abc", "backend.workers='abc'"),
        ("backend.workers=1.5", "backend.workers=1.5"),
        ("tracking.children=maybe", "tracking.children='maybe'"),
        ("backend.name=flink", "no such backend"),
        ("backend.name=worker_process", "no such backend"),
        ("model.name=../x", "no such model"),
        ("backend=null", "Config group override must be a string"),
    ],
)
def test_a_wrong_key_or_type_is_refused_by_name(word, says):
    with pytest.raises(ConfigError) as caught:
        config(word)
    assert says in str(caught.value)


def test_only_open_keys_are_rewritten():
    words = ["seed=1", "+model.space.a={low: 1, high: 2}", "model.params.b=[1,2]", "--cfg", "job"]
    assert normalise(words) == [
        "seed=1",
        "++model.space.a=[{low: 1, high: 2}]",
        "++model.params.b=[1,2]",
        "--cfg",
        "job",
    ]


def test_a_sweep_over_spaces_wraps_each_choice():
    word = "model.space.a={low: 1, high: 2},[3,4]"
    assert normalise([word]) == ["++model.space.a=[{low:1,high:2}],[3,4]"]


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ("[k-means++]", ["k-means++"]),
        ("[k-means++, random]", ["k-means++", "random"]),
        ("{low: 2, high: 9, int: true}", {"low": 2, "high": 9, "int": True}),
        ("{low: ${seed}, high: 3}", {"low": 0, "high": 3}),
        ("[{low: 1, high: 2}]", {"low": 1, "high": 2}),
        ("['a, b', \"c]\"]", ["a, b", "c]"]),
        ("[[5, 5], [3]]", [[5, 5], [3]]),
        ("[null, true, 1e-3]", [None, True, 0.001]),
    ],
)
@pytest.mark.parametrize("prefix", ["", "+", "++"])
def test_odd_values_of_the_space_arrive_whole(prefix, value, entry):
    assert config(f"{prefix}model.space.init={value}").space["init"] == entry


def test_a_word_that_hydra_cannot_read_is_left_for_hydra_to_refuse():
    assert normalise(["model.space.a={low: 1"]) == ["model.space.a={low: 1"]
    with pytest.raises(ConfigError, match="cannot be composed"):
        config("model.space.a={low: 1")


def test_sparks_secret_comes_from_the_environment_and_is_in_no_word_that_hydra_writes(monkeypatch):
    assert vars(resolve(compose(["backend=spark"])).backend)["secret"] is None
    monkeypatch.setenv("OPTIBENCH_SPARK_SECRET", "12345")
    assert "12345" in vars(resolve(compose(["backend=spark"])).backend).values()
    monkeypatch.setenv("OPTIBENCH_SECRET_0", "a-word")  # set already: put back after the test
    words = prepare(["backend=spark", "backend.secret=a-word", "backend.tls.key=key.pem"])
    assert words[1:] == ["backend.secret=${oc.env:OPTIBENCH_SECRET_0}", "backend.tls.key=key.pem"]
    assert "a-word" in vars(resolve(compose(words[:2])).backend).values()
