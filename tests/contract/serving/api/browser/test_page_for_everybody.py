"""The page for those without a mouse, on a phone, in the dark, without a token, and in trouble."""

import json
import subprocess

import pytest

PHONE = {"width": 360, "height": 640, "phone": True}
MODELS = ["images", "sentiment", "translation", "half_plus", "many"]
FOCUSED = "document.activeElement.id"


def _tab_to(tab, wanted):
  """Presses Tab until an element has the focus; returns the ids that had it."""
  seen = []
  while not seen or seen[-1] != wanted:
    tab.press("Tab")
    seen.append(tab.js(FOCUSED))
    assert len(seen) < 20, seen
  return seen


def test_a_picture_can_be_asked_about_and_the_line_copied_by_keys_alone(at, tmp_path, make_colour):
  file = tmp_path / "blue.png"
  file.write_bytes(make_colour("blue"))
  tab = at("images")
  tab.grant("clipboardReadWrite", "clipboardSanitizedWrite")
  tab.call("Page.setInterceptFileChooserDialog", enabled=True)
  assert _tab_to(tab, "file") == ["model", "file"]
  assert tab.js("getComputedStyle(document.getElementById('drop')).outlineStyle") == "solid"
  tab.press("Enter")
  (asked,) = tab.events("Page.fileChooserOpened")
  tab.answered(
    lambda: tab.call(
      "DOM.setFileInputFiles", backendNodeId=asked["backendNodeId"], files=[str(file)]
    )
  )
  assert tab.text("#headline") == "blue"
  assert tab.js(FOCUSED) == "file"
  assert _tab_to(tab, "copy") == ["ask", "example", "more", "why", "copy"]
  tab.press("Enter")
  tab.wait_for_text("#copy", "Copied")
  assert tab.js("navigator.clipboard.readText()") == tab.text("#curl-line")
  assert tab.complaints() == []


def test_a_model_is_chosen_and_a_sentence_typed_by_keys_alone(at):
  tab = at("images")
  _tab_to(tab, "model")
  for character in "translation":
    tab.call("Input.dispatchKeyEvent", type="char", text=character)
  tab.wait("document.title === 'translation - model server'")
  tab.wait("!document.getElementById('text-input').hidden")
  assert _tab_to(tab, "text") == ["text"]
  tab.type("hello")
  tab.answered(lambda: tab.press("Enter"))
  assert tab.text("#headline") == "HELLO"
  assert tab.js("location.search") == "?model=translation"


@pytest.mark.parametrize("model", MODELS)
def test_a_phone_scrolls_down_only_and_fingers_find_every_control(at, model):
  tab = at(model, **PHONE)
  if model in ("sentiment", "translation"):
    tab.js("document.getElementById('text').value = 'Donaudampfschifffahrt'.repeat(30)")
  act = "#example" if model == "images" else "#ask"
  tab.answered(lambda: tab.click(act))
  assert tab.js("document.documentElement.scrollWidth") == PHONE["width"]
  sizes = tab.js(
    """[...document.querySelectorAll("button, select, textarea, .drop")]
      .filter(e => e.offsetParent).map(e => [e.id, e.offsetHeight, e.offsetWidth])"""
  )
  assert len(sizes) >= 4
  assert [one for one in sizes if min(one[1:]) < 44] == []
  # What was asked for is in view without a finger moving.
  assert tab.js("document.getElementById('answer').getBoundingClientRect().top") < PHONE["height"]


