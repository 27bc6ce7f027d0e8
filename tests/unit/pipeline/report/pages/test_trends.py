"""A trend shows each run at its place, with its interval, its bound and what became of it."""

import re
import xml.etree.ElementTree as ET

import pytest

from pipeline.report.pages.trends import Point, trend_chart


def _drawn(points, bound=None):
  svg = ET.fromstring(trend_chart("accuracy", points, bound=bound))
  circles = [(c.get("class"), float(c.get("cx")), float(c.get("cy"))) for c in svg.iter("circle")]
  lines = {}
  for line in svg.iter("line"):
    ends = tuple(float(line.get(key)) for key in ("x1", "y1", "x2", "y2"))
    lines.setdefault(line.get("class"), []).append(ends)
  return svg, circles, lines


def test_runs_stand_in_their_order_and_higher_is_better():
  points = [
    Point(name="r1", value=0.5),
    Point(name="r2", value=0.7, passed=False),
    Point(name="r3", value=0.9, interval=(0.8, 1.0), is_live=True),
  ]
  svg, circles, lines = _drawn(points, bound=0.6)
  assert [kind for kind, _, _ in circles] == ["passed", "refused", "live"]
  assert [x for _, x, _ in circles] == sorted(x for _, x, _ in circles)
  heights = [y for _, _, y in circles]
  assert heights == sorted(heights, reverse=True)
  [(x1, y1, x2, y2)] = lines["interval"]
  assert x1 == x2 == circles[2][1]
  assert y2 < circles[2][2] < y1
  [(_, bound, _, _)] = lines["bound"]
  assert heights[1] < bound < heights[0]
  assert svg.get("aria-label") == "accuracy of 3 runs; the latest is 0.9."


@pytest.mark.parametrize("count", [1, 2, 500])
def test_any_number_of_runs_stays_inside(count):
  points = [Point(name=f"r{n}", value=1e-3 * n, interval=(-1.0, 2.0)) for n in range(count)]
  svg, circles, lines = _drawn(points)
  width, height = map(float, svg.get("viewBox").split()[2:])
  assert len(circles) == len(lines["interval"]) == count
  assert all(0 <= x <= width and 0 <= y <= height for _, x, y in circles)
  assert all(0 <= y <= height for each in lines["interval"] for y in (each[1], each[3]))


def test_names_are_escaped():
  text = trend_chart("a<b", [Point(name='"r" & <s>', value=1.0)], bound=None)
  assert not re.search(r"<s>|a<b", text)
