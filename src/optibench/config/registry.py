"""From a choice to the class of its plug-in: `backend=dask` is `DaskBackend`.

Plug-ins of this package stand in one table. Those of installed packages are declared by their
entry points: the group says what they are, the name is the choice, the value is the class.
"""

from __future__ import annotations

import importlib
from dataclasses import is_dataclass
from typing import TYPE_CHECKING

from optibench.config.installed import InstalledPlugin, installed_names, installed_plugins
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BUILT_IN = {
    "model": {
        "estimator": "optibench.models.estimator:ImportedEstimator",
        "kmeans": "optibench.models.kmeans:KMeans",
        "logistic_regression": "optibench.models.logistic_regression:LogisticRegression",
        "random_forest": "optibench.models.random_forest:RandomForest",
        "xgboost": "optibench.models.xgboost:XGBoost",
        "xgboost_regression": "optibench.models.xgboost_regression:XGBoostRegression",
    },
    "backend": {
        "dask": "optibench.backends.dask.backend:DaskBackend",
        "sklearn": "optibench.backends.sklearn.backend:SklearnBackend",
        "spark": "optibench.backends.spark.backend:SparkBackend",
    },
    "search": {
        "gp": "optibench.search.gp:GPSearch",
        "grid": "optibench.search.grid:GridSearch",
        "halving": "optibench.search.halving:HalvingSearch",
        "hyperband": "optibench.search.hyperband:HyperbandSearch",
        "none": "optibench.search.none:NoSearch",
        "random": "optibench.search.random:RandomSearch",
        "tpe": "optibench.search.tpe:TPESearch",
    },
    "dataset": {
        "blobs": "optibench.datasets.blobs:Blobs",
        "breast_cancer": "optibench.datasets.builtin:BreastCancer",
        "classification": "optibench.datasets.classification:Classification",
        "csv": "optibench.datasets.csv:Csv",
        "diabetes": "optibench.datasets.builtin:Diabetes",
        "digits": "optibench.datasets.builtin:Digits",
        "iris": "optibench.datasets.builtin:Iris",
        "parquet": "optibench.datasets.parquet:Parquet",
        "pima": "optibench.datasets.pima:Pima",
        "regression": "optibench.datasets.regression:Regression",
        "wine": "optibench.datasets.builtin:Wine",
    },
}
# Groups whose choices differ in their YAML files alone.
SETTINGS = {
    "evaluation": "optibench.evaluation.settings:EvaluationSettings",
    "profiling": "optibench.config.schema:ProfilingSettings",
    "tracking": "optibench.config.schema:TrackingSettings",
}
GROUPS = (*BUILT_IN, *SETTINGS)


def find(group: str, name: str) -> type[DataclassInstance]:
    """Return the dataclass that is both the schema and the plug-in of `group=name`.

    Raises:
        ConfigError: there is no such plug-in, several packages have one of this name, or the
            package that has it cannot be imported.
    """
    if group in SETTINGS:
        return _class_of(SETTINGS[group])
    built_in = BUILT_IN[group].get(name)
    declared = installed_plugins(group, name)
    _refuse_conflict(f"{group}={name}", built_in, declared)
    if built_in is not None:
        return _class_of(built_in)
    if not declared:
        raise ConfigError(_unknown(group, name))
    return _load(group, declared[0])


def _refuse_conflict(
    choice: str, built_in: str | None, declared: tuple[InstalledPlugin, ...]
) -> None:
    owners = [f"OptiBench ({built_in})"] if built_in is not None else []
    owners += [f"{plugin.package} {plugin.version} ({plugin.value})" for plugin in declared]
    if len(owners) > 1:
        packages = " or ".join(dict.fromkeys(plugin.package for plugin in declared))
        msg = (
            f"{choice}: {' and '.join(owners)} both have a plug-in of this name, which must be "
            f"unique. Uninstall {packages}, or rename its entry point."
        )
        raise ConfigError(msg)


def _unknown(group: str, name: str) -> str:
    from difflib import get_close_matches

    known = sorted({*BUILT_IN[group], *installed_names(group)})
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{group}.name={name!r}: no such {group}; allowed are {', '.join(known)}.{hint}"


def _load(group: str, plugin: InstalledPlugin) -> type[DataclassInstance]:
    """Import the class of an installed package, whose code may raise anything."""
    try:
        return _class_of(plugin.value)
    except Exception as error:
        msg = (
            f"{group}={plugin.name}: the plug-in {plugin.value} of the installed package "
            f"{plugin.package} {plugin.version} cannot be imported ({type(error).__name__}: "
            f"{error}). Install what it needs, or tell the authors of {plugin.package}."
        )
        raise ConfigError(msg) from error


def _class_of(path: str) -> type[DataclassInstance]:
    """Import the class at `module:Class`."""
    module, _, attribute = path.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, type) or not is_dataclass(found):
        msg = f"{path} must be a dataclass, it is {found!r}"
        raise TypeError(msg)
    return found
