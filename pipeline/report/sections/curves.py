"""Curves over the scores of the predictions: thresholds, risk, ROC, precision and recall."""

from __future__ import annotations

from typing import Any

from pipeline.report import charts
from pipeline.runs.report_data import ReportData

_COLOURS = ("train", "val", "third", "fourth")


def curves(data: ReportData) -> dict[str, Any] | None:
  """Returns the charts, each with its areas, and the table of thresholds."""
  found = data.curves
  if found is None:
    return None
  labels = found["labels"]
  shown = []
  if labels:
    shown = [
      {
        "name": "ROC: hits by false alarms",
        "svg": charts.xy_chart(
          "ROC curves",
          _curves(labels, "roc"),
          x_name="false alarms",
          y_name="hits",
          has_diagonal=True,
        ),
        "keys": _keys(labels, "auc", "AUC"),
      },
      {
        "name": "Precision by recall",
        "svg": charts.xy_chart(
          "Precision and recall", _curves(labels, "pr"), x_name="recall", y_name="precision"
        ),
        "keys": _keys(labels, "average_precision", "average precision"),
      },
    ]
  answers = found["answers"]
  if answers is not None:
    points = answers["coverage"]
    shown.append(
      {
        "name": "Risk by coverage",
        "svg": charts.xy_chart(
          "Risk by coverage",
          [charts.Curve("answered", "val", points)],
          x_name="part answered",
          y_name=answers["risk"],
          most=max(max(point[1] for point in points), 0.01),
        ),
        "keys": [
          {"css": "val", "words": f"surest first; area {answers['area']:.4f}"},
        ],
      }
    )
    if answers["thresholds"]:
      shown.append(_by_threshold(points, answers["risk"]))
  return {"shown": shown, "answers": answers, "split": found["split"], "labels": labels}


def _by_threshold(points: list[list[float]], risk: str) -> dict[str, Any]:
  """Returns the chart of what a threshold on the score would do."""
  rising = points[::-1]
  lines = [
    charts.Curve("part answered", "train", [[least, part, part] for part, _, least in rising]),
    charts.Curve(risk, "val", [[least, wrong, part] for part, wrong, least in rising]),
  ]
  return {
    "name": "By threshold on the score",
    "svg": charts.xy_chart(
      "By threshold", lines, x_name="threshold", y_name="share", at="part answered"
    ),
    "keys": [{"css": line.css_class, "words": line.name} for line in lines],
  }


def _curves(labels: list[dict[str, Any]], kind: str) -> list[charts.Curve]:
  return [
    charts.Curve(each["label"], colour, each[kind])
    for each, colour in zip(labels, _COLOURS, strict=False)
  ]


def _keys(labels: list[dict[str, Any]], area: str, words: str) -> list[dict[str, str]]:
  return [
    {"css": colour, "words": f"{each['label']}: {words} {each[area]:.4f}, n {each['positives']:,}"}
    for each, colour in zip(labels, _COLOURS, strict=False)
  ]
