"""A report of 100,000 eval rows: small, quick, and its numbers are those of the predictions."""

import json
import re
import time

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn import metrics

from dlpipe.words import number
from pipeline.problems import classes
from pipeline.problems import rows as of_problems
from pipeline.report import render
from pipeline.rows import chosen
from pipeline.rows.files import FILE, SHOWN_FILE
from pipeline.rows.reasons import Reasons
from pipeline.runs import report_data
from pipeline.runs import result as results
from pipeline.runs.shown.previous import Previous
from pipeline.runs.shown_rows import shown_rows

_ROWS, _CLASSES = 100_000, 100
_MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
  """Directories of predictions of two models, and the table and the scores of the second."""
  random = np.random.default_rng(1)
  names = [f"species {n}" for n in range(_CLASSES)]
  truth = random.integers(0, _CLASSES, _ROWS)
  found = []
  for strength in (2.5, 3.0):
    logits = random.normal(size=(_ROWS, _CLASSES))
    logits[np.arange(_ROWS), truth] += strength
    scores = np.exp(logits)
    scores /= scores.sum(1, keepdims=True)
    scores = scores.astype(np.float32)
    said = scores.argmax(1)
    table = pa.table(
      {
        "origin": [f"data.csv, row {n}" for n in range(_ROWS)],
        "split": ["eval"] * _ROWS,
        "input": [f"text {n} " + "word " * 180 for n in range(_ROWS)],
        "label": np.array(names)[truth],
        "predicted": np.array(names)[said],
        "score": scores.max(1),
        "scores": pa.ListArray.from_arrays(
          np.arange(0, _ROWS * _CLASSES + 1, _CLASSES, dtype=np.int32), scores.ravel()
        ),
        "loss": -np.log(scores[np.arange(_ROWS), truth].astype(np.float64)),
        "right": truth == said,
      }
    ).replace_schema_metadata(
      {of_problems.LABELS: json.dumps(names), of_problems.MEASURE: b"score"}
    )
    directory = tmp_path_factory.mktemp("predictions")
    parquet.write_table(table, directory / FILE)
    (directory / SHOWN_FILE).write_text("{}")
    reasons = {
      number: {
        "label": table["predicted"][number].as_py(),
        "explained": float(logits[number, said[number]]),
        "words": [(f"{n}".rjust(24, "w"), (-1) ** n * (1 - n / 100)) for n in range(20)],
      }
      for number in chosen.to_explain(table)
    }
    Reasons(reasons=reasons).write(directory)
    found.append(directory)
  return found, table, scores


@pytest.fixture(scope="module")
def report(scored):
  """The page, its data, and the CPU seconds that both took."""
  (before, now), table, _ = scored
  began = time.process_time()
  shown = shown_rows(
    now,
    input_kind="text",
    data_path="data.csv",
    one_class=True,
    previous=Previous(run_id="r0", predictions=before),
  )
  names = json.loads(table.schema.metadata[of_problems.LABELS])
  confusion = metrics.confusion_matrix(table["label"], table["predicted"], labels=names).tolist()
  data = report_data.ReportData(
    result=results.RunResult(
      run_id="r1", task="animals", state=results.PUSHED, pushed_version=1, serving_dir="s",
      metrics={}, gates=[], components=[], examples={}, report=None,
    ),
    started="now",
    data_path="data.csv",
    evaluation={
      "metrics": {"accuracy": 0.5},
      "labels": names,
      "confusion": confusion,
      "per_class": classes.per_class(confusion, names),
    },
    **shown,
  )  # fmt: skip
  html = render.render(data)
  return html, data, time.process_time() - began


def test_it_is_below_five_megabytes(report):
  html, _, seconds = report
  assert len(html.encode()) < _MOST_BYTES
  # Far more than it takes; a page that reads each row in Python would take minutes.
  assert seconds < 60


def test_its_numbers_are_those_of_the_predictions(report, scored):
  html, data, _ = report
  _, table, scores = scored
  names = json.loads(table.schema.metadata[of_problems.LABELS])
  truth = np.array([names.index(label) for label in table["label"].to_pylist()])
  for each in data.curves["labels"]:
    place = names.index(each["label"])
    area = metrics.roc_auc_score(truth == place, scores[:, place])
    average = metrics.average_precision_score(truth == place, scores[:, place])
    assert f"{each['label']}: AUC {area:.4f}, n {(truth == place).sum():,}" in html
    assert f"{each['label']}: average precision {average:.4f}" in html
  right = table["right"].to_numpy()
  sure = table["score"].to_numpy() >= 0.5
  [row] = re.findall(r'<th scope="row" class="n">0.5</th>(.*?)</tr>', html)
  cells = re.findall(r">([^<]+)</td>", row)
  assert cells == [
    f"{sure.sum():,}",
    f"{100 * sure.mean():.1f}%",
    f"{100 - 100 * right[sure].mean():.1f}%",
  ]


def test_reasons_are_those_of_the_artifact(report, scored):
  html, _, _ = report
  reasons = Reasons.read(scored[0][1]).reasons
  assert len(reasons) == chosen.EXPLAINED
  for reason in reasons.values():
    assert f"in all {number(reason['explained'])}</span>" in html
  said = {f"{part:+.3g}" for _, part in next(iter(reasons.values()))["words"]}
  shown = re.findall(r'<span class="part [^>]*>w*\d+ ([-+.\d]+)</span>', html)
  # Six words for and three against, of each row wherever it stands.
  assert len(shown) == 9 * html.count("in all ")
  assert {*shown} <= said


def test_what_flipped_is_counted_over_all_rows(report, scored):
  html, _, _ = report
  (before, _), table, _ = scored
  was, now = parquet.read_table(before / FILE)["right"].to_numpy(), table["right"].to_numpy()
  assert "asked about 100,000 of the 100,000 examples of eval" in html
  assert f"<dt>right now</dt><dd>{(now & ~was).sum():,}</dd>" in html
  assert f"<dt>wrong now</dt><dd>{(~now & was).sum():,}</dd>" in html
