"""The reference of the configuration is generated from conf/*.yaml and the plug-ins."""

import importlib
import re

import pytest
from tests.docs.pages import ROOT

import optibench
from optibench.config.composition import compose
from optibench.config.registry import GROUPS
from optibench.config.resolution import resolve


@pytest.fixture
def reference(monkeypatch):
    """The hook of MkDocs, as a module."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("reference_pages")


def test_a_key_has_its_type_its_default_and_its_comment(reference):
    dask = {key.name: key for key in reference.group_keys("backend")["dask"]}

    assert dask["backend.workers"].kind == "integer or null"
    assert dask["backend.workers"].default == "null"
    assert dask["backend.workers"].comment.startswith("number of worker processes")
    assert dask["backend.tls.ca_file"].kind == "text or null"
    assert dask["backend.tls"].default == ""


def test_a_comment_may_go_on_below_its_key(reference):
    (metric,) = [
        key
        for key in reference.group_keys("evaluation")["default"]
        if key.name == "evaluation.metric"
    ]

    for name in ("accuracy", "rmse", "inertia"):
        assert name in metric.comment
    assert "#" not in metric.comment


def test_every_key_of_the_default_configuration_is_in_the_reference(reference):
    page = reference.configuration_page()
    resolved = resolve(compose([])).resolved

    missing = [name for name in _dotted(resolved, "") if f"| `{name}` |" not in page]
    assert [name for name in missing if not name.endswith(".name")] == []


def test_every_key_of_every_choice_has_a_comment(reference):
    keys = [*reference.top_level_keys()]
    for group in GROUPS:
        for found in reference.group_keys(group).values():
            keys += found

    assert len(keys) > 100
    assert [key.name for key in keys if not key.comment] == []


def test_every_public_name_is_in_the_reference_of_python():
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^::: optibench\.(\w+)$", page, re.MULTILINE))

    assert shown == set(optibench.__all__) - {"__version__"}


def test_the_options_of_export_are_those_of_its_help(capsys):
    from optibench.cli import main

    with pytest.raises(SystemExit):
        main(["export", "--help"])
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    section = page.split("## optibench export")[1].split("## optibench ui")[0]
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}

    assert options == set(re.findall(r"--[a-z]+", section))


def _dotted(values, prefix):
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
