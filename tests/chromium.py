"""A headless Chromium, driven over a pipe with the DevTools protocol, which needs no package.

With `--remote-debugging-pipe`, messages are JSON that ends with a zero byte, to file descriptor 3
and from 4. Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import collections
import json
import os
import select
import shutil
import subprocess
import sys
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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


def find():
  """Path of a Chromium; None where there is none."""
  return next(filter(None, map(shutil.which, NAMES)), None)
