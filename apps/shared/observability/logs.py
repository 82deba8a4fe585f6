"""One JSON object a log line, with the request id and without secrets."""

import json
import logging
from datetime import UTC, datetime

from apps.shared.observability.middleware import request_id
from apps.shared.observability.scrubbing import scrub

__all__ = ["JsonFormatter"]


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; an exception becomes its text in `exception`.

    Message and exception are scrubbed. Of `extra` nothing is written.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        if record.exc_info:
            line["exception"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)
