"""The files of docs/deploy are parsed, and what they say of swarmage is true: commands, variables, times, probes.

tests/acceptance/test_deployment.py runs what can be run without systemd, Docker and Kubernetes.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from test_docs import MODULES, blocks, read, variables

from swarmage.cli.main import commands
from swarmage.supervisor.protocol import GRACE_SECONDS, MARGIN_SECONDS
from swarmage.supervisor.sign_of_life import EVERY_SECONDS
from swarmage.supervisor.vigil import SILENCE_SECONDS

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "docs" / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
COMPOSE = DEPLOY / "docker" / "docker-compose.yml"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
FILES = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
DRAIN_SECONDS = GRACE_SECONDS + MARGIN_SECONDS


def name_of(path: Path) -> str:
    return str(path.relative_to(DEPLOY))


def objects() -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from yaml.safe_load_all(read(path))


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [each for each in objects() if each["kind"] == kind]


def pods() -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each["spec"] for each in (*of_kind("Deployment"), *of_kind("StatefulSet"))}


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(read(COMPOSE))["services"]
    return found


def settings(unit: Path) -> dict[str, list[str]]:
    """Return each setting of a unit with all its values, in order."""
    found: dict[str, list[str]] = {}
    for line in read(unit).splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Yield each swarmage command of these files, as words behind ``swarmage``."""
    for unit in UNITS:
        [line] = settings(unit)["ExecStart"]
        program, *words = shlex.split(line.replace("%I", "actors").replace("${PROCESSES}", "1"))
        assert program.endswith("/swarmage")
        yield unit.name, words
    for name, service in services().items():
        if service["image"] == "swarmage":
            yield f"compose {name}", service["command"]
    for name, pod in pods().items():
        [container] = pod["template"]["spec"]["containers"]
        assert container["image"] == "swarmage"
        yield f"pods of {name}", container["args"]
    [default] = re.findall(r"^CMD (.+)$", read(DOCKERFILE), re.MULTILINE)
    yield "CMD", yaml.safe_load(default)


