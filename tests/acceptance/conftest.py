from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from processes import DEADLINE, WORKERS, Home, Run, Start, Started

from swarmage import Client


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A swarm of its own: a state folder and a free port."""
    return Home(tmp_path / "home")


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    """Start ``swarmage …`` and let it run; it is ended with the test."""
    started: list[Started] = []

    def start(*argv: str, env: Mapping[str, str] | None = None) -> Started:
        started.append(Started(argv, env or home.environment))
        return started[-1]

    yield start
    for process in started:
        process.clean_up()


@pytest.fixture
def run(home: Home) -> Run:
    """Run ``swarmage …`` to its end."""

    def run(*argv: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "swarmage", *argv],
            cwd=WORKERS,
            env=env or home.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    return run


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A named pipe: the task ``steps.hold`` runs until something is written to it."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture
def client(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of the swarm, patient enough for a bus that is being started again."""
    monkeypatch.setenv("SWARMAGE_HOME", str(home.folder))
    with Client(home.url, timeout=20.0) as client:
        yield client


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """The file in which tasks write down that they were performed."""
    return tmp_path / "ledger"
