"""The charts: well-formed SVG whose shapes stand where the numbers say."""

import xml.etree.ElementTree as ET

import pytest

from pipeline.report import charts, matrix
from pipeline.report import svg as parts


def _shapes(svg, tag, css):
  return [e for e in ET.fromstring(svg).iter(tag) if e.get("class") == css]


def _texts(svg):
  return [e.text for e in ET.fromstring(svg).iter("text")]


@pytest.mark.parametrize(
  ("low", "high", "ticks"),
  [
    (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    (0.31, 2.4, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]),
    (120.0, 480.0, [100.0, 200.0, 300.0, 400.0, 500.0]),
    (-1.0, 1.0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
  ],
)
def test_ticks_are_round_and_enclose(low, high, ticks):
  assert parts.nice_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0, 1e-9, 1e9])
def test_ticks_of_a_constant_still_have_a_height(value):
  ticks = parts.nice_ticks(value, value)
  assert len(ticks) >= 2
  assert ticks[0] < value < ticks[-1]


def test_line_chart_places_points_and_leaves_gaps():
  values = [1.0, 0.0, float("nan"), 0.5, None, 0.25]
  svg = charts.line_chart("loss", [charts.Series("train", "train", values)], breaks=[])
  (line,) = _shapes(svg, "polyline", "train")
  first, second = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
  assert first[1] == charts._TOP
  assert second[1] == charts._LINE_HEIGHT - charts._BOTTOM
  dots = _shapes(svg, "circle", "train")
  assert [dot[0].text for dot in dots] == [
    "epoch 1: train 1", "epoch 2: train 0", "epoch 4: train 0.5", "epoch 6: train 0.25",
  ]  # fmt: skip
  assert ET.fromstring(svg).get("aria-label") == "loss by epoch. train ends at 0.25."


def test_line_chart_of_one_epoch_is_a_dot_in_the_middle():
  svg = charts.line_chart("loss", [charts.Series("val", "val", [0.4])], breaks=[])
  (dot,) = _shapes(svg, "circle", "val")
  assert float(dot.get("cx")) == (charts._LEFT + charts._LINE_WIDTH - charts._RIGHT) / 2
  assert not _shapes(svg, "polyline", "val")


def test_line_chart_marks_where_a_phase_begins():
  series = [charts.Series("train", "train", [3.0, 2.0, 1.0, 0.5])]
  svg = charts.line_chart("loss", series, breaks=[(0, "head"), (2, "fine-tune")])
  assert len(_shapes(svg, "line", "break")) == 1
  assert {"head", "fine-tune"} <= set(_texts(svg))


def test_confusion_matrix_shades_by_the_share_of_the_row():
  svg = matrix.confusion_matrix(["cat", "dog"], [[8, 2], [0, 0]])
  (hit,) = _shapes(svg, "rect", "hit")
  (miss,) = _shapes(svg, "rect", "miss")
  assert float(hit.get("fill-opacity")) == pytest.approx(0.82, abs=0.01)
  assert float(miss.get("fill-opacity")) == pytest.approx(0.30, abs=0.01)
  assert miss[0].text == "cat taken for dog: 2 of 10"
  assert hit.get("y") == miss.get("y")
  assert float(miss.get("x")) - float(hit.get("x")) == 36


def test_confusion_matrix_of_a_hundred_labels_keeps_them_apart():
  labels = [f"species number {i}" for i in range(100)]
  counts = [[int(i == j) for j in range(100)] for i in range(100)]
  svg = matrix.confusion_matrix(labels, counts)
  hits = _shapes(svg, "rect", "hit")
  assert len(hits) == 100
  assert float(hits[1].get("x")) - float(hits[0].get("x")) == 12
  shown = [e.text for e in ET.fromstring(svg).iter("text") if "dense" in (e.get("class") or "")]
  assert len(set(shown)) == 100
  assert max(map(len, shown)) <= 16
  assert float(ET.fromstring(svg).get("width")) < 1500


def test_labels_cannot_inject_markup():
  svg = matrix.confusion_matrix(["<script>x</script>", 'a"b'], [[1, 1], [1, 1]])
  assert "<script" not in svg
  assert "<script>x</script>" in [e.text for e in ET.fromstring(svg).iter("title")]


def test_reliability_bars_are_as_tall_as_the_accuracy():
  bins = [
    {"low": 0.0, "high": 0.5, "count": 10, "confidence": 0.3, "accuracy": 0.25},
    {"low": 0.5, "high": 1.0, "count": 40, "confidence": 0.9, "accuracy": 1.0},
  ]
  svg = charts.reliability_diagram(bins)
  low, high = _shapes(svg, "rect", "train")
  few, many = _shapes(svg, "rect", "quiet")
  assert float(high.get("height")) == pytest.approx(4 * float(low.get("height")), abs=0.1)
  assert float(many.get("height")) == pytest.approx(4 * float(few.get("height")), abs=0.1)
  assert high[0].text == "confidence 0.5 to 1: accuracy 1, 40 predictions"


