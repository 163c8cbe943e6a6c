"""Asks Rehear what a request should have been; by hand: `python lookup_client.py "turn of the lamp"`."""

import logging
import os
import sys

import httpx

log = logging.getLogger("rehear")
key = os.environ.get("LOOKUP_API_KEY")  # only where the server has [[api.api_keys]]
rehear = httpx.Client(
    base_url=os.environ.get("LOOKUP_API_URL", "http://127.0.0.1:8420"),
    headers={"X-API-Key": key} if key else {},
    timeout=0.05,  # seconds: never let Rehear hold up a request
)


def as_meant(
    text: str, user_id: str, asr_confidence: float | None = None
) -> tuple[str, dict[str, str | int | None]]:
    """The text to run, and fields of the turn event; the request itself and none without an answer."""
    query = {"user_id": user_id, "text": text, "asr_confidence": asr_confidence}
    try:
        answer = rehear.post("/v1/rewrite", json=query)
        if answer.status_code == 200:
            found = answer.json()
            rewrite = found["rewrite"] or {"text": text, "id": None}
            return rewrite["text"], {
                "rewrite_id": rewrite["id"],
                "table_version": found["table_version"],
                "arm": found["arm"],
                "withheld_rewrite_id": found["withheld"],
            }
        log.error("no rewrite: status %d: %s", answer.status_code, answer.text)
    except (
        httpx.HTTPError,
        ValueError,
        LookupError,
        TypeError,
    ) as error:  # no answer, or not one of Rehear's
        log.warning("no rewrite: %s: %s", type(error).__name__, error)
    return text, {}


if __name__ == "__main__":
    print(*as_meant(sys.argv[1], user_id="somebody"))
