import io

import structlog

from services.platform.log_output import log_processors


def test_a_traceback_shows_where_it_failed_and_no_users_text() -> None:
    out = io.StringIO()
    log = structlog.wrap_logger(structlog.PrintLogger(out), processors=log_processors())

    def rewrite(text: str) -> int:
        return len(text) // 0

    try:
        rewrite("a diary entry")
    except ZeroDivisionError:
        log.exception("a request was not rewritten", assistant_id="home")
    assert "a request was not rewritten" in out.getvalue()
    assert "home" in out.getvalue()
    assert "in rewrite" in out.getvalue()
    assert "ZeroDivisionError" in out.getvalue()
    assert "diary" not in out.getvalue().replace('rewrite("a diary entry")', "")
