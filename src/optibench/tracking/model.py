"""Logs the fitted winner as an MLflow pyfunc model that loads without OptiBench."""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
import pandas as pd
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType

from optibench.records import Task
from optibench.tracking.records_as_mlflow import label_type, plain_label

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import RunInfo

    from optibench.records import FittedModel

MODEL_NAME = "model"
LOADER = Path(__file__).with_name("packaged_model.py")
ALWAYS_NEEDED = ("mlflow", "numpy", "pandas", "scikit-learn")


def log_model(client: MlflowClient, run: RunInfo, model: FittedModel) -> str:
    """Log the model and link it to the run, so that `runs:/<run_id>/model` loads it.

    MLflow's own `log_model` uses the tracking URI and the active run of the process. These belong
    to the user who calls OptiBench from Python; this function takes the same steps with a client.

    Returns:
        The id of the model: `models:/<id>` loads it as well.
    """
    logged = client.create_logged_model(
        run.experiment_id, name=MODEL_NAME, source_run_id=run.run_id, model_type=str(model.task)
    )
    client.log_outputs(run.run_id, [LoggedModelOutput(logged.model_id, step=0)])
    with TemporaryDirectory(prefix="optibench-model-") as folder:
        description = Model(
            artifact_path=logged.artifact_location,
            run_id=run.run_id,
            model_id=logged.model_id,
            model_uuid=logged.model_id,
        )
        path = save_model(model, Path(folder), description)
        client.log_model_artifacts(logged.model_id, str(path))
    client.finalize_logged_model(logged.model_id, "READY")
    return str(logged.model_id)


def save_model(model: FittedModel, folder: Path, description: Model) -> Path:
    """Write the MLflow model directory below `folder` and return its path."""
    parts, path = folder / "parts", folder / MODEL_NAME
    parts.mkdir()
    write_parts(model, parts)
    code = LOADER.read_bytes()
    # The module's name depends on its content, so that models of two versions of OptiBench can be
    # loaded in one process.
    module = f"optibench_model_{hashlib.sha256(code).hexdigest()[:8]}"
    (folder / f"{module}.py").write_bytes(code)
    mlflow.pyfunc.save_model(
        path,
        loader_module=module,
        data_path=str(parts),
        code_paths=[str(folder / f"{module}.py")],
        mlflow_model=description,
        signature=signature_of(model),
        input_example=_example(model),
        pip_requirements=requirements_of(model),
        metadata={"optibench.task": str(model.task)},
    )
    return path


def write_parts(model: FittedModel, folder: Path) -> None:
    """Write the native model, the scaler, and `model.json`, which `packaged_model` reads."""
    facts = {
        "format": "scikit-learn",
        "task": str(model.task),
        "features": list(model.feature_names),
        "categories": {name: list(labels) for name, labels in model.categories.items()},
        "classes": [plain_label(label) for label in model.classes],
    }
    if hasattr(model.estimator, "get_booster"):
        facts |= {"format": "xgboost", "class": _library_class(model.estimator, "xgboost")}
        model.estimator.save_model(folder / "model.ubj")
    else:
        _pickle(model.estimator, folder / "model.pkl", with_code=not model.libraries)
    if model.scaler is not None:
        _pickle(model.scaler, folder / "scaler.pkl")
    text = json.dumps(facts, ensure_ascii=False, indent=1)
    (folder / "model.json").write_text(text, encoding="utf-8")


def signature_of(model: FittedModel) -> ModelSignature:
    """Describe the inputs by feature name, the output, and the parameter `probabilities`.

    Numeric features are declared as any type: MLflow rejects whole numbers for float64 and missing
    values for int64, and a feature may have both. `packaged_model` checks that they are numbers.
    """
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(_column_type(model, name), name) for name in model.feature_names
    ]
    if not model.classes:
        kind = DataType.double if model.task is Task.REGRESSION else DataType.long
        return ModelSignature(Schema(columns), Schema([ColSpec(kind)]))
    params = ParamSchema([ParamSpec("probabilities", DataType.boolean, default=False)])
    output = Schema([ColSpec(DataType[label_type(model.classes)])])
    return ModelSignature(Schema(columns), output, params)


def requirements_of(model: FittedModel) -> list[str]:
    """Return exact versions of the packages that loading needs; MLflow takes 9 s to find them."""
    return [
        f"{name}=={metadata.version(name)}"
        for name in dict.fromkeys((*ALWAYS_NEEDED, *model.libraries))
    ]


def _column_type(model: FittedModel, name: str) -> DataType | AnyType:
    if name in model.categories and not isinstance(model.sample[name].dtype, pd.CategoricalDtype):
        return DataType.string if _is_text(model.sample[name]) else _any_type()
    return _any_type()


def _any_type() -> AnyType:
    return AnyType()  # type: ignore[no-untyped-call]


def _example(model: FittedModel) -> pd.DataFrame:
    """Return the sample's features; text columns have dtype object, as after reading JSON."""
    sample = model.sample[list(model.feature_names)].reset_index(drop=True)
    text = [name for name in sample.columns if name in model.categories]
    return sample.astype(dict.fromkeys(text, object))


def _is_text(column: pd.Series[Any]) -> bool:
    return all(isinstance(value, str) for value in column.dropna())


def _pickle(value: object, path: Path, *, with_code: bool = False) -> None:
    """Pickle a scikit-learn object.

    skops would not run code from the file, but a logged model contains code anyway, and importing
    skops takes 2 s, walks through all of scikit-learn and imports Dask.

    Args:
        value: the object.
        path: the file to write.
        with_code: the class is defined in a file of the user: include it in the pickle, because
            the file may not exist where the model is loaded.
    """
    if not with_code:
        path.write_bytes(pickle.dumps(value, protocol=5))
        return
    import cloudpickle

    module = sys.modules[type(value).__module__]
    cloudpickle.register_pickle_by_value(module)
    try:
        path.write_bytes(cloudpickle.dumps(value, protocol=5))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _library_class(estimator: object, library: str) -> str:
    """Return the nearest base class of the library, which loads without OptiBench."""
    for kind in type(estimator).__mro__:
        if kind.__module__.partition(".")[0] == library:
            return kind.__name__
    return type(estimator).__name__