@pytest.mark.parametrize("words", [pytest.param(words, id=where) for where, words in command_lines()])
def test_a_command_is_one_that_swarmage_takes(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMAGE_LOG_FORMAT", "text")  # which parsing may set
    name, *rest = words
    if name == "--help":
        return
    command = commands.get_command(click.Context(commands), name)
    assert command is not None, name
    with command.make_context(name, rest) as context:  # raises for what the command does not know
        assert "actors" in context.params.get("targets", ("actors",))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_variable_of_swarmage_is_one_that_it_reads(path: Path) -> None:
    assert variables(read(path)) <= variables("".join(map(read, MODULES)))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_explained_by_its_page(path: Path) -> None:
    page = DEPLOY.parent / "howto" / f"{path.parent.name}.md"
    assert path.name in read(page)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_page_that_a_file_names_is_there(path: Path) -> None:
    for named in re.findall(r"docs/[\w./-]*\w", read(path)):
        assert (ROOT / named).exists(), named


# systemd


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_itself_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    program = shlex.split(settings(unit)["ExecStart"][0])[0]
    file = tmp_path / unit.name.replace("@.", "@actors.")
    file.write_text(read(unit).replace(program, sys.executable))  # which is there
    verify = ["systemd-analyze", "verify", "--man=no", str(file)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_gives_swarmage_the_time_it_needs(unit: Path) -> None:
    found = settings(unit)
    assert found["Type"] == ["notify"]
    assert float(found["WatchdogSec"][0]) >= SILENCE_SECONDS + 3 * EVERY_SECONDS
    if unit.name == "swarmage-drone@.service":
        assert found["KillMode"] == ["mixed"]  # else the drones get the SIGTERM that is for their supervisor
        assert float(found["TimeoutStopSec"][0]) > DRAIN_SECONDS


# Docker


def steps() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", read(DOCKERFILE), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def test_the_image_runs_as_somebody_without_rights() -> None:
    users = [what for step, what in steps() if step == "USER"]
    assert users == ["10001:10001"]
    names = [step for step, _ in steps()]
    assert names.index("USER") > max(number for number, name in enumerate(names) if name in {"RUN", "COPY"})
    assert {pod["template"]["spec"]["securityContext"]["runAsUser"] for pod in pods().values()} == {10001}


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    allowed = {
        line[1:] for line in read(DOCKERFILE.with_name("Dockerfile.dockerignore")).splitlines() if line[:1] == "!"
    }
    copied: set[str] = set()
    for step, what in steps():
        if step == "COPY" and not what.startswith("--from"):
            copied |= set(what.split()[:-1])
    assert all((ROOT / path).exists() for path in copied)
    assert copied == allowed
    named = re.findall(r"^(?:long_description = file:|license_files =) (\S+)", read(ROOT / "setup.cfg"), re.MULTILINE)
    assert set(named) < copied  # or the package could not be built from it


def test_compose_lets_drones_finish_and_knows_where_everything_is() -> None:
    document = yaml.safe_load(read(COMPOSE))
    drones = services()["drones"]
    assert int(drones["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS
    for service in services().values():
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in document["volumes"]
        for config in service.get("configs", ()):
            assert config["source"] in document["configs"]
        assert set(service.get("depends_on", ())) <= services().keys()
    build = drones["build"]
    context = (COMPOSE.parent / build["context"]).resolve()
    assert (context, context / build["dockerfile"]) == (ROOT, DOCKERFILE)
    said = re.findall(r"```ini\n(.*?)```", read(ROOT / "docs/engines.md"), re.DOTALL)[0]  # of one node
    assert document["configs"]["settings"]["content"] == said


# probes


def probes() -> Iterator[tuple[str, list[str]]]:
    [kind, line] = services()["drones"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    yield "compose", ["sh", "-c", line]
    for name, pod in pods().items():
        [container] = pod["template"]["spec"]["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            yield f"{name} {probe}", container[probe]["exec"]["command"]


@pytest.mark.parametrize(("where", "command"), [pytest.param(*probe, id=probe[0]) for probe in probes()])
def test_a_probe_tells_the_living_from_the_dead(where: str, command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "alive"

    def answer() -> bool:
        words = [word.replace("/tmp/alive", str(file)) for word in command]
        assert words != command
        return subprocess.run(words, timeout=30, check=False, stderr=subprocess.DEVNULL).returncode == 0

    assert not answer()
    file.touch()
    assert answer()
    old = file.stat().st_mtime
    os.utime(file, (old - 4 * EVERY_SECONDS, old - 4 * EVERY_SECONDS))
    assert answer()  # late, but not dead
    os.utime(file, (old - 40, old - 40))
    assert answer() is ("livenessProbe" not in where and where != "compose")


# Kubernetes


def test_every_object_is_named_and_no_name_comes_twice() -> None:
    names = [(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in objects()]
    assert len(names) == len(set(names)) == 6


def test_selectors_find_their_pods() -> None:
    labels = {name: pod["template"]["metadata"]["labels"] for name, pod in pods().items()}
    for name, pod in pods().items():
        assert pod["selector"]["matchLabels"] == labels[name]
    [service] = of_kind("Service")
    assert service["spec"]["selector"] == labels["swarmage-bus"]
    assert pods()["swarmage-bus"]["serviceName"] == service["metadata"]["name"]
    [budget] = of_kind("PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"] == labels["swarmage-drones"]
    [scaled] = of_kind("ScaledObject")
    assert scaled["spec"]["scaleTargetRef"]["name"] in {each["metadata"]["name"] for each in of_kind("Deployment")}
    [trigger] = scaled["spec"]["triggers"]
    [authentication] = of_kind("TriggerAuthentication")
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    assert re.match(trigger["metadata"]["queueName"], "swarmage.task.text.census")


def test_drones_get_the_time_they_need_to_drain() -> None:
    assert pods()["swarmage-drones"]["template"]["spec"]["terminationGracePeriodSeconds"] > DRAIN_SECONDS


@pytest.mark.parametrize("name", ["swarmage-bus", "swarmage-drones"])
def test_what_a_pod_mounts_is_there_and_its_paths_lead_into_it(name: str) -> None:
    pod = pods()[name]
    spec = pod["template"]["spec"]
    [container] = spec["containers"]
    there = {volume["name"] for volume in spec["volumes"]}
    there |= {claim["metadata"]["name"] for claim in pod.get("volumeClaimTemplates", ())}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounts.values()) == there
    [projected] = [volume["projected"] for volume in spec["volumes"] if "projected" in volume]
    assert projected["defaultMode"] == 0o440
    files = {item["path"] for source in projected["sources"] for item in source["secret"]["items"]}
    values = [each.get("value", "") for each in container["env"]] + [arg.partition("=")[2] for arg in container["args"]]
    named = {value.removeprefix("/etc/swarmage/") for value in values if value.startswith("/etc/swarmage/")}
    assert named == files


def secrets_in(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and the key of each secret that is used somewhere in there."""
    if isinstance(value, list):
        for each in value:
            yield from secrets_in(each)
    elif isinstance(value, dict):
        if "secretKeyRef" in value:
            yield value["secretKeyRef"]["name"], value["secretKeyRef"]["key"]
        if "secret" in value:
            yield from ((value["secret"]["name"], item["key"]) for item in value["secret"]["items"])
        for each in value.get("secretTargetRef", ()):
            yield each["name"], each["key"]
        for each in value.values():
            yield from secrets_in(each)


def test_the_page_makes_the_secrets_that_are_used() -> None:
    console = "".join(blocks(DEPLOY.parent / "howto" / "kubernetes.md", "console")).replace("\\\n", " ")
    made = {
        (words[4], word.removeprefix("--from-file=").partition("=")[0])
        for words in (line.split()[1:] for line in console.splitlines())
        if words[:4] == ["kubectl", "create", "secret", "generic"]
        for word in words[5:]
    }
    assert made == set(secrets_in(list(objects())))
