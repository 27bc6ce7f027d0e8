"""The page's routes: what is open, what is refused, which headers guard the browser."""

import base64
import hashlib
import json
import re

import pytest
from tensorflow_serving.config import model_server_config_pb2

from serving.auth import Token, Tokens
from serving.models.lifecycle import Loader, ModelManager
from serving.models.servable import Servable
from serving.models.serving_core import ServingCore
from serving.models.version_source import VersionSource
from serving.rest.api import RestApi, RestOptions
from serving.rest.messages import Request
from serving.rest.page import Page

EXAMPLE = "/ui/models/a%20b/versions/3/example"


class Loads(Loader):
  """Loads versions that only know where they are."""

  def load(self, name, version, path):
    return Servable(name, version, runner=None, signatures={}, path=path)

  def unload(self, servable):
    pass


@pytest.fixture
def version(tmp_path):
  """The folder of the one version."""
  folder = tmp_path / "a b" / "3"
  folder.mkdir(parents=True)
  return folder


@pytest.fixture
def core(version):
  manager = ModelManager(Loads(), max_load_retries=0)
  made = ServingCore(manager, VersionSource(manager, poll_wait_s=0))
  config = model_server_config_pb2.ModelServerConfig()
  for name in ("b", "a b"):
    config.model_config_list.config.add(
      name=name, base_path=str(version.parent), model_platform="tensorflow"
    )
  made.start(config)
  yield made
  made.stop()


@pytest.fixture
def ask(core):
  """Returns a function that asks a server with the page and a token."""
  api = RestApi(core, tokens=Tokens([Token.of("t")]), page=Page(core, needs_token=True))

  def answer(target, method="GET", **headers):
    given = {name.encode(): value.encode() for name, value in headers.items()}
    return api.handle(Request(method, target, {b"authorization": b"Bearer t"} | given))

  return answer


def _headers(response):
  return dict(response.headers)


@pytest.mark.parametrize("target", ["/", "/ui", "/ui/", "/ui/models", EXAMPLE])
def test_without_the_flag_there_is_nothing_as_in_tensorflow_serving(core, target):
  response = RestApi(core).handle(Request("GET", target, {}))
  assert (response.status, response.content_type) == (404, "text/html; charset=ISO-8859-1")
  assert b"<TITLE>404 Not Found</TITLE>" in response.body


def test_the_policy_lets_only_the_pages_own_style_and_script_in(ask):
  response = ask("/ui")
  assert (response.status, response.content_type) == (200, "text/html; charset=utf-8")
  page = response.body.decode()
  policy = dict(
    part.split(" ", 1) for part in _headers(response)["Content-Security-Policy"].split("; ")
  )
  for directive, tag in (("script-src", "script"), ("style-src", "style")):
    (inline,) = re.findall(rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert policy[directive] == f"'sha256-{digest}'"
  assert policy["default-src"] == "'none'"
  assert policy["connect-src"] == "'self'"
  assert policy["frame-ancestors"] == "'none'"
  markup = re.sub(r"<script.*</script>", "", page, flags=re.DOTALL)
  assert not re.search(
    r"\{\{|(?:src|href)=.?(?:https?:)?//|@import|url\(| style=| on[a-z]+=", markup
  )


def test_what_keeps_the_page_to_itself(ask):
  headers = _headers(ask("/ui"))
  assert headers["X-Content-Type-Options"] == "nosniff"
  assert headers["X-Frame-Options"] == "DENY"
  assert headers["Referrer-Policy"] == "no-referrer"
  assert headers["Cache-Control"] == "no-store"
  assert "Access-Control-Allow-Origin" not in headers


def test_the_root_leads_to_the_page(ask):
  response = ask("/")
  assert (response.status, _headers(response)["Location"]) == (302, "/ui")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_page_needs_no_token_and_what_it_asks_does(ask, method):
  assert ask("/ui", method, authorization="Bearer x").status == 200
  assert b'data-needs-token="true"' in ask("/ui?model=b", authorization="").body
  for target in ("/ui/models", EXAMPLE, "/ui/x"):
    assert ask(target, method, authorization="Bearer x").status == 401
    assert ask(target, method).status == (404 if target == "/ui/x" else 200)


@pytest.mark.parametrize("target", ["/ui", "/ui/models", EXAMPLE, "/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_page_is_only_read(ask, target, method):
  assert ask(target, method).status == 405


def test_metrics_keep_their_path_and_their_token(core):
  api = RestApi(
    core,
    options=RestOptions(metrics_path="/"),
    tokens=Tokens([Token.of("t")]),
    page=Page(core),
  )
  assert api.handle(Request("GET", "/", {})).status == 401
  response = api.handle(Request("GET", "/", {b"authorization": b"Bearer t"}))
  assert (response.status, response.content_type) == (200, "text/plain")


def test_models_are_listed(ask):
  response = ask("/ui/models")
  assert json.loads(response.body) == {"models": ["a b", "b"]}
  assert _headers(response)["Cache-Control"] == "no-store"


def _write_example(version, text):
  folder = version / "assets.extra" / "examples"
  folder.mkdir(parents=True)
  (folder / "request.json").write_text(text, encoding="utf-8")


def test_the_request_beside_a_version_is_its_example(ask, version):
  _write_example(version, '{"instances": [{"text": "œuf"}], "signature_name": "s"}')
  assert json.loads(ask(EXAMPLE).body) == {"instances": [{"text": "œuf"}]}


def test_without_a_request_there_is_no_example(ask):
  assert json.loads(ask(EXAMPLE).body) == {"instances": []}


@pytest.mark.parametrize("text", ["{", "[]", '{"inputs": [1]}', '{"instances": 1}', "\0"])
def test_a_request_that_is_none_is_no_example_and_logged(ask, version, text, caplog):
  _write_example(version, text)
  assert json.loads(ask(EXAMPLE).body) == {"instances": []}
  assert "is offered as no example" in caplog.text


@pytest.mark.parametrize(
  "target",
  ["/ui/models/a%20b/versions/4/example", "/ui/models/c/versions/3/example"],
)
def test_an_example_of_what_is_not_served(ask, target):
  response = ask(target)
  assert response.status == 404
  assert "Servable not found for request" in json.loads(response.body)["error"]


@pytest.mark.parametrize(
  "target",
  [
    "/ui/models/",
    "/ui/page.js",
    "/ui/../serving/flags.py",
    "/ui/models/..%2F..%2Fx/versions/x/example",
    "/UI",
    "/uix",
  ],
)
def test_nothing_else_is_served(ask, target):
  assert ask(target).status == 404
