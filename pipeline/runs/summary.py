"""The end of a run in words: the lines that every terminal prints last. Pure text, no rich."""

from __future__ import annotations

import dataclasses
import math
import os
import textwrap
from collections.abc import Mapping
from typing import Any

from components.versioned_pusher.candidates import CANDIDATES
from dlpipe import nodes
from dlpipe.verdicts import Ruling
from dlpipe.words import duration, memory, number, one_line
from dlpipe.workspace import TaskFolder
from pipeline.runs import result as results
from pipeline.runs.result import RunResult

PLAIN, GOOD, BAD, FAINT = "plain", "good", "bad", "faint"
_LABEL_WIDTH = 12
_DATA_GATE = nodes.DATA_GATE.id
_DONE = (nodes.COMPLETE, nodes.CACHED)


@dataclasses.dataclass(frozen=True)
class Line:
  """One line of text and the tone to show it in: PLAIN, GOOD, BAD or FAINT."""

  text: str
  tone: str = PLAIN


def summary_lines(result: RunResult, *, log_file: str, seconds: float, width: int) -> list[Line]:
  """Returns the end of a run: verdict, metrics, gates, paths, and the next command to try.

  Args:
    result: the run.
    log_file: path of the run's log.
    seconds: wall time of the whole run.
    width: columns to wrap sentences at; paths and commands are never broken.
  """
  head = _wrapped(f"{verdict(result)} ({duration(seconds)})", width, indent="")
  lines = [Line(text, _tone(result)) for text in head]
  if result.error and not gates_say_it(result):
    lines += [Line(text, BAD) for text in _wrapped(result.error, width, indent="")]
  if result.metrics:
    pairs = [f"{name} {number(value)}" for name, value in result.metrics.items()]
    lines += _labelled("Metrics", _flowed(pairs, width - _LABEL_WIDTH))
  if result.examples:
    pairs = [f"{name} {count:,}" for name, count in result.examples.items()]
    lines += _labelled("Examples", _flowed(pairs, width - _LABEL_WIDTH))
  for index, gate in enumerate(result.gates):
    lines += _gate_lines(gate, width, first=index == 0)
  if result.check is None:  # whose findings follow with their examples
    for finding in result.warnings:
      lines += _warning_lines(finding, width)
  lines += _places(result, log_file)
  if result.cleaned is not None:
    lines += _labelled(
      "Cleaned", _wrapped(_cleaned(result.cleaned), width - _LABEL_WIDTH, indent="")
    )
  command = next_step(result)
  if command:
    lines += [Line(""), Line(f"Next: {command}")]
  return lines


def _cleaned(cleaned: results.Cleaned) -> str:
  """Returns how much `keep` deleted of earlier runs."""
  count = len(cleaned.runs)
  freed, left = memory(cleaned.freed_bytes / 1e6), memory(cleaned.left_bytes / 1e6)
  said = f"{count} earlier run{'s' if count != 1 else ''}, {freed}; {left} stay (keep)"
  if cleaned.over_bytes:
    over = memory(cleaned.over_bytes / 1e6)
    said += f". That is {over} more than keep.max_mb, and protected: dlpipe clean says why"
  return said


def verdict(result: RunResult) -> str:
  """Returns one sentence without its full stop: pushed as which version, refused, failed."""
  if result.candidate:
    return f"Holds the candidate {result.pushed_version}; no server takes it until it is promoted"
  if result.served_version is not None:
    return (
      f"Version {result.pushed_version} was pushed before; version {result.served_version}, "
      "published later, stays served"
    )
  if result.state == results.PUSHED:
    return f"Pushed as version {result.pushed_version}"
  if result.state == results.CACHED:
    if result.pushed_version is None:
      return _as_far_as_asked(result) if left_out(result) else _checked(result)
    return f"Nothing to do: version {result.pushed_version} is current"
  if result.state == results.REFUSED_DATA:
    return "Refused the data; nothing was trained on it"
  if result.state == results.REFUSED_MODEL:
    return "Refused the model; nothing was pushed"
  return "The run failed"


def is_good(result: RunResult) -> bool:
  """Returns whether all went well: a check that found something worth a warning did not quite."""
  only_checked = result.state == results.CACHED and result.pushed_version is None
  return result.exit_code == 0 and not (only_checked and (result.warnings or not _judged(result)))


def _tone(result: RunResult) -> str:
  if result.exit_code:
    return BAD
  return GOOD if is_good(result) else PLAIN


def _checked(result: RunResult) -> str:
  """Returns the verdict on data that nothing was trained on."""
  if not _judged(result):
    return f"Stopped before {_DATA_GATE}: the data was not checked"
  count = len(result.warnings)
  if count:
    return f"The data can be trained on, with {count} warning{'s' if count != 1 else ''}"
  return "Every check passed"


def _judged(result: RunResult) -> bool:
  return any(each.id == _DATA_GATE and each.state in _DONE for each in result.components)


