"""What docs/deploy starts is started: its commands with its environment, where systemd, Docker and Kubernetes would."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from processes import DEADLINE, Home, Run, Start, Started, free_port

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"
BUILD_SECONDS = 180.0


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A folder for the example Workers to count."""
    folder = tmp_path / "text"
    folder.mkdir()
    (folder / "poem").write_text("the quick brown fox\njumps\n")
    return folder


def census(run: Run, environment: dict[str, str], text: Path) -> Any:
    done = run("send", "text.census", str(text), "--wait", "--json", env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["result"]["words"]


class Machine:
    """A machine with systemd, as far as a unit sees of it."""

    def __init__(self, root: Path, start: Start, base: dict[str, str]) -> None:
        self._root = root
        self._start = start
        self._base = base
        self.etc = root / "etc"
        self.etc.mkdir()

    def start(self, unit: str, instance: str = "") -> tuple[Started, dict[str, str]]:
        """Start a service; return it, ready, and its environment."""
        lines = (DEPLOY / "systemd" / unit).read_text().splitlines()
        settings = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(str(self._root / f"notify-{unit}"))
        listener.settimeout(DEADLINE)
        environment = {**self._base, "NOTIFY_SOCKET": listener.getsockname()}
        credentials = self._root / f"credentials-{unit}"
        credentials.mkdir()
        for name, value in settings:
            here = value.replace("%d", str(credentials)).replace("%i", instance).replace("/etc/swarmage", str(self.etc))
            here = re.sub(r"/(?:run|var/lib)/(?=swarmage)", f"{self._root}/", here)
            if name == "LoadCredential":
                credential, _, file = here.partition(":")
                shutil.copy(file, credentials / credential)
                (credentials / credential).chmod(0o440 if os.getuid() == 0 else 0o400)
            elif name == "Environment":
                environment.update([here.split("=", 1)])
            elif name == "EnvironmentFile" and Path(here.removeprefix("-")).exists():
                environment.update(line.split("=", 1) for line in Path(here.removeprefix("-")).read_text().split())
        [line] = [value for name, value in settings if name == "ExecStart"]
        _, *words = shlex.split(line.replace("%I", instance))
        words = [re.sub(r"\$\{(\w+)\}", lambda match: environment[match[1]], word) for word in words]
        started = self._start(*words, env=environment)
        with listener:
            assert listener.recv(100) == b"READY=1"
        return started, environment


def test_the_units_make_a_swarm(start: Start, run: Run, home: Home, text: Path, tmp_path: Path) -> None:
    base = {name: home.environment[name] for name in ("PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    machine = Machine(tmp_path, start, base)
    assert run("keys", "show", env={**base, "SWARMAGE_HOME": str(machine.etc)}).returncode == 0  # makes etc/key
    (machine.etc / "swarmage.env").write_text(f"SWARMAGE_URL={home.url}\n")
    (machine.etc / "drone-actors.env").write_text("PROCESSES=2\n")
    bus, _ = machine.start("swarmage-bus.service")
    drones, environment = machine.start("swarmage-drone@.service", "actors")
    assert census(run, environment, text) == 5
    assert len(json.loads(run("status", "--json", env=environment).stdout)["drones"]) == 2
    for service in (drones, bus):
        service.send_signal(signal.SIGTERM)
        assert service.exit_code() == 0


def test_the_pods_make_a_swarm(start: Start, run: Run, home: Home, text: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    secrets, made, port = tmp_path / "secrets", tmp_path / "made", free_port()
    secrets.mkdir()
    base = {name: home.environment[name] for name in ("PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    for words in (("keys", "show"), ("keys", "tls", "swarmage-bus")):
        done = run(*words, env={**base, "SWARMAGE_HOME": str(made)})
        assert done.returncode == 0, done.stderr
    for file, name in (("key", "key"), ("tls.pem", "tls.crt"), ("tls.key", "tls.key"), ("ca.pem", "ca.crt")):
        shutil.copy(made / file, secrets / name)
        (secrets / name).chmod(0o440 if os.getuid() == 0 else 0o400)

    def pod(file: str) -> tuple[Started, dict[str, str], Path]:
        objects = yaml.safe_load_all((DEPLOY / "kubernetes" / file).read_text())
        [spec] = [each["spec"]["template"]["spec"] for each in objects if "template" in each["spec"]]
        [container] = spec["containers"]
        folder = tmp_path / file
        folder.mkdir()

        def here(value: str) -> str:
            value = value.replace("/tmp/", f"{folder}/").replace(":61613", f":{port}")
            return value.replace("/etc/swarmage", str(secrets))

        environment = {**base, "SWARMAGE_HOME": str(folder / "home")}
        environment |= {each["name"]: here(each["value"]) for each in container["env"] if "value" in each}
        environment["SWARMAGE_URL"] = f"stomps://swarm:passcode@localhost:{port}"
        started = start(*map(here, container["args"]), env=environment)
        started.wait_for_line('^ready: |"text": "ready: ')
        assert (folder / "alive").exists()
        return started, environment, folder / "alive"

    bus, _, bus_alive = pod("bus.yaml")
    drones, environment, alive = pod("drones.yaml")
    assert census(run, environment, text) == 5
    for started, file in ((drones, alive), (bus, bus_alive)):
        started.send_signal(signal.SIGTERM)
        assert started.exit_code() == 0
        assert not file.exists()


def instructions() -> list[list[str]]:
    """Return the stages of the Dockerfile, each as its lines."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "docker" / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("FROM "):
            stages.append([])
        elif line.strip():
            stages[-1].append(line)
    return stages


def test_the_image_is_built_from_what_is_copied_and_its_command_runs(tmp_path: Path) -> None:
    """The steps of the build stage in a folder, without the network: what is depended on is lent by this python."""
    setuptools = pytest.importorskip("setuptools", "70.1")  # the first that makes wheels by itself
    source, venv = tmp_path / "src", tmp_path / "opt" / "swarmage"
    source.mkdir()
    lent = (Path(setuptools.__file__).parents[1], sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(map(str, lent)),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # which is how pip spells yes
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FORCE_REINSTALL": "1",
    }

    def do(words: list[str]) -> str:
        done = subprocess.run(
            words, cwd=source, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    steps: dict[str, Callable[[str], object]] = {
        "WORKDIR": lambda _: None,
        "COPY": lambda what: _copy(what.split(), source),
        "RUN": lambda what: do(_here(what, venv)),
    }
    for line in instructions()[0]:
        step, _, what = line.partition(" ")
        steps[step](what)
    program = venv / "bin" / "swarmage"
    assert program.read_text().startswith(f"#!{venv}/bin/python")
    where = "import swarmage.cli.serve as one, sys; print(one.__file__)"
    assert do([str(venv / "bin" / "python"), "-P", "-c", where]).startswith(str(venv))
    assert "Commands:" in do([str(program), "--help"])
    assert "--alive-file" in do([str(program), "drone", "--help"])


def _copy(words: list[str], target: Path) -> None:
    *sources, where = words
    for name in sources:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, target / where, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / name, target / where)


def _here(command: str, venv: Path) -> list[str]:
    words = shlex.split(command.replace("/opt/swarmage", str(venv)))
    return [sys.executable if word == "python" else word for word in words]
