"""Documents cannot rot: their code compiles, their commands exist, their links lead somewhere, their words are ours."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import swarmage
from swarmage.cli.main import commands

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MODULES = sorted((ROOT / "swarmage").rglob("*.py"))
NO_COMMANDS = {"swarmage key id"}  # what a key's id is made of


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(path), re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    """Return a document without its code, in which the names of folders and of other people's things stand."""
    text = re.sub(r"^```.*?^```$", "", read(path), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]+`|\]\([^)]*\)", "", text)


def test_the_documents_are_there() -> None:
    names = {name_of(path) for path in DOCUMENTS}
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/glossary.md"} <= names
    assert (ROOT / "LICENSE").exists()


def test_the_architecture_fits_two_pages() -> None:
    assert len(read(ROOT / "ARCHITECTURE.md").splitlines()) <= 120


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_a_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor:
            assert anchor in {slug(heading) for heading in re.findall(r"^#+ (.+)$", read(there), re.MULTILINE)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_a_path_that_is_named_is_there(path: Path) -> None:
    for named in re.findall(r"`((?:swarmage|actors|tests|scripts|docs|benchmarks)/[\w./-]*)`", read(path)):
        assert (ROOT / named).exists(), named


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_python_in_a_document_compiles_and_imports_what_exists(path: Path) -> None:
    for block in blocks(path, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "swarmage":
                assert {alias.name for alias in node.names} <= set(swarmage.__all__)


def commands_in(path: Path) -> Iterator[list[str]]:
    """Yield each swarmage command that a document shows, as words."""
    shown = [line for block in blocks(path, "(?:console|bash|sh)") for line in block.splitlines()]
    shown += re.findall(r"`(swarmage [^`\n]+)`", read(path))
    for line in shown:
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:1] == ["swarmage"] and line not in NO_COMMANDS:
            yield words[1:]


@cache
def help_of(*words: str) -> str:
    result = CliRunner().invoke(commands, [*words, "--help"])
    assert result.exit_code == 0, (words, result.output)
    return result.output


def check_command(words: list[str]) -> None:
    command: click.Command | None = commands
    path: list[str] = []
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        path.append(words[0])
        command = command.get_command(click.Context(command), words[0])
        words = words[1:]
    assert command is not None, f"there is no `swarmage {' '.join(path)}`"
    text = help_of(*path)
    for option in (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), f"`swarmage {' '.join(path)}` has no {option}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_a_command_that_is_shown_exists(path: Path) -> None:
    for words in commands_in(path):
        check_command(words)


@pytest.mark.parametrize("path", sorted((ROOT / "actors").glob("*.py")), ids=name_of)
def test_an_example_worker_says_how_to_start_and_use_it(path: Path) -> None:
    text = ast.get_docstring(ast.parse(read(path))) or ""
    shown = re.findall(r"^ +(swarmage .+)$|``(swarmage [^`]+)``", text, re.MULTILINE)
    for line in ("".join(pair) for pair in shown):
        check_command(shlex.split(line)[1:])
    if "(Worker):" in read(path):
        assert {"up", "send"} <= {"".join(pair).split()[1] for pair in shown}


def test_the_commands_of_the_readme_are_the_ones_that_run() -> None:
    console = "".join(blocks(ROOT / "README.md", "console"))
    first, second = re.findall(r"^\$ (scripts/\w+)$", console, re.MULTILINE)
    assert (first, second) == ("scripts/demo", "scripts/test")
    for script in (first, second, ".ci/run"):
        assert os.access(ROOT / script, os.X_OK)
    assert read(ROOT / ".ci/run").splitlines()[-1].endswith(f" && exec {second}")


def variables(text: str) -> set[str]:
    return set(re.findall(r"\bSWARMAGE_[A-Z_]+\b", text))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_an_environment_variable_that_is_named_is_read(path: Path) -> None:
    assert variables(read(path)) <= variables("".join(map(read, MODULES)))


def synonyms() -> set[str]:
    """Return the words that the glossary says are not used."""
    rows = re.findall(r"^\| \*\*.+?\*\* \|.+\| *([\w, ]*?) *\|$", read(ROOT / "docs/glossary.md"), re.MULTILINE)
    return {word.strip() for row in rows for word in row.split(",") if word.strip()}


def used_synonyms(text: str) -> list[str]:
    return re.findall(rf"\b(?:{'|'.join(sorted(synonyms()))})s?\b", text, re.IGNORECASE)


def test_the_glossary_names_its_synonyms() -> None:
    assert {"job", "consumer", "handler", "broker"} <= synonyms()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.name != "glossary.md"], ids=name_of)
def test_a_document_uses_our_words(path: Path) -> None:
    assert used_synonyms(prose(path)) == []


def test_the_help_uses_our_words() -> None:
    texts = [help_of()]
    for name in commands.list_commands(click.Context(commands)):
        texts.append(help_of(name))
        command = commands.get_command(click.Context(commands), name)
        if isinstance(command, click.Group):
            texts += [help_of(name, inside) for inside in command.list_commands(click.Context(command))]
    assert [word for text in texts for word in used_synonyms(text)] == []


LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "echo"}


def said_to_people(path: Path) -> Iterator[str]:
    """Yield the text of errors, of log lines, and of what the commands print."""
    for node in ast.walk(ast.parse(read(path))):
        said = isinstance(node, ast.Raise) or (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOGGING
        )
        if said:
            for inside in ast.walk(node):
                if isinstance(inside, ast.Constant) and isinstance(inside.value, str):
                    yield inside.value
        elif path.parent.name == "cli" and isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value if " " in node.value or node.value.isupper() else ""


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_is_said_to_people_uses_our_words(path: Path) -> None:
    assert [text for text in said_to_people(path) if used_synonyms(text)] == []


DEADLINE = 30.0
SWARMAGE = [sys.executable, "-u", "-m", "swarmage"]


@pytest.mark.acceptance
def test_the_worker_and_the_client_of_the_readme_do_what_it_says(tmp_path: Path) -> None:
    worker, client = blocks(ROOT / "README.md", "python")[:2]
    (tmp_path / "greetings.py").write_text(worker)
    (tmp_path / "client.py").write_text(client)
    (tmp_path / ".swarmage").mkdir(mode=0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWARMAGE_")}
    environment["PYTHONPATH"] = str(ROOT)
    shown = [words for words in commands_in(ROOT / "README.md") if "greetings" in words or "greet.all" in words]
    assert [words[0] for words in shown] == ["up", "send"]

    def run(*argv: str) -> str:
        result = subprocess.run(
            argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=DEADLINE
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    up = subprocess.Popen(
        [*SWARMAGE, *shown[0]],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = {"ready": threading.Event(), "2 greeted": threading.Event()}

    def listen() -> None:
        assert up.stdout is not None
        with up.stdout as lines:
            for line in lines:
                for beginning, event in said.items():
                    if line.startswith(beginning):
                        event.set()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        assert said["ready"].wait(DEADLINE)
        assert json.loads(run(*SWARMAGE, *shown[1])) == ["Hello, Ada!", "Hello, Grace!"]
        assert said["2 greeted"].wait(DEADLINE)
        lines = run(sys.executable, "client.py").splitlines()
        assert lines == ["['Hello, Ada!', 'Hello, Grace!']", "['Hello, Alan!', 'Hello, Barbara!']"]
        up.terminate()
        assert up.wait(DEADLINE) == 0
    finally:
        up.kill()
        up.wait(DEADLINE)
        thread.join(DEADLINE)
