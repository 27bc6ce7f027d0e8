"""The pages of a run in a real browser: from a number to the file on disk, and at every width."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest

from dlpipe import words
from pipeline.execution import events
from pipeline.execution.live.server import LivePage

pytestmark = pytest.mark.e2e

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_CELL = "svg a:has(> rect.miss)"
_IN_CELL = ":target a[href^='file:']:not([tabindex])"


@pytest.fixture(scope="module")
def report(first_run):
  """The report of a tiny run on the shipped digits."""
  _, done = first_run
  return pathlib.Path(done.result["report"])


@pytest.fixture(scope="module")
def data_page(first_run, run_dlpipe):
  """The page of a check of the same data."""
  workspace, _ = first_run
  done = run_dlpipe("check", "images", "--tiny", "--workspace", workspace, "--json")
  assert done.code == 0, done.stderr
  return pathlib.Path(done.result["check"]["page"])


def test_from_a_cell_of_the_matrix_to_the_file_in_two_clicks(tab, report, run_dlpipe, first_run):
  page = tab(report.as_uri())
  said = page.js(f"document.querySelector({_CELL!r}).getAttribute('aria-label')")
  label, _, rest = said.partition(" taken for ")
  predicted, _, counts = rest.partition(": ")
  # By keyboard: focus and Enter, what a click does, too.
  page.js(f"document.querySelector({_CELL!r}).focus()")
  page.press("Enter")
  page.wait("location.hash.startsWith('#cell-')")
  assert page.text(":target h3") == f"{label} taken for {predicted}"
  page.js(f"document.querySelector({_IN_CELL!r}).focus()")
  page.press("Enter")
  page.wait("document.contentType === 'image/png'")
  file = pathlib.Path(urllib.parse.unquote(urllib.parse.urlsplit(page.js("location.href")).path))
  assert file.parent.name == label
  # One fact: the cell counts the rows that the predictions hold.
  workspace, first = first_run
  where = f"split == 'eval' and label == '{label}' and predicted == '{predicted}'"
  rows = run_dlpipe(
    "runs", "rows", first.result["run_id"], "--workspace", workspace, "--where", where, "--json"
  ).result
  assert counts.split(" ")[0] == str(rows["count"])
  assert f"{file.parent.name}/{file.name}" in {row["file"] for row in rows["rows"]}


def test_a_map_says_why_beside_each_mistake(tab, report):
  page = tab(report.as_uri(), width=390, height=900, phone=True)
  mistakes = "section[aria-labelledby=h-pictures] .shown"
  count = page.js(f"document.querySelectorAll({mistakes!r}).length")
  assert count == page.js(f"document.querySelectorAll('{mistakes} > .map').length") > 0
  boxes = (
    f"[...document.querySelectorAll({mistakes!r})].map(each => [...each.querySelectorAll('img')]"
    ".map(img => img.naturalWidth && JSON.stringify(img.getBoundingClientRect())))"
  )
  assert all(picture == drawn != 0 for picture, drawn in page.js(boxes))
  shown = f"getComputedStyle(document.querySelector('{mistakes} > .map')).visibility"
  assert page.js(shown) == "visible"
  page.js("document.querySelector('section[aria-labelledby=h-pictures] .switch input').focus()")
  page.press(" ")
  assert page.js(shown) == "hidden"


@pytest.mark.parametrize("width", [1100, 700, 390])
@pytest.mark.parametrize("name", ["report", "data_page"])
def test_a_page_fits_and_loads_nothing(tab, request, name, width):
  file = request.getfixturevalue(name)
  page = tab(file.as_uri(), width=width, height=900, phone=width < 500)
  assert page.js("document.documentElement.scrollWidth") <= width
  assert {address for address in page.requests() if not address.startswith("data:")} == {
    file.as_uri()
  }
  assert page.complaints() == []


def test_the_page_on_the_data_shows_each_class_and_leads_to_files(tab, data_page):
  page = tab(data_page.as_uri())
  heads = page.js("[...document.querySelectorAll('.samples h3')].map(h => h.innerText).sort()")
  assert heads == [str(digit) for digit in range(10)]
  assert page.js("[...document.querySelectorAll('.samples img')].every(i => i.naturalWidth > 0)")
  page.js("document.querySelector(\".samples a[href^='file:']:not([tabindex])\").focus()")
  page.press("Enter")
  page.wait("document.contentType === 'image/png'")


def test_the_live_page_says_numbers_as_the_terminal_does(tab):
  values = (0.0, 1.0, -3.0, 0.5, 0.98765, 0.000123456, 0.00001234, 1e-12, 9999.4, 9999.6, 12345.67)
  times = (0.04, 9.94, 9.96, 59.4, 59.6, 60, 119.6, 3599.4, 3599.6, 7199.9, 86400)
  sizes = (1.4, 999.4, 999.6, 1449.0)
  with contextlib.closing(LivePage()) as page:
    shown = tab(page.address)
    for name, function, given in (
      ("number", words.number, values),
      ("duration", words.duration, times),
      ("memory", words.memory, sizes),
      ("left", lambda given: words.left(given).removesuffix(" left"), (-1, 42.3, 700, 9000)),
    ):
      said = shown.js(f"{json.dumps(given)}.map({name})")
      assert said == [function(value) for value in given]


@pytest.mark.parametrize("width", [1400, 768, 360])
def test_the_live_page_fits_and_breaks_no_word(tab, width):
  with contextlib.closing(LivePage()) as page:
    page.watched(events.RunStarted("r1", "images", ("SourceExampleGen", "Trainer"), "run.log"))
    page.watched(events.ComponentStarted("SourceExampleGen"))
    page.watched(events.ComponentFinished("SourceExampleGen", "COMPLETE", 83.0, 1912.0))
    page.watched(events.ComponentStarted("Trainer"))
    page.watched(events.Progress("Trainer", "train epoch 1/2  loss 0.04286 " + "x" * 200, {}))
    told = {"phase": "train", "epoch": 1, "epochs": 2, "left_s": 9.0, "loss": 0.04286}
    page.watched(events.Progress("Trainer", "train epoch 1/2", told))
    shown = tab(page.address, width=width, height=900, phone=width < 500)
    shown.wait("document.querySelectorAll('#nodes tr').length === 2")
    assert shown.js("document.documentElement.scrollWidth") <= width
    lines = "document.querySelector('#nodes td').getClientRects()[0].height"
    assert shown.js(lines) < 45
    cut = "[...document.querySelectorAll('svg text')].filter(t => t.getBBox().x < 0).length"
    assert shown.js(cut) == 0


def test_the_live_page_shows_phases_and_how_a_run_ended(tab):
  page = LivePage()
  page.watched(events.RunStarted("r1", "images", ("Trainer", "Evaluator"), "run.log"))
  page.watched(events.ComponentStarted("Trainer"))
  for phase, loss in (("head", 0.5), ("head", 0.0004), ("tune", 0.0002)):
    told = {"phase": phase, "epoch": 1, "epochs": 2, "left_s": 700.0, "loss": loss}
    page.watched(events.Progress("Trainer", "an epoch", told))
  shown = tab(page.address)
  shown.wait("document.querySelectorAll('#nodes tr').length === 2")
  assert shown.text("#charts figcaption") == "loss training 0.0002"
  assert "tune" in shown.js("document.querySelector('#charts svg').textContent")
  assert shown.js("document.title") == "images: Trainer"
  assert shown.complaints() == []
  page.close()  # as Ctrl-C does: without a RunFinished
  shown.wait("document.getElementById('about').textContent.startsWith('Ended before its end')")


def test_a_run_can_be_watched_until_it_ends(tab, first_run):
  workspace, first = first_run
  count = len(first.result["components"])
  told = ("run", "images", "--tiny", "--workspace", str(workspace), "--watch", "--json")
  process = subprocess.Popen(
    [sys.executable, "-m", "pipeline.cli.main", *told],
    cwd=_REPOSITORY,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  try:
    said = next(line for line in process.stderr if line.startswith("Watch it at "))
    address = said.split()[-1]
    page = tab(address)
    page.wait(f"document.querySelectorAll('#nodes tr').length === {count}")
    run_id = page.text("#title").removeprefix("images, run ")
    stdout, _ = process.communicate(timeout=600)
  finally:
    process.kill()
  assert process.returncode == 0
  assert json.loads(stdout.splitlines()[-1])["run_id"] == run_id
  page.wait("document.getElementById('about').textContent.startsWith('Ended: ')")
  assert json.loads(stdout.splitlines()[-1])["report"] in page.text("#about")
  with pytest.raises(urllib.error.URLError):
    urllib.request.urlopen(address, timeout=30)
