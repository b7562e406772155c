"""Generate the manual's reference of the configuration: a MkDocs hook (see mkdocs.yml).

The page is made from conf/*.yaml (defaults and comments) and from the dataclasses that these files
are checked against (types). It exists in the built site only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from mkdocs.structure.files import File

from optibench.config.composition import conf_dir
from optibench.config.registry import GROUPS, find
from optibench.config.schema import TopLevel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PAGE = "reference/configuration.md"
INTRODUCTION = """# Configuration

This page is generated from `conf/*.yaml` and from the code that reads these files.

Every key can be set on the command line as `key=value`, and from Python with
`optibench.run(["key=value"])`. `group=choice` selects one file of a group. The files are part of
the installed package; `--config-dir DIR` adds a directory with files of your own. A mistyped key,
an unknown choice or a value of the wrong type is refused by name before anything runs.

`model.params.*`, `model.space.*` and `backend.conf.*` take keys that are not listed here, too: the
model or Spark checks them. A section of one choice lists what it adds to the keys of its group, or
describes differently.
"""
HEADER = "| key | type | default | meaning |\n| --- | --- | --- | --- |"
TYPES = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "true or false",
    "None": "null",
    "tuple[str, ...]": "list of text",
    "dict[str, Any]": "mapping",
}
NOT_KEYS = ("name", "defaults", "hydra")  # the choice itself, and what only Hydra reads


class Key(NamedTuple):
    """One key of a YAML file; the default is written as in the file."""

    name: str
    kind: str
    default: str
    comment: str

    def row(self) -> str:
        """Return a row of a Markdown table."""
        default = f"`{self.default}`" if self.default else ""
        return f"| `{self.name}` | {self.kind} | {default} | {self.comment} |"


@dataclass(frozen=True)
class CommentedFile:
    """A YAML file and its comments, which YAML parsers drop."""

    path: Path

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the file."""
        return self.path.read_text(encoding="utf-8").splitlines()

    def heading(self) -> str:
        """Return the comment at the top of the file."""
        return _joined(_leading_comments(self.lines))

    def keys(self, schema: object, prefix: str) -> list[Key]:
        """Return every key below `prefix` with its type in the dataclass `schema`."""
        text = self.path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        wanted = [(key, value) for key, value in root.value if key.value not in NOT_KEYS]
        return list(self._keys_of(wanted, _types(schema), prefix))

    def _keys_of(
        self,
        pairs: list[tuple[yaml.Node, yaml.Node]],
        types: Mapping[str, Any],
        prefix: str,
    ) -> Iterator[Key]:
        for key, value in pairs:
            name, kind = f"{prefix}{key.value}", types.get(key.value)
            is_block = isinstance(value, yaml.MappingNode) and not value.flow_style
            comment = self._comment_after(key.end_mark if is_block else value.end_mark)
            yield Key(name, _words(kind, name), "" if is_block else self._text_of(value), comment)
            if is_block:
                yield from self._keys_of(value.value, _types(kind), f"{name}.")

    def _text_of(self, value: yaml.Node) -> str:
        line = self.lines[value.start_mark.line]
        return line[value.start_mark.column : value.end_mark.column]

    def _comment_after(self, mark: yaml.Mark) -> str:
        """Return the comment behind `mark`, with the lines below that continue it."""
        behind = self.lines[mark.line][mark.column :].lstrip(": ")
        return _joined([behind, *_leading_comments(self.lines[mark.line + 1 :])])


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated page; MkDocs calls this by its name."""
    files.append(File.generated(config, PAGE, content=configuration_page()))
    return files


def configuration_page() -> str:
    """Return the reference of all groups and keys as Markdown."""
    parts = [INTRODUCTION, "## Top level\n", _table(top_level_keys())]
    return "\n".join([*parts, *(_section(group) for group in GROUPS)])


def top_level_keys() -> list[Key]:
    """Return the keys outside the groups."""
    return CommentedFile(conf_dir() / "config.yaml").keys(TopLevel, "")


def group_keys(group: str) -> dict[str, list[Key]]:
    """Return the keys of each choice of a group."""
    paths = sorted((conf_dir() / group).glob("*.yaml"))
    return {
        path.stem: CommentedFile(path).keys(find(group, path.stem), f"{group}.") for path in paths
    }


def _section(group: str) -> str:
    keys = group_keys(group)
    shared = _shared(list(keys.values()))
    parts = [f"\n## `{group}`\n", _choices(group)]
    if shared:
        parts += [f"\n### Keys of every `{group}`\n", _table(shared)]
    for choice, found in keys.items():
        own = [key for key in found if key not in shared]
        if own:
            parts += [f"\n### `{group}={choice}`\n", _table(own)]
    return "\n".join(parts)


def _shared(choices: list[list[Key]]) -> list[Key]:
    """Return the keys that all choices have, as most of them describe it."""
    if len(choices) == 1:
        return []
    rows = Counter(key for keys in choices for key in keys)
    holders = Counter(key.name for keys in choices for key in keys)
    return [
        key
        for key, count in rows.items()
        if holders[key.name] == len(choices) and count > len(choices) / 2
    ]


def _choices(group: str) -> str:
    main = yaml.safe_load((conf_dir() / "config.yaml").read_text(encoding="utf-8"))
    default = next(entry[group] for entry in main["defaults"] if group in entry)
    lines = []
    for path in sorted((conf_dir() / group).glob("*.yaml")):
        mark = " (default)" if path.stem == default else ""
        lines.append(f"- `{group}={path.stem}`{mark}: {CommentedFile(path).heading()}")
    return "\n".join(lines)


def _table(keys: list[Key]) -> str:
    return "\n".join([HEADER, *(key.row() for key in keys)])


def _types(schema: object) -> dict[str, Any]:
    """Return the type of each field; a dataclass stands for a nested mapping."""
    if not isinstance(schema, type) or not is_dataclass(schema):
        return {}
    nested = {f.name: f.default_factory for f in fields(schema) if is_dataclass(f.default_factory)}
    return {field.name: nested.get(field.name, field.type) for field in fields(schema)}


def _words(kind: object, name: str) -> str:
    if kind is None:  # below an open mapping: model.params, model.space
        return "list or range" if name.startswith("model.space.") else "any"
    if not isinstance(kind, str):
        return "mapping"
    return " or ".join(TYPES[part] for part in kind.split(" | "))


def _leading_comments(lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        if not line.strip().startswith("#"):
            break
        found.append(line.strip())
    return found


def _joined(comments: list[str]) -> str:
    """Return comment lines as one line of Markdown."""
    text = " ".join(line.lstrip("# ") for line in comments if line.startswith("#"))
    for mark, escaped in (("<", "&lt;"), ("|", "&#124;"), ("*", r"\*"), ("[", r"\[")):
        text = text.replace(mark, escaped)
    return text