@pytest.mark.parametrize("model", ["images", "translation", "many"])
def test_every_control_has_a_name_for_those_who_listen(at, model):
  tab = at(model)
  tab.answered(lambda: tab.click("#ask" if model == "many" else "#example"))
  nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
  shown = [node for node in nodes if not node["ignored"]]
  roles = {"button", "combobox", "textbox", "link", "list", "region"}
  names = {
    (node["role"]["value"], node.get("name", {}).get("value", ""))
    for node in shown
    if node["role"]["value"] in roles
  }
  assert [role for role, name in names if not name.strip()] == []
  assert ("combobox", "Model") in names
  assert ("region", "Answer") in names
  headings = [n["name"]["value"] for n in shown if n["role"]["value"] == "heading"]
  assert headings[0] == model
  assert "Answer" in headings
  live = [n for n in shown if n["role"]["value"] == "status"]
  assert len(live) == 1
  assert tab.js("document.documentElement.lang") == "en"


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_what_is_behind_it(at, dark):
  tab = at("images", dark=dark)
  colours = tab.js(
    """Object.fromEntries(["page", "card", "ink", "faint", "accent", "on-accent", "bad", "bad-wash"]
      .map(name => [name, getComputedStyle(document.body).getPropertyValue("--" + name).trim()]))"""
  )

  def light(name):
    parts = [int(colours[name][i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

  assert (light("page") < 0.1) == dark
  for text, behind in (
    *(("ink", "card"), ("ink", "page"), ("faint", "card"), ("faint", "page")),
    *(("accent", "card"), ("on-accent", "accent"), ("bad", "bad-wash"), ("ink", "bad-wash")),
  ):
    low, high = sorted((light(text), light(behind)))
    # WCAG 2.2, success criterion 1.4.3.
    assert (high + 0.05) / (low + 0.05) >= 4.5, (text, behind)


def test_nothing_but_this_server_is_asked_and_no_markup_is_made_of_text(at):
  tab = at("translation")
  tab.answered(lambda: tab.click("#example"))
  origin = tab.js("location.origin")
  assert {url.removeprefix("blob:")[: len(origin)] for url in tab.requests()} == {origin}
  assert len(tab.requests()) >= 6
  refused = tab.js(
    "try { document.body.innerHTML = '<b>x</b>'; '' } catch (error) { error.constructor.name }"
  )
  assert refused == "TypeError"
  tab.js(
    """document.head.append(Object.assign(document.createElement("link"),
      {rel: "stylesheet", href: "http://127.0.0.1:1/a.css"}))"""
  )
  tab.wait("performance.now() > 0")
  assert [e["blockedReason"] for e in tab.events("Network.loadingFailed")] == ["csp"]


def _error(tab, title):
  tab.wait_for_text("#error-title", title)
  assert not tab.text("#result")
  return tab.text("#error-detail")


def test_errors_are_words(at, tmp_path):
  tab = at("images")
  tab.click("#ask")
  _error(tab, "Choose a picture first.")
  notes = tmp_path / "notes.txt"
  notes.write_text("no picture")
  tab.choose(notes)
  _error(tab, "Expected a picture. Received: notes.txt (text/plain).")
  empty = tmp_path / "empty.png"
  empty.write_bytes(b"")
  tab.choose(empty)
  _error(tab, "Expected a picture. Received: empty.png, which is empty.")
  assert tab.complaints() == []
  broken = tmp_path / "broken.png"
  broken.write_bytes(b"no picture either")
  tab.choose(broken)
  detail = _error(tab, "The model cannot use this input.")
  # The server's text without the names of the graph's nodes, which are folded up.
  assert detail.startswith("Unknown image file format.")
  assert "{{" not in detail
  tab.click("#error summary")
  assert "{{node " in tab.text("#error-raw")
  assert tab.js("document.getElementById('error').getAttribute('role')") == "alert"
  # The line that fails alike is there, too.
  done = subprocess.run(
    ["sh", "-c", tab.text("#curl-line").replace("curl ", "curl -s ", 1)],
    cwd=tmp_path,
    capture_output=True,
    timeout=120,
    check=True,
  )
  assert "Unknown image file format" in json.loads(done.stdout)["error"]
  assert tab.events("Runtime.exceptionThrown") == []


def test_an_answer_follows_an_error(at):
  tab = at("sentiment")
  tab.click("#ask")
  _error(tab, "Type a sentence first.")
  tab.answered(lambda: tab.click("#example"))
  assert tab.text("#headline") == "positive"
  assert not tab.text("#error")


def test_broken_json_is_told_by_the_server(at):
  tab = at("many")
  tab.js("document.getElementById('json').value = '{\"instances\": [1,'")
  tab.click("#ask")
  assert "JSON" in _error(tab, "The model cannot use this input.")


def test_limits_and_a_server_that_is_gone_are_told(start, tab, tasks_models, tmp_path):
  local = start(
    "--model_name=images",
    f"--model_base_path={tasks_models / 'images'}",
    "--ui",
    "--max_request_bytes=1000",
  )
  opened = tab(f"http://127.0.0.1:{local.rest_port}/ui")
  opened.wait("!document.getElementById('input').hidden")
  large = tmp_path / "large.png"
  large.write_bytes(bytes(5000))
  opened.choose(large)
  detail = _error(opened, "This is larger than what the server takes.")
  assert detail == "The request is larger than 1000 bytes (--max_request_bytes)."
  local.server.stop()
  opened.click("#ask")
  detail = _error(opened, "The server does not answer.")
  assert detail.startswith(f"Is it still running at 127.0.0.1:{local.rest_port}?")


def test_a_token_is_asked_for_and_kept_out_of_the_line(start, tab, tasks_models, tmp_path):
  (tmp_path / "tokens").write_text("a-secret\n")
  local = start(
    "--model_name=sentiment",
    f"--model_base_path={tasks_models / 'sentiment'}",
    f"--auth_tokens_file={tmp_path / 'tokens'}",
    "--ui",
  )
  opened = tab(f"http://127.0.0.1:{local.rest_port}/ui")
  assert opened.js(FOCUSED) == "token"
  assert opened.text("#token-form label") == "Token"
  assert not opened.text("#input")
  assert opened.complaints() == []
  opened.type("a-guess")
  opened.press("Enter")
  opened.wait_for_text("#banner-title", "The server wants a token.")
  assert opened.text("#banner-detail") == "The token is not one that this server knows."
  opened.js("document.getElementById('token').value = ''")
  opened.type("a-secret")
  opened.press("Enter")
  opened.wait("!document.getElementById('input').hidden")
  opened.wait(f"{FOCUSED} === 'text'")
  assert not opened.text("#banner")
  assert not opened.text("#token-form")
  opened.type("bad")
  opened.answered(lambda: opened.press("Enter"))
  assert opened.text("#headline") == "negative"
  line = opened.text("#curl-line")
  assert "a-secret" not in line
  assert opened.text("#curl-hint") == "Set TOKEN to the token."
  answers = [
    subprocess.run(
      ["sh", "-c", line],
      capture_output=True,
      env={"PATH": "/usr/bin:/bin", "TOKEN": token},
      check=True,
    ).stdout
    for token in ("a-secret", "a-guess")
  ]
  assert json.loads(answers[0])["predictions"][0]["label"] == "negative"
  assert "error" in json.loads(answers[1])
