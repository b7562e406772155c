"""Hydra's internals are as the adapter needs them, and nothing else of this package uses them."""

import ast
import importlib
import math
from pathlib import Path

import hydra
import pytest
from hydra.errors import OverrideParseException
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf

import optibench
from optibench.config import hydra_adapter
from optibench.config.composition import compose
from optibench.config.hydra_adapter import parse_override, write_value

# What the adapter takes from Hydra without Hydra's promise to keep it: module and dotted name.
USED = [
    ("hydra._internal.core_plugins.file_config_source", "FileConfigSource.load_config"),
    ("hydra._internal.sources_registry", "SourcesRegistry.instance"),
    ("hydra.core.plugins", "Plugins.instance"),
    ("hydra.core.override_parser.overrides_parser", "OverridesParser.create"),
    ("hydra.core.override_parser.overrides_parser", "OverridesParser.parse_overrides"),
    ("hydra.core.override_parser.types", "Override.value"),
    ("hydra.core.override_parser.types", "Override.is_delete"),
    ("hydra.core.override_parser.types", "Override.get_value_string"),
    ("hydra.core.override_parser.types", "ChoiceSweep"),
    ("hydra.core.override_parser.types", "Transformer.str"),
    ("hydra.core.override_parser.types", "QuotedString"),
    ("hydra.core.override_parser.types", "Quote.single"),
]
INTERNAL = ("hydra._internal", "hydra.core.override_parser", "hydra.core.plugins", "hydra.grammar")
SOURCES = Path(optibench.__file__).parents[1]


@pytest.mark.parametrize(("module", "name"), USED)
def test_hydra_still_has_what_the_adapter_uses(module, name):
    missing = f"Hydra {hydra.__version__} has no {module}.{name}: adapt {hydra_adapter.__file__}"
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        pytest.fail(missing)
    for part in name.split("."):
        assert hasattr(found, part), missing
        found = getattr(found, part)


def test_hydras_parser_still_gives_the_fields_that_the_adapter_reads():
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (plain, sweep) = OverridesParser.create().parse_overrides(["a.b=1", "c@d=1,2"])
    message = f"Hydra {hydra.__version__} changed Override: adapt {hydra_adapter.__file__}"
    assert {"key_or_group", "package", "_value"} <= set(vars(plain)), message
    assert (plain.key_or_group, plain.package, plain.value()) == ("a.b", None, 1), message
    assert sweep.package == "d", message
    assert {"list", "simple_form", "shuffle", "tags"} <= set(vars(sweep.value())), message


def test_hydra_still_reads_yaml_through_the_registered_source(tmp_path, monkeypatch):
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.plugins import Plugins

    seen = []
    Plugins.instance()  # registers all sources, which the next line copies
    monkeypatch.setattr(
        SourcesRegistry.instance(), "types", dict(SourcesRegistry.instance().types)
    )
    hydra_adapter.install_file_source(lambda path, content: seen.append((path, dict(content))))
    (tmp_path / "x.yaml").write_text("a: 1\n")
    source = SourcesRegistry.instance().resolve("file")(provider="test", path=f"file://{tmp_path}")
    message = (
        f"Hydra {hydra.__version__} reads YAML in another way: adapt {hydra_adapter.__file__}"
    )
    assert isinstance(source.load_config("x"), ConfigResult), message
    assert seen == [("x", {"a": 1})], message


def test_only_the_adapter_imports_hydras_internals():
    offenders = {
        f"{path.relative_to(SOURCES)}: {name}"
        for path in SOURCES.rglob("*.py")
        if path != Path(hydra_adapter.__file__)
        for name in imported(path)
        if f"{name}.".startswith(tuple(f"{part}." for part in INTERNAL))
    }
    assert not offenders


