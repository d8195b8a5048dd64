"""Logs of the processes that stay: to stderr, one line per event."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

FORMATS = ("text", "json")
FORMAT_VARIABLE = "SWARMAGE_LOG_FORMAT"


class TextLines(logging.Formatter):
    """Lines for people. Nothing that came from elsewhere makes one look like two, or does anything to a terminal.

    What cannot be printed is escaped. Further lines of an event, such as a traceback's, are indented.
    """

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s {process}[%(process)d] %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines."""
        return _visible(super().format(record), keep="\n").replace("\n", "\n    ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name for it
        """Return the first line; it is several where the program wants it, not where a value has line ends."""
        return _visible(super().formatMessage(record), keep="\n" if "\n" in str(record.msg) else "")


def _visible(text: str, keep: str) -> str:
    if text.isprintable():
        return text
    shown = (char if char.isprintable() or char in keep else char.encode("unicode_escape").decode() for char in text)
    return "".join(shown)


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, event, fields, and the text that people would see."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
            "fields": getattr(record, "fields", {}),
            "process": self._process,
            "pid": record.process,
            "text": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


def log_to_stderr(name: str) -> None:
    """Set up logging for this process, under the name that it goes by, in the form that SWARMAGE_LOG_FORMAT names."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(name) if os.environ.get(FORMAT_VARIABLE) == "json" else TextLines(name))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # It warns of each attempt to connect; what came of them is ours to say, once.
    logging.getLogger("stomp.py").setLevel(logging.CRITICAL)
