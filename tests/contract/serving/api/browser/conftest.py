"""A headless Chromium, driven over a pipe with the DevTools protocol, which needs no package.

With `--remote-debugging-pipe`, messages are JSON that ends with a zero byte, to file descriptor 3
and from 4. Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import collections
import json
import os
import select
import shutil
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
  "--headless=new",
  "--remote-debugging-pipe",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-dev-shm-usage",
  "--disable-gpu",
  "--hide-scrollbars",
  # Nothing but loopback can be reached, whatever the page or the browser asks for.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
# Python's own way to hand over descriptors keeps their numbers; Chromium wants 3 and 4.
_LAUNCH = (
  "import fcntl, os, sys; a, b = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3]);"
  " os.dup2(a, 3); os.dup2(b, 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
_TIMEOUT_S = 120
_KEYS = {"Tab": 9, "Enter": 13, " ": 32, "v": 86}
_SHIFT, _CONTROL = 8, 2


class Browser:
  """The process, and messages to and from it."""

  def __init__(self, binary, folder):
    (down, self._out), (self._in, up) = os.pipe(), os.pipe()
    # Its sandbox cannot be had as root.
    flags = [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    self._process = subprocess.Popen(
      [
        *(sys.executable, "-c", _LAUNCH, str(down), str(up)),
        *(binary, *flags, f"--user-data-dir={folder}", "about:blank"),
      ],
      pass_fds=(down, up),
      stdin=subprocess.DEVNULL,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    os.close(down)
    os.close(up)
    self._received = b""
    self._last_id = 0
    self.events = collections.defaultdict(list)  # by session

  def call(self, method, session=None, **params):
    """The result of a method."""
    self._last_id += 1
    message = {"id": self._last_id, "method": method, "params": params}
    if session:
      message["sessionId"] = session
    os.write(self._out, json.dumps(message).encode() + b"\0")
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
      answer = self._read(deadline)
      if answer.get("id") == self._last_id:
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]
    raise TimeoutError(method)

  def _read(self, deadline):
    while b"\0" not in self._received:
      ready, _, _ = select.select([self._in], [], [], max(0, deadline - time.monotonic()))
      assert ready, "Chromium does not answer."
      chunk = os.read(self._in, 1 << 20)
      assert chunk, "Chromium is gone."
      self._received += chunk
    text, _, self._received = self._received.partition(b"\0")
    message = json.loads(text)
    if "method" in message:
      self.events[message.get("sessionId")].append((message["method"], message["params"]))
    return message

  def close(self):
    self._process.kill()
    self._process.wait()
    os.close(self._in)
    os.close(self._out)


class Tab:
  """A page with a profile of its own."""

  def __init__(self, browser, *, width=1200, height=800, dark=False, phone=False):
    self._browser = browser
    self._context = browser.call("Target.createBrowserContext")["browserContextId"]
    target = browser.call("Target.createTarget", url="about:blank", browserContextId=self._context)[
      "targetId"
    ]
    attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
    self._session = attached["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network", "DOM", "Accessibility"):
      self.call(f"{domain}.enable")
    self.call(
      "Emulation.setDeviceMetricsOverride",
      width=width,
      height=height,
      deviceScaleFactor=2 if phone else 1,
      mobile=phone,
    )
    if phone:
      self.call("Emulation.setTouchEmulationEnabled", enabled=True)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    self.call("Emulation.setEmulatedMedia", features=[scheme])

  def call(self, method, **params):
    return self._browser.call(method, self._session, **params)

  def open(self, url):
    self.call("Page.navigate", url=url)
    self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

  def js(self, expression):
    """The value of an expression, awaited."""
    done = self.call(
      "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
    )
    assert "exceptionDetails" not in done, done["exceptionDetails"]
    return done["result"].get("value")

  def wait(self, condition):
    """Returns when an expression is true."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not self.js(condition):
      shown = self.js("document.body.innerText") if time.monotonic() > deadline else ""
      assert time.monotonic() < deadline, f"{condition} is not true on:\n{shown}"
      time.sleep(0.02)

  def text(self, selector):
    """What a person reads there; empty where it is hidden."""
    element = f"document.querySelector({json.dumps(selector)})"
    return self.js(f"{element}.checkVisibility() ? {element}.innerText : ''").strip()

  def wait_for_text(self, selector, text):
    found = f"document.querySelector({json.dumps(selector)}).innerText"
    self.wait(f"{found}.includes({json.dumps(text)})")

  def answered(self, act):
    """Does something and returns when the answer to it is shown."""
    self.js("document.getElementById('status').textContent = ''")
    act()
    self.wait("/ ms$/.test(document.getElementById('status').textContent)")

  def click(self, selector):
    element = f"document.querySelector({json.dumps(selector)})"
    self.wait(f"{element}.checkVisibility()")
    self.js(f"{element}.click()")

  def type(self, text):
    """Types into whatever has the focus."""
    self.call("Input.insertText", text=text)

  def press(self, key, *, shift=False, control=False, **more):
    common = {
      "key": key,
      "code": {" ": "Space", "v": "KeyV"}.get(key, key),
      "windowsVirtualKeyCode": _KEYS[key],
      "modifiers": (_SHIFT if shift else 0) | (_CONTROL if control else 0),
      **more,
    }
    text = {"Enter": "\r", " ": " "}.get(key, "")
    self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
    self.call("Input.dispatchKeyEvent", type="keyUp", **common)

  def choose(self, *paths):
    """Chooses files as the browser's own dialog would."""
    root = self.call("DOM.getDocument")["root"]["nodeId"]
    node = self.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

  def drop(self, *paths, x=20, y=20):
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
      self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

  def grant(self, *permissions):
    self._browser.call(
      "Browser.grantPermissions", browserContextId=self._context, permissions=list(permissions)
    )

  def download_to(self, folder):
    self._browser.call(
      "Browser.setDownloadBehavior",
      browserContextId=self._context,
      behavior="allow",
      downloadPath=str(folder),
    )

  def events(self, method):
    self.js("0")  # what happened before has been received when this is answered
    return [params for name, params in self._browser.events[self._session] if name == method]

  def complaints(self):
    """What a developer would see in red."""
    console = [e for e in self.events("Runtime.consoleAPICalled") if e["type"] == "error"]
    logged = [
      e["entry"]
      for e in self.events("Log.entryAdded")
      if e["entry"]["level"] in ("error", "warning")
    ]
    return console + logged + self.events("Runtime.exceptionThrown")

  def requests(self):
    """Addresses that were asked for, in their order."""
    return [e["request"]["url"] for e in self.events("Network.requestWillBeSent")]

  def close(self):
    self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
  """A running Chromium; skips where there is none, or no curl for the lines that the page shows."""
  binary = next(filter(None, map(shutil.which, _NAMES)), None)
  if binary is None:
    pytest.skip(f"no Chromium on PATH ({', '.join(_NAMES)}); see scripts/install-test-servers.sh")
  if shutil.which("curl") is None:
    pytest.skip("no curl on PATH; see scripts/install-test-servers.sh")
  running = Browser(binary, tmp_path_factory.mktemp("chromium"))
  yield running
  running.close()


