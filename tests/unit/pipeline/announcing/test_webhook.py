"""A webhook gets the run as JSON, is tried again, and never shows its secrets."""

import threading

import pytest

from pipeline.announcing import webhook
from pipeline.announcing.notices import NotToldError, notice_of

SECRET, TOKEN = "/services/T0/B0/sEcReT", "t0kEn"


def _post(url, record, *, retries=3, timeout_s=10.0, **changes):
  waited = []
  notice = notice_of(record(**changes).result)
  webhook.post(notice, url, token=TOKEN, timeout_s=timeout_s, retries=retries, pause=waited.append)
  return waited


def test_it_gets_what_the_command_line_prints(web, record):
  url, taken = web(200)
  assert _post(url + SECRET, record) == []
  [(path, headers, document)] = taken
  assert path == SECRET
  assert headers["Authorization"] == f"Bearer {TOKEN}"
  assert headers["Content-Type"] == "application/json"
  assert document["events"] == ["pushed"]
  assert document["task"], document["run_id"] == ("images", "20260101-000000-abcd")
  assert document["text"].startswith("images: Pushed as version 7\n")
  assert document["run"] == record().result.to_json()


def test_a_server_that_is_busy_is_tried_again(web, record):
  url, taken = web(503, 429, 200)
  assert _post(url, record) == [1.0, 2.0]
  assert len(taken) == 3


@pytest.mark.parametrize(
  ("codes", "retries", "tries", "message"),
  [
    ((500,), 2, 3, "the server answered 500"),
    ((404,), 2, 1, "the server answered 404"),
    ((302,), 2, 1, "the server answered 302"),
    ((307,), 2, 1, "the server answered 307"),
  ],
)
def test_who_does_not_take_it_is_named_without_the_secret(
  web, record, codes, retries, tries, message
):
  url, taken = web(*codes)
  with pytest.raises(NotToldError) as refused:
    _post(url + SECRET, record, retries=retries)
  assert str(refused.value) == message
  assert len(taken) == tries


@pytest.mark.parametrize(
  ("url", "message"),
  [
    ("http://127.0.0.1:9" + SECRET, "the server cannot be reached: Connection refused"),
    ("http://127.0.0.1:port" + SECRET, "the server cannot be reached (InvalidURL)"),
    ("http://nowhere.invalid" + SECRET, "the server cannot be reached: "),
    ("ftp://example.com" + SECRET, "the webhook's address does not begin with http:// or"),
    ("http://[::1" + SECRET, "the webhook's address is none"),
  ],
)
def test_an_address_that_leads_nowhere_is_not_shown(record, url, message):
  with pytest.raises(NotToldError) as refused:
    _post(url, record, retries=0)
  assert message in str(refused.value)
  assert "sEcReT" not in str(refused.value)


def test_a_server_that_does_not_answer_is_left(web, record):
  never = threading.Event()
  url, taken = web(200, wait=never)
  with pytest.raises(NotToldError, match="the server did not answer in time"):
    _post(url, record, retries=1, timeout_s=0.05)
  never.set()
  assert len(taken) == 2
