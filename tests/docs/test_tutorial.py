"""The tutorial's commands do what the page says."""

import re

import pytest
from tests.docs.pages import tutorial_steps

pytestmark = [pytest.mark.dask, pytest.mark.slow, pytest.mark.timeout(400)]

NUMBER = re.compile(r"\d+(?:\.\d+)?")
IDENTIFIER = re.compile(r"\b[0-9a-f]{12}(?:[0-9a-f]{20})?\b")
METRIC = re.compile(r"(accuracy|f1|roc_auc|log_loss) ")
ROUNDING = 0.02  # another CPU may grow other trees from the last bits on

STEPS = tutorial_steps()


def shape(line):
    """Return a line without what differs from run to run: numbers, ids, widths of columns."""
    text = NUMBER.sub("0", IDENTIFIER.sub("ID", line))
    return " ".join(re.sub(r"-{2,}", "--", text).split())


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_each_step_ends_as_the_page_says(tutorial, number):
    step, result = STEPS[number], tutorial.results[number]

    assert result["code"] == step.code, result["output"]


@pytest.mark.parametrize("number", [n for n, step in enumerate(STEPS) if step.shown])
def test_each_step_prints_what_the_page_shows(tutorial, number):
    printed = {shape(line) for line in tutorial.results[number]["output"].splitlines()}

    assert [line for line in STEPS[number].shown if shape(line) not in printed] == []


def test_the_quality_on_the_page_is_that_of_the_run(tutorial):
    shown = _quality(line for step in STEPS for line in step.shown)
    found = _quality(line for result in tutorial.results for line in result["output"].splitlines())

    assert set(shown) == {"accuracy", "f1", "roc_auc", "log_loss"}
    for metric, numbers in shown.items():
        assert found[metric] == pytest.approx(numbers, abs=ROUNDING)


def _quality(lines):
    """The rows of the table of metrics."""
    rows = [line for line in lines if METRIC.match(line)]
    return {row.split()[0]: [float(number) for number in row.split()[1:]] for row in rows}
