"""scripts/audit.py: open advisories, idle acceptances, overdue reviews, and asking OSV."""

import datetime
import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest
import yaml

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_TODAY = datetime.datetime.now(datetime.timezone.utc).date()
_LATER = _TODAY + datetime.timedelta(days=30)
_ADVISORY = {
  "id": "CVE-1",
  "aliases": ["GHSA-1", "PYSEC-1"],
  "package": "ham",
  "affected": ["<1.2", ">=2.0rc1,<2.1"],
  "fixed": ["1.2", "2.1"],
  "summary": "Ham goes bad.",
  "source": "https://example.org/1",
}


@pytest.fixture
def audit(tmp_path):
  """Returns a function that audits a lock `x` with these pins; the exit code and what it says."""

  def run(pins, advisories=(), accepted=(), *, known_until=_TODAY, asked=None, options=()):
    lock = "".join(f"{pin} \\\n    --hash=sha256:{'a' * 64}\n    # via egg\n" for pin in pins)
    (tmp_path / "x.txt").write_text(f"# made\n{lock}")
    listed = {
      "known_until": str(known_until),
      "asked": list(pins) if asked is None else asked,
      "advisories": list(advisories),
    }
    (tmp_path / "advisories.json").write_text(json.dumps(listed))
    (tmp_path / "accepted.yaml").write_text(yaml.safe_dump(list(accepted)))
    return _run("--folder", str(tmp_path), *options)

  return run


def _run(*options):
  done = subprocess.run(
    [sys.executable, "scripts/audit.py", *options],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    timeout=600,
    check=False,
  )
  assert "Traceback" not in done.stderr
  return done.returncode, done.stdout + done.stderr


def _accepted(name="CVE-1", *, lock="x", package="ham", review=_LATER):
  return {"package": package, "advisories": {lock: [name]}, "reason": "unused", "review": review}


def test_the_locks_of_this_checkout_have_no_open_advisory(tmp_path):
  for path in (_ROOT / "constraints").glob("*.*"):
    shutil.copy(path, tmp_path)
  # The checkout may be of any age; its acceptances are what is tested.
  entries = yaml.safe_load((tmp_path / "accepted.yaml").read_text())
  assert entries
  later = [{**entry, "review": _LATER} for entry in entries]
  (tmp_path / "accepted.yaml").write_text(yaml.safe_dump(later))
  code, text = _run("--folder", str(tmp_path))
  assert code == 0, text


def test_a_known_pin_of_this_checkout_is_open_without_its_acceptance(tmp_path):
  for path in (_ROOT / "constraints").glob("*.*"):
    shutil.copy(path, tmp_path)
  (tmp_path / "accepted.yaml").write_text("[]")
  code, text = _run("--folder", str(tmp_path))
  assert code == 1
  assert "py310-tfx1.16: pyarrow==10.0.1 has CVE-2023-47248: A Parquet, Feather or IPC file" in text
  [line] = [line for line in text.splitlines() if line.startswith("py313-tfx1.21: pyarrow==")]
  assert "Upgrade it in constraints/tfx1.21.in, or say in constraints/accepted.yaml" in line


@pytest.mark.parametrize("version", ["0.9", "1.1.9", "2.0rc1", "2.0.5"])
def test_an_affected_pin_fails(audit, version):
  code, text = audit([f"Ham=={version}", "egg==1.0"], [_ADVISORY])
  assert code == 1
  assert f"x: ham=={version} has CVE-1: Ham goes bad. Fixed in: 1.2, 2.1. " in text
  assert "constraints/x.in" in text


@pytest.mark.parametrize("version", ["1.2", "1.9", "2.0b1", "2.1", "3.0"])
def test_a_sound_pin_passes(audit, version):
  code, text = audit([f"ham=={version}"], [_ADVISORY])
  assert code == 0, text
  assert "1 pins in 1 locks: 0 advisories accepted, none open." in text


@pytest.mark.parametrize("name", ["CVE-1", "GHSA-1", "PYSEC-1"])
def test_what_is_accepted_by_any_of_its_names_passes(audit, name):
  code, text = audit(["ham==1.0"], [_ADVISORY], [_accepted(name)])
  assert code == 0, text


@pytest.mark.parametrize(
  "acceptance", [_accepted(lock="y"), _accepted(package="egg"), _accepted("CVE-2")]
)
def test_an_acceptance_holds_for_its_lock_package_and_advisory_alone(audit, acceptance):
  code, text = audit(["ham==1.0"], [_ADVISORY], [acceptance])
  assert code == 1
  assert "ham==1.0 has CVE-1" in text
  assert "is accepted and concerns no pin there" in text


def test_an_acceptance_that_is_no_longer_needed_fails(audit):
  code, text = audit(["ham==1.2"], [_ADVISORY], [_accepted()])
  assert code == 1
  assert "x: CVE-1 of ham is accepted and concerns no pin there; remove it" in text