def next_step(result: RunResult) -> str | None:
  """Returns the next command to try, or how to mend the failure; the result's own hint wins."""
  if result.hint or result.exit_code != 0:
    return result.hint
  if result.pushed_version is None:
    but = " but without --from and --until" if left_out(result) else ""
    return f"dlpipe run {result.task}, with the same options{but}"
  return f"dlpipe predict {result.task} FILE"


def left_out(result: RunResult) -> list[str]:
  """Returns the nodes that did not run; in a run that succeeded, nobody asked for them."""
  return [c.id for c in result.components if c.state == nodes.SKIPPED]


def _as_far_as_asked(result: RunResult) -> str:
  ran = [c.id for c in result.components if c.state == nodes.COMPLETE]
  cached = [c.id for c in result.components if c.state == nodes.CACHED]
  parts = [f"ran {', '.join(ran)}"] if ran else []
  parts += [f"took {', '.join(cached)} from before"] if cached else []
  parts.append(f"left out {', '.join(left_out(result))}")
  done = "; ".join(parts)
  return f"Went as far as asked: {done}. Nothing was pushed"


def gates_say_it(result: RunResult) -> bool:
  """Returns whether the failed gates, shown with their reasons, make the error a repetition."""
  return result.state == results.REFUSED_MODEL and any(not gate.passed for gate in result.gates)


def gate_sentence(gate: Ruling) -> str:
  """Returns, for example, `accuracy 0.31 (0.2 to 0.44), must be >= 0.9: <reason>`."""
  value = "not measured"
  if gate.value is not None and not math.isnan(gate.value):
    value = number(gate.value)
    if gate.interval is not None:
      value += " ({} to {})".format(*map(number, gate.interval))
  bound = gate.bound if isinstance(gate.bound, str) else number(gate.bound)
  reason = f": {gate.reason}" if gate.reason else ""
  return f"{gate.metric} {value}, must be {bound}{reason}"


def _gate_lines(gate: Ruling, width: int, *, first: bool) -> list[Line]:
  word = "passed" if gate.passed else "FAILED"
  label = ("Gates" if first else "").ljust(_LABEL_WIDTH)
  hanging = " " * (_LABEL_WIDTH + 8)
  # The report has every reason; here those that matter now would be lost among them.
  told = dataclasses.replace(gate, reason="") if gate.passed else gate
  wrapped = _wrapped(one_line(gate_sentence(told)), width, indent=hanging)
  head = f"{label}{word}  {wrapped[0].strip()}"
  return [Line(text, PLAIN if gate.passed else BAD) for text in [head, *wrapped[1:]]]


def _warning_lines(finding: Mapping[str, Any], width: int) -> list[Line]:
  indent = " " * _LABEL_WIDTH
  lines = _wrapped(one_line(finding["what"]), width, indent=indent)
  lines[0] = f"{'Warning':<{_LABEL_WIDTH}}{lines[0].strip()}"
  for detail in finding["details"]:
    lines += _wrapped(f"- {one_line(detail)}", width, indent=indent)
  if finding["advice"]:
    lines += _wrapped(finding["advice"], width, indent=indent)
  return [Line(text) for text in lines]


def _places(result: RunResult, log_file: str) -> list[Line]:
  lines = []
  if result.pushed_version is not None:
    place = CANDIDATES if result.candidate else ""
    lines += _labelled(
      "Model", [_shown(os.path.join(result.serving_dir, place, str(result.pushed_version)))]
    )
  if result.report:
    lines += _labelled("Report", [_shown(result.report)])
  if result.examples.get("quarantined"):
    folder = TaskFolder.of_serving(result.serving_dir)
    lines += _labelled("Quarantine", [_shown(str(folder.quarantine(result.run_id)))])
  if log_file:
    lines += _labelled("Log", [_shown(log_file)])
  return lines


def _shown(path: str) -> str:
  """Returns the path relative to the working directory if it is below it, else absolute."""
  relative = os.path.relpath(path)
  return one_line(path if relative.startswith(os.pardir) else relative)


def _labelled(label: str, texts: list[str]) -> list[Line]:
  labels = [label] + [""] * (len(texts) - 1)
  return [Line(f"{name:<{_LABEL_WIDTH}}{text}") for name, text in zip(labels, texts, strict=True)]


def _flowed(items: list[str], width: int) -> list[str]:
  """Returns items side by side, three spaces between, in lines of at most `width`."""
  lines = [""]
  for item in items:
    joined = f"{lines[-1]}   {item}" if lines[-1] else item
    if lines[-1] and len(joined) > width:
      lines.append(item)
    else:
      lines[-1] = joined
  return lines


def _wrapped(text: str, width: int, *, indent: str) -> list[str]:
  lines = []
  for paragraph in text.splitlines() or [""]:
    lines += textwrap.wrap(
      one_line(paragraph),
      width,
      initial_indent=indent,
      subsequent_indent=indent,
      break_long_words=False,
      break_on_hyphens=False,
    ) or [""]
  return lines
