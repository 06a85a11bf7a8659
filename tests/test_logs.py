"""Logs: one line an event, and no credential in any of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import StartError
from broker.logs import configure, get_logger, redact

from .conftest import plain_logs
from .support import settings_in

SECRETS = [
    "GET /api/v3/account?timestamp=1&signature=0a1b2c",
    "X-MBX-APIKEY: 0a1b2c",
    "{'X-MCP-API-Key': '0a1b2c'}",
    "Authorization: Bearer 0a1b2c",
    "http://127.0.0.1:3606/welcome?token=0a1b2c",
    "apiKey=0a1b2c&symbol=BTCUSDT",
]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers = handlers
    root.setLevel(level)
    plain_logs()


@pytest.mark.parametrize("text", SECRETS)
def test_credentials_are_struck_out(text: str) -> None:
    assert "0a1b2c" not in redact(text)
    assert "[redacted]" in redact(text)


def test_other_text_is_left_alone() -> None:
    assert redact("no such order (-2013), timestamp=5") == "no such order (-2013), timestamp=5"


def test_the_file_has_one_json_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "broker.jsonl"
    configure(settings_in(tmp_path, log_file=path))
    get_logger("test").warning("first", intent="a\nb")
    logging.getLogger("library").warning("second %s", "part")
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["event"], first["intent"], first["level"]) == ("first", "a\nb", "warning")
    assert second["event"] == "second part"


def test_what_others_wrote_tells_the_terminal_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(settings_in(tmp_path))
    get_logger("test").warning("refused", tool="\x1b[2J\nall\u202eis\x9bwell")
    logging.getLogger("library").warning("said %s", "\x1b]0;title\x07")
    said = capsys.readouterr().err
    assert said.count("\n") == 2
    assert all(letter.isprintable() or letter == "\n" for letter in said)
    assert "\\x1b[2J" in said


def test_errors_of_others_are_redacted_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broker.jsonl"
    configure(settings_in(tmp_path, log_file=path))
    try:
        raise ValueError("https://api.binance.com/?signature=0a1b2c")
    except ValueError:
        get_logger("test").exception("ours", error="signature=0a1b2c")
        logging.getLogger("library").exception("theirs signature=%s", "0a1b2c")
    for text in (path.read_text(), capsys.readouterr().err):
        assert "signature=[redacted]" in text
        assert "0a1b2c" not in text


def test_a_log_file_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"LOG_FILE .* cannot be written"):
        configure(settings_in(tmp_path, log_file=tmp_path / "missing" / "broker.jsonl"))
