"""The Markdown of README and manual: its code blocks, commands and overrides."""

import ast
import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONTINUED = re.compile(r" *\\\n *")
SPAN = re.compile(r"`([^`\n]+)`")
OVERRIDE = re.compile(r"\+{0,2}[a-z][a-z_]*(\.\w+)*=\S+")
PROMPT = "$ "
STATUS = "echo $?"  # of a console block: the exit code of the command before it


class Block(NamedTuple):
    """A fenced code block."""

    language: str
    text: str


class Command(NamedTuple):
    """A command of a console block, and the lines that the page shows below it."""

    text: str
    shown: list[str]


class Step(NamedTuple):
    """A command or a Python block of the tutorial, and what the page shows below it."""

    kind: str
    text: str
    shown: list
    code: int


def blocks(page):
    """Return the fenced code blocks of a page, in order; continued lines are joined."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [Block(language, CONTINUED.sub(" ", text)) for language, text in found]


def console_commands(block):
    """Split a console block at its prompts."""
    commands = []
    for line in block.text.splitlines():
        if line.startswith(PROMPT):
            commands.append(Command(line.removeprefix(PROMPT), []))
        else:
            commands[-1].shown.append(line)
    return commands


def tutorial_steps():
    """Return the steps of the tutorial; `echo $?` says how the command before it ends."""
    steps = []
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        if block.language == "python":
            steps.append(Step("python", block.text, [], 0))
        for command in console_commands(block) if block.language == "console" else ():
            if command.text == STATUS:
                steps[-1] = steps[-1]._replace(code=int(command.shown[0]))
            else:
                steps.append(Step("command", command.text, command.shown, 0))
    return steps


def benchmark_commands(page):
    """Return the words of every benchmark command that a page shows, `optibench` left out."""
    lines = [line for block in blocks(page) for line in block.text.splitlines()]
    found = []
    for line in lines:
        words = shlex.split(line.removeprefix(PROMPT), comments=True) if _starts(line) else []
        if words[:2] == ["make", "run"]:
            words = ["optibench", *shlex.split(words[2].removeprefix("ARGS="))]
        if words[:1] == ["optibench"] and not {"export", "ui"} & set(words[1:2]):
            found.append(words[1:])
    return found


def overrides_in_prose(page):
    """Return every `key=value` that stands in a code span outside the blocks."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [span for span in SPAN.findall(prose) if OVERRIDE.fullmatch(span)]


def overrides_in_python(page):
    """Return the overrides in calls such as `optibench.run(["model=kmeans"])`."""
    calls = [
        node
        for block in blocks(page)
        if block.language == "python"
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("optibench.run", "optibench.plan")
    ]
    lists = [
        call.args[0].elts for call in calls if call.args and isinstance(call.args[0], ast.List)
    ]
    return [[word.value for word in words if isinstance(word, ast.Constant)] for words in lists]


def _starts(line):
    return line.removeprefix(PROMPT).startswith(("optibench ", "make run "))
