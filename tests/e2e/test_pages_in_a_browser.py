"""The pages of a run in a real browser: from a number to the file on disk, and at every width."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest

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
  page.wait("document.getElementById('about').textContent.includes('nded')")
  with pytest.raises(urllib.error.URLError):
    urllib.request.urlopen(address, timeout=30)
