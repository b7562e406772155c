"""Accuracy, F1, ROC AUC and log loss: scikit-learn's arithmetic without its checks per call.

scikit-learn spends 3 ms on these four metrics for the 123 rows of a Pima fold, nearly all of it on
finding the kind of the labels. Labels here are codes 0..n_classes-1, so each function performs
only scikit-learn's operations, in scikit-learn's order. Tests assert that the results equal those
of `sklearn.metrics` to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]
    Floats = NDArray[np.floating]

BINARY = 2


def accuracy(y: Codes, labels: Codes) -> float:
    """Return the share of the rows whose predicted class is the true one."""
    return float(np.mean(y == labels))


def f1(y: Codes, labels: Codes, n_classes: int) -> float:
    """Return the F1 of class 1; for three or more classes the mean over those in y or labels.

    It is 0 if class 1 neither occurs nor is predicted, like scikit-learn with `zero_division=0`.
    """
    hits = np.bincount(y[y == labels], minlength=n_classes)
    either = np.bincount(y, minlength=n_classes) + np.bincount(labels, minlength=n_classes)
    if n_classes == BINARY:
        return float(2.0 * hits[1] / either[1]) if either[1] else 0.0
    occurs = either > 0
    return float(np.mean(2.0 * hits[occurs] / either[occurs]))


def roc_auc(y: Codes, probabilities: Floats, n_classes: int) -> float:
    """Return the area under the ROC curve; for three or more classes the mean of one against rest.

    Every class must have at least one row in y.
    """
    if n_classes == BINARY:
        return binary_roc_auc(y == 1, probabilities[:, 1])
    return float(np.mean([binary_roc_auc(y == k, probabilities[:, k]) for k in range(n_classes)]))


def binary_roc_auc(positive: NDArray[np.bool_], scores: Floats) -> float:
    """Return the area under the ROC curve of two classes (trapezoids, tied scores as one step)."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)
    true_positives = np.cumsum(positive[order], dtype=np.float64)[ends]
    false_positives = 1 + ends.astype(np.float64) - true_positives
    if len(ends) > BINARY:  # a bend needs three points
        # Points inside a straight segment are dropped, as in roc_curve: with them the sum of
        # trapezoids rounds differently.
        bend = np.diff(false_positives, 2).astype(bool) | np.diff(true_positives, 2).astype(bool)
        corners = np.concatenate(([True], bend, [True]))
        true_positives, false_positives = true_positives[corners], false_positives[corners]
    tpr = np.concatenate(([0.0], true_positives)) / true_positives[-1]
    fpr = np.concatenate(([0.0], false_positives)) / false_positives[-1]
    return float(np.trapezoid(tpr, fpr))


def log_loss(y: Codes, probabilities: Floats) -> float:
    """Return the mean of -log(p), p the true class's probability, clipped by a machine epsilon."""
    smallest = np.finfo(probabilities.dtype).eps
    # The logarithm of the whole array, because NumPy may round a strided column differently.
    logarithms = np.log(np.clip(probabilities, smallest, 1 - smallest))
    return float(np.average(-logarithms[np.arange(len(y)), y]))