def test_an_overdue_review_fails(audit):
  review = _TODAY - datetime.timedelta(days=2)
  code, text = audit(["ham==1.0"], [_ADVISORY], [_accepted(review=review)])
  assert code == 1
  assert f"x: CVE-1 of ham was to be looked at again by {review}." in text


def test_it_says_how_old_the_list_is_and_which_pins_it_does_not_know(audit):
  known = _TODAY - datetime.timedelta(days=40)
  code, text = audit(["ham==1.2", "egg==1.0"], asked=["ham==1.2"], known_until=known)
  assert code == 0
  assert f"The list of advisories is of {known}, " in text
  assert "It was made without egg==1.0." in text
  assert "make audit ARGS=--refresh" in text


@pytest.mark.parametrize("pin", ["ham>=1.0", "ham"])
def test_a_lock_that_pins_nothing_is_an_error(audit, pin):
  code, text = audit([pin])
  assert code == 2
  assert "expected name==version with hashes" in text


_GHSA = {
  "id": "GHSA-1",
  "aliases": ["CVE-1"],
  "summary": "Ham goes bad",
  "affected": [
    {
      "package": {"name": "Ham", "ecosystem": "PyPI"},
      "ranges": [
        {
          "type": "ECOSYSTEM",
          "events": [
            {"introduced": "0"},
            {"fixed": "1.2"},
            {"introduced": "2.0rc1"},
            {"last_affected": "2.0.9"},
          ],
        },
        {"type": "GIT", "events": [{"introduced": "0"}]},
      ],
    },
    {"package": {"name": "other", "ecosystem": "PyPI"}, "versions": ["1.0"]},
  ],
}
_RECORDS = {
  "GHSA-1": _GHSA,
  "PYSEC-1": {**_GHSA, "id": "PYSEC-1", "aliases": ["CVE-1", "GHSA-1"]},
  "PYSEC-2": {
    "id": "PYSEC-2",
    "details": "It spoils. And more.",
    "affected": [{"package": {"name": "egg", "ecosystem": "PyPI"}, "versions": ["1.0", "1.1"]}],
  },
  "PYSEC-3": {**_GHSA, "id": "PYSEC-3", "aliases": [], "withdrawn": "2026-01-01T00:00:00Z"},
}


@pytest.fixture
def osv():
  """A server that answers as OSV does: names for pins, in pages, and a record for each name."""
  first = {"ham": (["GHSA-1", "PYSEC-3"], "more"), "egg": (["PYSEC-2"], None)}

  class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
      asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
      self._answer({"results": [self._found(query) for query in asked]})

    def do_GET(self):
      self._answer(_RECORDS[self.path.rpartition("/")[2]])

    def _found(self, query):
      assert query["package"]["ecosystem"] == "PyPI"
      if query.get("page_token"):
        return {"vulns": [{"id": "PYSEC-1", "modified": "2026-01-01T00:00:00Z"}]}
      names, token = first.get(query["package"]["name"], ((), None))
      found = {"vulns": [{"id": name} for name in names]} if names else {}
      return found | ({"next_page_token": token} if token else {})

    def _answer(self, body):
      data = json.dumps(body).encode()
      self.send_response(200)
      self.send_header("Content-Length", str(len(data)))
      self.end_headers()
      self.wfile.write(data)

    def log_message(self, *_):
      pass

  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
  threading.Thread(target=server.serve_forever, daemon=True).start()
  yield f"http://127.0.0.1:{server.server_port}"
  server.shutdown()
  server.server_close()


def test_refresh_asks_osv_and_keeps_what_it_says(audit, osv, tmp_path):
  pins = ["egg==1.0", "ham==1.0", "spam==1.0"]
  code, text = audit(pins, known_until="2020-01-01", options=("--refresh", "--osv", osv))
  assert code == 1
  assert "ham==1.0 has CVE-1: Ham goes bad." in text
  assert "egg==1.0 has PYSEC-2: It spoils. Fixed in: no release yet." in text
  written = json.loads((tmp_path / "advisories.json").read_text())
  assert written["known_until"] == str(_TODAY)
  assert written["asked"] == pins
  assert [entry["id"] for entry in written["advisories"]] == ["PYSEC-2", "CVE-1"]
  ham = written["advisories"][1]
  assert ham["aliases"] == ["GHSA-1", "PYSEC-1"]
  assert ham["affected"] == ["<1.2", ">=2.0rc1,<=2.0.9"]
  assert ham["fixed"] == ["1.2"]
  assert written["advisories"][0]["affected"] == ["==1.0", "==1.1"]


def test_without_a_network_refresh_says_so_and_keeps_the_list(audit, tmp_path):
  code, text = audit(
    ["ham==1.2"], [_ADVISORY], options=("--refresh", "--osv", "http://127.0.0.1:9")
  )
  assert code == 2
  assert "does not answer" in text
  assert "Without a network, leave out --refresh." in text
  assert json.loads((tmp_path / "advisories.json").read_text())["advisories"] == [_ADVISORY]