@pytest.fixture
def tab(browser):
  """Returns a function that opens a page; its options are those of `Tab`."""
  opened = []

  def make(url, **options):
    opened.append(Tab(browser, **options))
    opened[-1].open(url)
    return opened[-1]

  yield make
  for one in opened:
    one.close()


class Colours(tf.Module):
  """The images task's `serving_default`: which of red, green and blue a picture has most of."""

  names = ("red", "green", "blue", "<b>grey</b>", "a", "b", "c")

  def __init__(self):
    super().__init__()
    weights = np.zeros((3, len(self.names)), np.float32)
    weights[:3, :3] = 4 * np.eye(3)
    self.keras_model = keras.Sequential(
      [
        keras.Input((8, 8, 3)),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(
          len(self.names), kernel_initializer=lambda shape, dtype: tf.constant(weights)
        ),
      ]
    )
    self.values = [variable.value for variable in self.keras_model.variables]

  def pixels(self, image):
    decoded = tf.io.decode_image(image, channels=3, expand_animations=False)
    return tf.ensure_shape(tf.image.resize(decoded, (8, 8)) / 255, (8, 8, 3))

  @tf.function
  def __call__(self, image):
    logits = self.keras_model(tf.map_fn(self.pixels, image, fn_output_signature=tf.float32))
    return _class_outputs(logits, self.names)


