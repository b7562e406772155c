"""Early stopping of candidates after some of their folds, with Optuna's pruners.

A pruner decides after each fold but the last. At step i it gets the mean score of folds 0 to i.
The Wilcoxon test pairs folds and therefore gets the score of fold i itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optibench.errors import ConfigError
from optibench.search.optuna_library import quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.pruners import BasePruner
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

    from optibench.contracts import SearchFacts

# Optuna's Hyperband derives the bracket of a trial from the study's name and the trial's number.
STUDY_NAME = "optibench"
RUNG_PREFIX = "completed_rung_"  # of attributes that Optuna's halving pruners compare
# With fewer folds a pruner never stops a candidate: the halving pruners have their first rung at
# step 1, and a Wilcoxon test of n pairs has p >= 0.5**n, which is below its threshold of 0.1 from
# 4 pairs on.
MIN_FOLDS = {
    "median": 2,
    "percentile": 2,
    "successive_halving": 3,
    "hyperband": 3,
    "wilcoxon": 5,
}


class Pruning:
    """The pruner of a search, and the studies in which it decides."""

    def __init__(self, name: str, facts: SearchFacts) -> None:
        """Create the pruner.

        Raises:
            ConfigError: the pruner is unknown, or needs more folds to stop any candidate.
        """
        if name not in MIN_FOLDS:
            msg = f"search.pruner={name}: allowed is null or one of {', '.join(MIN_FOLDS)}."
            raise ConfigError(msg)
        if facts.folds < MIN_FOLDS[name]:
            msg = (
                f"search.pruner={name} cannot stop anything with evaluation.folds={facts.folds}: "
                f"use at least {MIN_FOLDS[name]} folds, or search.pruner=null."
            )
            raise ConfigError(msg)
        self._uses_single_folds = name == "wilcoxon"
        self._facts = facts
        with quiet():
            self.pruner = _pruner(name, facts.folds)
            # Hyperband creates its brackets at its first decision. They must not depend on which
            # fold finishes first, so the first decision is about a trial without folds.
            self.study([]).ask().should_prune()

    def values(self, scores: Sequence[float]) -> list[float]:
        """Return the value that the pruner gets at each step."""
        if self._uses_single_folds:
            return [float(score) for score in scores]
        return [float(np.mean(scores[: step + 1])) for step in range(len(scores))]

    def study(self, observed: Sequence[FrozenTrial]) -> Study:
        """Return a study of the trials `observed`, which decides on pruning and never samples."""
        import optuna

        study = optuna.create_study(
            study_name=STUDY_NAME,
            direction="maximize" if self._facts.greater_is_better else "minimize",
            sampler=optuna.samplers.RandomSampler(seed=0),
            pruner=self.pruner,
        )
        study.add_trials(observed)
        return study

    def trial_at_proposal(self, observed: Sequence[FrozenTrial], number: int) -> Trial:
        """Return trial `number` in a study of the results known when it was proposed.

        A decision then depends only on the order of the search, and not on how many results have
        arrived when a fold finishes.

        Args:
            observed: trials 0, 1, ... without a gap; the later ones count as running.
            number: the number of the trial.
        """
        import optuna

        with quiet():
            study = self.study(observed)
            for _ in range(number - len(observed)):
                study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING))
            return study.ask()


def trial_for_decisions(trial: FrozenTrial, pruning_trial: Trial | None) -> FrozenTrial:
    """Return a finished trial with its pruner's attributes, without what no pruner reads.

    Args:
        trial: the trial in the search's study.
        pruning_trial: the trial that the pruner decided on; None: it made no decision.
    """
    from optuna.trial import create_trial

    attributes = {}
    if pruning_trial is not None:
        trials = pruning_trial.study.get_trials(deepcopy=False)
        attributes = trials[pruning_trial.number].system_attrs
    return create_trial(
        state=trial.state,
        value=trial.value,
        intermediate_values=trial.intermediate_values,
        system_attrs={k: v for k, v in attributes.items() if k.startswith(RUNG_PREFIX)},
    )


def _pruner(name: str, folds: int) -> BasePruner:
    from optuna import pruners

    if name == "median":
        return pruners.MedianPruner()
    if name == "percentile":
        return pruners.PercentilePruner(25.0)
    if name == "successive_halving":
        return pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=1, max_resource=folds, reduction_factor=3)
    return pruners.WilcoxonPruner()