@pytest.mark.parametrize(
  ("value", "most", "width"), [(1, 4, "25"), (5, 4, "100"), (0, 0, "0"), (-1, 4, "0")]
)
def test_bar_stays_within_its_track(value, most, width):
  (filled,) = _shapes(charts.bar(value, most, "train"), "rect", "train")
  assert filled.get("width") == width


def test_a_scatter_stands_where_the_numbers_say_and_a_right_answer_on_the_diagonal():
  svg = charts.scatter([[0.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
  dots = [(float(e.get("cx")), float(e.get("cy"))) for e in _shapes(svg, "circle", "train")]
  (left, bottom), (right, top), corner = dots
  assert corner == (left, top)
  assert left < right
  assert top < bottom
  [diagonal] = _shapes(svg, "line", "ideal")
  ends = [float(diagonal.get(name)) for name in ("x1", "y1", "x2", "y2")]
  assert ends == [left, bottom, right, top]


def test_the_last_number_below_a_scatter_is_not_cut_off():
  svg = charts.scatter([[0.0, 0.0], [2000.0, 2000.0]])
  anchors = [e.get("text-anchor") for e in ET.fromstring(svg).iter("text") if e.text == "2,000"]
  assert anchors == ["end", "end"]  # beside the axis, and below it


def test_a_scatter_of_one_answer_can_be_drawn():
  assert "<circle" in charts.scatter([[3.0, 3.0]])


def test_the_chosen_epoch_is_marked_where_it_stands():
  series = [charts.Series("val", "val", [3.0, 1.0, 2.0, 4.0, 5.0])]
  svg = charts.line_chart("loss", series, breaks=[], chosen=1)
  [mark] = _shapes(svg, "line", "chosen")
  [_, dot, *_] = _shapes(svg, "circle", "val")
  assert mark.get("x1") == mark.get("x2") == dot.get("cx")
  assert "chosen" in _texts(svg)
  assert ET.fromstring(svg).get("aria-label").endswith("The weights of position 2 were chosen.")


def test_an_xy_chart_stands_where_the_numbers_say():
  points = [[0.0, 0.0, 0.9], [0.25, 0.5, 0.6], [1.0, 1.0, 0.1]]
  svg = charts.xy_chart(
    "ROC", [charts.Curve("cat", "train", points)], x_name="alarms", y_name="hits", has_diagonal=True
  )
  [line] = _shapes(svg, "polyline", "train")
  (left, bottom), (x, y), (right, top) = (
    tuple(map(float, point.split(","))) for point in line.get("points").split()
  )
  assert x == pytest.approx(left + (right - left) / 4, abs=0.1)
  assert y == pytest.approx((bottom + top) / 2, abs=0.1)
  [diagonal] = _shapes(svg, "line", "ideal")
  ends = [float(diagonal.get(name)) for name in ("x1", "y1", "x2", "y2")]
  assert ends == [left, bottom, right, top]
  titles = [dot[0].text for dot in _shapes(svg, "circle", "train")]
  assert titles[1] == "cat: alarms 0.25, hits 0.5, score at least 0.6"


def test_a_histogram_shows_shares_of_each_split():
  svg = charts.histogram(
    {
      "name": "words",
      "edges": [0, 10, 20],
      "splits": {"train": [30, 10], "val": [], "eval": [0, 4]},
    }
  )
  [train], [val] = _shapes(svg, "polyline", "train"), _shapes(svg, "polyline", "val")
  heights = [
    [float(point.split(",")[1]) for point in line.get("points").split()] for line in (train, val)
  ]
  top, bottom = charts._TOP, 200 - charts._BOTTOM
  assert heights[1] == [bottom, bottom, top, top]
  assert heights[0][0] == pytest.approx(bottom - 0.75 * (bottom - top), abs=0.1)
  assert ET.fromstring(svg).get("aria-label") == "words: shares of train, eval by bin."


def test_cells_that_link_can_be_reached_by_keyboard():
  svg = matrix.confusion_matrix(["cat", "dog"], [[8, 2], [0, 5]], {("cat", "dog"): "#cell-0"})
  root = ET.fromstring(svg)
  assert root.get("role") == "group"  # the parts of an image cannot be reached
  [link] = root.iter("a")
  assert link.get("href") == "#cell-0"
  assert link.get("aria-label") == "cat taken for dog: 2 of 10, with examples"
  [square, _] = link
  assert square.get("class") == "miss"


def test_a_large_matrix_says_the_fullest_cells_and_colours_all():
  size = 100
  counts = [[1 + i * size + j for j in range(size)] for i in range(size)]
  svg = matrix.confusion_matrix([f"l{n}" for n in range(size)], counts)
  assert len(svg) < 600_000
  squares = _shapes(svg, "rect", "miss") + _shapes(svg, "rect", "hit")
  quiet = _shapes(svg, "path", "miss") + _shapes(svg, "path", "hit")
  assert len(squares) + sum(path.get("d").count("M") for path in quiet) == size * size
  assert "l99 taken for l99: 10,000 of 995,050" in {square[0].text for square in squares}
