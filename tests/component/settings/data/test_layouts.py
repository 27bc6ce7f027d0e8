"""Every layout reads the options that it says it reads, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.tasks import get_task

# What cannot be guessed.
_TOLD = {("translation", "aligned"): ("data.source_language=en", "data.target_language=de")}


class _Recording(dict):
  """Options that remember which of them were asked for."""

  def __init__(self, values: Mapping[str, Any]):
    super().__init__(values)
    self.asked: set[str] = set()

  def __getitem__(self, name):
    self.asked.add(name)
    return super().__getitem__(name)

  def get(self, name, default=None):
    self.asked.add(name)
    return super().get(name, default)


def test_a_layout_reads_what_it_says_that_it_reads(task_name, layout, desk):
  data = desk.input(layout)
  inputs = desk.run(task_name, *_TOLD.get((task_name, layout), ()), data=data)
  assert inputs.source is inputs.task.sources[layout]
  options = _Recording(inputs.config.data_options(inputs.task))
  records, _ = desk.read_as(inputs, options)
  assert len(records) == 8
  assert options.asked == {*inputs.source.options, *inputs.task.input.bounds}


def test_every_layout_is_among_those_that_were_tried(layouts):
  known = {
    (name, layout)
    for name in ("images", "sentiment", "translation")
    for layout in get_task(name).sources
  }
  assert known - layouts == {("images", "idx")}
  assert get_task("images").sources["idx"].options == ()
