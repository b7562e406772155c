"""Every override that README and manual show is known to the configuration."""

import pytest
from tests.docs.pages import (
    PAGES,
    benchmark_commands,
    overrides_in_prose,
    overrides_in_python,
)

from optibench.config.composition import compose, conf_dir
from optibench.config.resolution import resolve
from optibench.contracts import SearchFacts
from optibench.errors import ConfigError
from optibench.evaluation.scoring import default_metric, greater_is_better
from optibench.validation import validate_config

SYNTAX = {"key=value", "group=choice"}  # the words of the grammar itself
OWN_FILE = "dataset=flights"  # a reader's own YAML file, below --config-dir


def jobs_of(words):
    """Return the overrides of as many jobs of a command as hold every choice of a sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(words)
    choices = [
        [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        if override.is_sweep_override()
        else [word]
        for word, override in zip(words, parsed, strict=True)
    ]
    jobs = max((len(values) for values in choices), default=1)
    return [[values[job % len(values)] for values in choices] for job in range(jobs)]


def check(overrides):
    """Refuse what a run with these overrides refuses before it reads any data.

    Raises:
        ConfigError: as on the command line.
    """
    config = resolve(compose(overrides))
    if config.model.name == "estimator" and config.model.estimator is None:
        return
    metric = config.evaluation.metric or default_metric(config.model.task)
    validate_config(config, metric)
    facts = SearchFacts(metric, greater_is_better(metric), config.evaluation.folds)
    config.search.start(config.model.params, config.space, facts)


def test_the_check_refuses_what_a_run_refuses():
    for wrong in (["backend.worker=1"], ["model.params.max_dept=3"], ["search.n_iter=3"]):
        with pytest.raises(ConfigError):
            check(wrong)


def test_commands_are_found_in_readme_and_manual():
    found = {page.name: len(benchmark_commands(page)) for page in PAGES}

    assert found["README.md"] >= 5
    assert sum(found.values()) > 30


@pytest.mark.slow
def test_every_command_composes():
    shown = {
        tuple(job): page.name
        for page in PAGES
        for words in [*map(_overrides_of, benchmark_commands(page)), *overrides_in_python(page)]
        for job in jobs_of(words)
    }

    assert [
        (page, words, why) for words, page in shown.items() if (why := _why_refused(words))
    ] == []


def test_every_override_in_the_prose_is_known():
    shown = {each: page.name for page in PAGES for each in overrides_in_prose(page)}
    ours = {each: page for each, page in shown.items() if each not in {*SYNTAX, OWN_FILE}}

    assert len(ours) > 20
    assert [(page, override) for override, page in ours.items() if not is_known(override)] == []


def is_known(override):
    """True where the default configuration takes it, or that of one choice of its group."""
    group = override.partition(".")[0].partition("=")[0]
    choices = sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))
    contexts = [[], *([f"{group}={choice}"] for choice in choices)]
    return any(_composes([*context, override]) for context in contexts)


def _overrides_of(words):
    return [word for word in words if "=" in word and word != OWN_FILE]


def _why_refused(overrides):
    try:
        check(overrides)
    except ConfigError as error:
        return str(error)
    return None


def _composes(overrides):
    try:
        for job in jobs_of(overrides):
            resolve(compose(job))
    except ConfigError:
        return False
    return True
