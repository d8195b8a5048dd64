"""Logs of the processes that stay: to stderr, one line per event."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

FORMATS = ("text", "json")
FORMAT_VARIABLE = "SWARMAGE_LOG_FORMAT"


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
    text = logging.Formatter(f"%(asctime)s {name}[%(process)d] %(levelname)s %(message)s")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(name) if os.environ.get(FORMAT_VARIABLE) == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # It warns of each attempt to connect; what came of them is ours to say, once.
    logging.getLogger("stomp.py").setLevel(logging.CRITICAL)