class Moods(tf.Module):
  """The sentiment task's `serving_default`: whether a text says "good" or "bad".

  A text that says neither may be both, and one with "strange" is.
  """

  @tf.function
  def __call__(self, text):
    says = [tf.strings.regex_full_match(text, f"(?s).*{word}.*") for word in ("bad", "good")]
    logits = 2 * tf.stack([tf.cast(one, tf.float32) for one in says], axis=1)
    answer = _class_outputs(logits, ("negative", "positive"))
    is_open = says[0] == says[1]
    other = tf.where(answer["label"] == "positive", "negative", "positive")
    is_strange = tf.strings.regex_full_match(text, "(?s).*strange.*")
    return {
      **answer,
      "set": tf.stack([answer["label"], tf.where(is_open, other, "")], axis=1),
      "familiarity": tf.where(is_strange, 0.003, 0.5),
      "decision": tf.where(is_open | is_strange, "unsure", "accepted"),
    }


class Shouts(tf.Module):
  """The translation task's `serving_default`: translates into capital letters."""

  @tf.function
  def __call__(self, text):
    translation = tf.strings.upper(text, encoding="utf-8")
    return {"translation": translation, "score": tf.fill(tf.shape(text), -0.125)}


def _class_outputs(logits, names):
  scores = tf.nn.softmax(logits)
  return {
    "label": tf.gather(tf.constant(names), tf.argmax(scores, axis=1)),
    "score": tf.reduce_max(scores, axis=1),
    "scores": scores,
    "labels": tf.repeat(tf.constant(names)[tf.newaxis], tf.shape(scores)[0], axis=0),
  }


def save(module, key, path, example):
  """Writes a module as a version, with a request beside it as the pipeline leaves one."""
  spec = tf.TensorSpec([None], tf.string, name=key)
  function = module.__call__.get_concrete_function(spec)
  tf.saved_model.save(module, str(path), signatures={"serving_default": function})
  (path / "assets.extra" / "examples").mkdir(parents=True)
  body = json.dumps({"instances": [{key: example}]})
  (path / "assets.extra" / "examples" / "request.json").write_text(body)


@pytest.fixture(scope="session")
def save_shouts():
  """The function that writes the translating model to a path."""
  return lambda path: save(Shouts(), "text", path, "an example")


@pytest.fixture(scope="session")
def tasks_models(tmp_path_factory, make_colour):
  """Base paths of models with the shipped tasks' signatures."""
  root = tmp_path_factory.mktemp("tasks")
  green = base64.b64encode(make_colour("green")).decode()
  save(Colours(), "image", root / "images" / "1", {"b64": green})
  save(Moods(), "text", root / "sentiment" / "1", "This is a good example.")
  save(Shouts(), "text", root / "translation" / "1", "an example")
  return root


@pytest.fixture(scope="session")
def make_colour():
  """Returns a function that encodes a picture of a colour, with noise, so that it takes room."""
  import io

  from PIL import Image

  def make(colour, kind="PNG", side=24):
    noise = np.random.default_rng(0).integers(0, 40, (side, side, 3), dtype=np.uint8)
    plain = np.array(Image.new("RGB", (side, side), colour))
    file = io.BytesIO()
    Image.fromarray(np.maximum(plain, noise)).save(file, kind)
    return file.getvalue()

  return make


@pytest.fixture
def at(tab, page):
  """Returns a function that opens the page at a model and waits for its input."""

  def opened(model, **options):
    made = tab(f"{page.page}?model={model}", **options)
    made.wait("!document.getElementById('input').hidden")
    return made

  return opened


@pytest.fixture(scope="session")
def page(start_process, tasks_models, models, tools, tmp_path_factory):
  """The address of the page of a running server with several models."""
  every = "model_version_policy { all {} }"
  config = tools.write_config(
    tmp_path_factory.mktemp("config") / "models.config",
    *((name, tasks_models / name, "") for name in ("images", "sentiment", "translation")),
    ("half_plus", models / "half_plus", every),
    ("many", models / "many", ""),
    ("types", models / "types", ""),
  )
  process = start_process(f"--model_config_file={config}", "--ui").wait()
  process.page = f"http://127.0.0.1:{process.rest_port}/ui"
  return process