def imported(path):
    """Name every module that a file imports, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("word", ["--cfg", "-m", "job", "--config-dir=x", "~model.space.eta", ""])
def test_flags_and_their_values_are_no_overrides(word):
    assert parse_override(word) is None


@pytest.mark.parametrize("word", ["a=[1, 2", "a={low: 1", "a='open", "a=b=c", "a={'x': 1}"])
def test_what_the_grammar_does_not_allow_is_refused(word):
    with pytest.raises(OverrideParseException):
        parse_override(word)


@pytest.mark.parametrize(
    ("word", "key", "text", "is_plain"),
    [
        ("a.b=1", "a.b", "1", True),
        ("+a.b=[1, 2]", "a.b", "[1, 2]", True),
        ("++a/b='x'", "a/b", "'x'", True),
        ("~a=1", "a", "1", False),
        ("a@b=1", "a", "1", False),
        ("a=", "a", "", True),
    ],
)
def test_key_and_text_come_as_they_were_written(word, key, text, is_plain):
    override = parse_override(word)
    assert (override.key, override.text, override.is_plain) == (key, text, is_plain)


@pytest.mark.parametrize(
    ("value", "string"),
    [
        ("abc", "abc"),
        ("'a, b'", "a, b"),
        ('"it\'s"', "it's"),
        (r"'it\'s'", "it's"),
        (r"a\,b", "a,b"),
        ("7", None),
        ("[a]", None),
        ("a,b", None),
    ],
)
def test_a_string_loses_quotes_and_escapes(value, string):
    assert parse_override(f"a={value}").string == string


@pytest.mark.parametrize(
    ("value", "first"),
    [
        ("a,b", "a"),
        ("'a,b',c", "'a,b'"),
        ("choice([1,2],3)", "[1,2]"),
        ("a", "a"),
        ("[a,b]", "[a,b]"),
    ],
)
def test_the_first_choice_of_a_sweep(value, first):
    assert parse_override(f"a={value}").first_choice == first


@pytest.mark.parametrize(
    ("value", "listed"),
    [
        ("{low: 2, high: 9, int: true}", "[{low: 2, high: 9, int: true}]"),
        ("{low: ${seed}, high: 3}", "[{low: ${seed}, high: 3}]"),
        ("[k-means++]", "[k-means++]"),
        ("k-means++", "k-means++"),
        ("'{low: 1}'", "'{low: 1}'"),
        ("[{low: 1}]", "[{low: 1}]"),
        ("[1,2],'x,y'", "[1,2],'x,y'"),
        ("{low: 1},[3,4]", "[{low:1}],[3,4]"),
        ("[3],{a: 'x, y'}", "[3],[{a:'x, y'}]"),
        ("choice({low: 1})", "choice([{low:1}])"),
        ("shuffle({low: 1},[2])", "shuffle([{low:1}],[2])"),
        ("tag(t, choice({low: 1},[2]))", "tag(t,choice([{low:1}],[2]))"),
        ("range(1,4)", "range(1,4)"),
        ("interval(0,1)", "interval(0,1)"),
        ("glob(*)", "glob(*)"),
        ("{}", "[{}]"),
        ("", ""),
    ],
)
def test_mappings_are_listed_and_nothing_else_changes(value, listed):
    assert parse_override(f"a={value}").with_listed_mappings() == listed
    assert parse_override(f"a={listed}") is not None  # Hydra reads it again


@pytest.mark.parametrize(
    "value",
    [
        None, True, 7, -1, 0.1, 1e-10, 1e16, math.inf, "", "a", "a b", "a,b", "it's", 'x"y',
        "a\\", "a\\'b", "null", "7", "{a: 1}", "[1]", "k-means++", "ünï", "a=b", "a: b",
        [], [1, "a,b", [2.5, None]], ("x", False), {}, {"low": 1, "high": 2.5, "int": True},
        {"a": {"b": ["c d", 'e"f']}}, {"two words": 1}, {"a:b": 1}, [{"a": 1}],
    ],
)  # fmt: skip
def test_a_python_value_arrives_as_it_was(value):
    composed = compose([f"model.params.z={write_value(value)}"]).model.params
    plain = OmegaConf.to_container(composed)
    assert plain["z"] == (list(value) if isinstance(value, tuple) else value)
