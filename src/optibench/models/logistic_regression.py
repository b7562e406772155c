"""Logistic regression: scikit-learn's LogisticRegression with every default explicit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.errors import ConfigError
from optibench.models.classifier import Classifier
from optibench.models.hyperparameters import SET_HERE, Catalogue, Choice, Number

if TYPE_CHECKING:
    from optibench.records import DataFacts, Params

ABOVE_ZERO = Number(low=0, above_low=True)
# The shares of the l1 norm that each solver supports (table in scikit-learn's user guide).
L1_RATIOS = {
    "lbfgs": "0",
    "newton-cg": "0",
    "newton-cholesky": "0",
    "sag": "0",
    "liblinear": "0 or 1",
    "saga": "from 0 to 1",
}

HYPERPARAMETERS = Catalogue(
    model="logistic_regression",
    specs={
        "C": ABOVE_ZERO,
        "l1_ratio": Number(low=0, high=1),
        "solver": Choice(tuple(L1_RATIOS)),
        "max_iter": Number(low=1, whole=True),
        "tol": ABOVE_ZERO,
        "fit_intercept": Choice((True, False)),
        "intercept_scaling": ABOVE_ZERO,
        "dual": Choice((True, False)),
        "class_weight": Choice(("balanced", None)),
    },
    aliases={},
    reserved={
        **SET_HERE,
        "verbose": "OptiBench reports progress; use progress=",
        "warm_start": "each candidate is fitted from scratch",
        "penalty": "use l1_ratio= (0 is l2, 1 is l1) and C= (its strength is 1/C)",
    },
)


@dataclass(frozen=True)
class LogisticRegression(Classifier):
    """Linear log-odds; the penalty depends on the features' scale (set dataset.scale=true)."""

    modules: ClassVar[tuple[str, ...]] = ("sklearn.linear_model", "sklearn.metrics")
    catalogue: ClassVar[Catalogue] = HYPERPARAMETERS
    defaults: ClassVar[dict[str, Any]] = {
        "C": 1.0,
        "l1_ratio": 0.0,
        "solver": "lbfgs",
        "max_iter": 100,
        "tol": 1e-4,
        "fit_intercept": True,
        "intercept_scaling": 1,
        "dual": False,
        "class_weight": None,
    }

    name: str = "logistic_regression"

    def check(self, params: Params) -> None:
        """Also refuse a norm that the solver does not support.

        Raises:
            ConfigError: names what is allowed.
        """
        super().check(params)
        full = {**self.defaults, **params}
        solver, share = full["solver"], full["l1_ratio"]
        can = {"0": share == 0, "0 or 1": share in (0, 1), "from 0 to 1": True}
        if not can[L1_RATIOS[solver]]:
            msg = (
                f"logistic_regression: solver={solver} with l1_ratio={share}: its l1_ratio is "
                f"{L1_RATIOS[solver]}; solver=saga takes any from 0 to 1."
            )
            raise ConfigError(msg)
        if full["dual"] and (solver != "liblinear" or share != 0):
            msg = (
                f"logistic_regression: dual=true with solver={solver} and l1_ratio={share}: "
                "only solver=liblinear with l1_ratio=0 has a dual form."
            )
            raise ConfigError(msg)

    def make(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Create an unfitted `sklearn.linear_model.LogisticRegression`.

        `threads` has no effect: the BLAS limits that the caller sets apply.
        """
        del facts, threads
        from sklearn.linear_model import LogisticRegression as Estimator

        return Estimator(**{**self.defaults, **params}, random_state=seed)
