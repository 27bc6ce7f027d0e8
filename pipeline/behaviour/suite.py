"""`Suite`: the tests of a `behaviour.yaml`, typed and bounded. Imports no framework.

The kinds of tests follow Ribeiro, Wu, Guestrin, Singh 2020, "Beyond Accuracy: Behavioral Testing of
NLP models with CheckList" (invariance, direction, minimum functionality), and Hendrycks, Dietterich
2019, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import pydantic
import pydantic_core

from pipeline.params import Section

# What a change does, by its name. `texts` and `pictures` have the functions.
TEXT_CHANGES: Mapping[str, str] = {
  "upper_case": "letters become capitals",
  "lower_case": "letters become small",
  "title_case": "words begin with a capital",
  "spaces": "spaces are doubled, and stand at both ends",
  "typos": "neighbouring letters of a word are swapped: one pair, two, three",
  "no_final_mark": "the marks at the end are left out",
  "append": "a text follows",
  "prepend": "a text stands before",
  "replace": "words are replaced, in rows that have them",
}
PICTURE_CHANGES: Mapping[str, str] = {
  "blur": "a Gaussian blur of 1, 2 or 4 % of the shorter side",
  "noise": "Gaussian noise of 2, 5 or 10 % of the range",
  "jpeg": "JPEG of quality 60, 30 or 15",
  "brightness": "darker or lighter by 10, 20 or 30 % of the range",
  "contrast": "contrast of 75, 50 or 30 %",
  "rotation": "turned by 5, 10 or 20 degrees to either side",
  "grey": "colours become shades of grey",
  "hue": "colours turn by 30, 60 or 120 degrees of the colour circle",
  "mirror": "left and right are exchanged",
}
STRENGTHS = 3
FEWEST = 10  # rows of eval; fewer are not judged
REFUSED = "behaviour"  # the type of errors that are ours
_WITH_TEXT = ("append", "prepend")
_MOST_CHOICES = 1_000_000_000  # of the words of one text
_SLOT = re.compile(r"\{(\w+)\}")
Texts = Annotated[tuple[str, ...], pydantic.Field(min_length=1)]


def _as_tuple(given: Any) -> Any:
  """Takes a single value for a list of one."""
  return given if isinstance(given, (list, tuple)) or given is None else (given,)


OneOrMore = Annotated[Texts, pydantic.BeforeValidator(_as_tuple)]


def _of_words(texts: tuple[str, ...]) -> tuple[str, ...]:
  """Refuses an empty text: no model is asked about it."""
  if not all(text.strip() for text in texts):
    raise refused("must not hold an empty text")
  return texts


Inputs = Annotated[OneOrMore, pydantic.AfterValidator(_of_words)]


def refused(reason: str) -> pydantic_core.PydanticCustomError:
  """Returns the error for a value that no type excludes."""
  return pydantic_core.PydanticCustomError(REFUSED, "{reason}", {"reason": reason})


class Change(Section):
  """A change of an input; `to` are texts to choose from, `words` a word and its replacements."""

  name: str
  to: tuple[str, ...] = ()
  words: Mapping[str, tuple[str, ...]] = {}

  @pydantic.model_validator(mode="before")
  @classmethod
  def _is_known(cls, given: object) -> object:
    name, value = given, None
    if isinstance(given, Mapping) and set(given) == {"name", "to", "words"}:
      # As `model_dump` writes it.
      name, value = given["name"], given["to"] or given["words"] or None
    elif isinstance(given, Mapping) and len(given) == 1:
      [(name, value)] = given.items()
    if not isinstance(name, str) or name not in {**TEXT_CHANGES, **PICTURE_CHANGES}:
      known = ", ".join((*TEXT_CHANGES, *PICTURE_CHANGES))
      raise refused(f"must be a change: {known}")
    if name in _WITH_TEXT:
      texts = _as_tuple(value)
      if not texts or not all(isinstance(text, str) and text for text in texts):
        raise refused(f"must name a text, as in `{name}: ' That is all.'`")
      return {"name": name, "to": texts}
    if name == "replace":
      return {"name": name, "words": _replacements(value)}
    if value is not None:
      raise refused(f"must be just {name}, without a value")
    return {"name": name}


def _replacements(value: object) -> dict[str, Any]:
  if not isinstance(value, Mapping) or not value:
    raise refused("must map a word to others, as in `replace: {Anna: [Mei, Ahmed]}`")
  found = {word: _as_tuple(others) for word, others in value.items()}
  for word, others in found.items():
    if not isinstance(word, str) or not others or not all(isinstance(o, str) for o in others):
      raise refused("must map a word to one other or more, all of them texts")
    if not word.strip():
      raise refused("must map words, and an empty text is none")
  return found


class OnlyIf(Section):
  """What must be true for a test to make sense; else it is left out, and the report says so.

  Attributes:
    classes: the model has classes, and no others than these.
    words: at least half of the sampled rows hold one of these words: they are of this language.
  """

  classes: OneOrMore | None = None
  words: OneOrMore | None = None


class _Test(Section):
  """What every test has.

  Attributes:
    name: the name in the report and, as `behaviour.<name>`, among the gates.
    reason: why the bound exists.
    at_most: the largest part of the tried cases that may fail; None only measures.
    only_if: when the test makes sense.
    optional: whether a model passes if the test cannot be carried out, with fewer than ten rows.
  """

  KIND: ClassVar[str]

  name: str = pydantic.Field(pattern=r"^\w[\w .-]{0,59}$")
  reason: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=1)]
  at_most: float | None = pydantic.Field(ge=0, le=1, strict=True)
  only_if: OnlyIf = OnlyIf()
  optional: bool = False

  def faults(self, *, kind: str, answers: str) -> Iterator[str]:
    """Yields why a model with this kind of input (`text`, `file`) and answer cannot be tested."""
    if self.only_if.words and kind != "text":
      yield "only_if.words is for tasks whose input is a text"
    if self.only_if.classes and answers != "classes":
      yield "only_if.classes is for answers that are classes"


class _Changed(_Test):
  """What tests have that change inputs.

  Attributes:
    change: the change.
    strength: how strong it is, 1 to 3, where it has strengths.
    texts: inputs instead of rows of eval; `{slot}` stands for one of `words[slot]`.
    words: what the slots stand for.
  """

  change: Change
  strength: int = pydantic.Field(1, ge=1, le=STRENGTHS, strict=True)
  texts: Inputs | None = None
  words: Mapping[str, OneOrMore] = {}

  @pydantic.model_validator(mode="after")
  def _has_words(self) -> _Changed:
    require_words(self.texts or (), self.words)
    return self

  def faults(self, *, kind: str, answers: str) -> Iterator[str]:
    """Yields why the test cannot be carried out, as `_Test.faults` does."""
    yield from super().faults(kind=kind, answers=answers)
    yield from _unfit_change(self.change, kind)
    if self.texts and kind != "text":
      yield "texts are for tasks whose input is a text"


class Invariance(_Changed):
  """The answer must stay the same. A number may move by `within` of the labels' spread."""

  KIND = "invariance"
  kind: Literal["invariance"]
  within: float = pydantic.Field(0.25, ge=0, strict=True)


class Direction(_Changed):
  """The score of a class, or a number, must move in a direction.

  Attributes:
    score: `falls` or `rises`, by at least `by`; `does_not_fall` or `does_not_rise`, but for `by`.
    score_of: the class, or the first of these that the model has; None for that of the row's label.
    by: in scores; of numbers, in spreads of the labels.
  """

  KIND = "direction"
  kind: Literal["direction"]
  score: Literal["falls", "rises", "does_not_fall", "does_not_rise"]
  score_of: OneOrMore | None = None
  by: float = pydantic.Field(0.05, ge=0, strict=True)

  def faults(self, *, kind: str, answers: str) -> Iterator[str]:
    """Yields why the test cannot be carried out, as `_Test.faults` does."""
    yield from super().faults(kind=kind, answers=answers)
    if answers == "text":
      yield "direction is for answers with the scores of classes, or numbers"
    if answers == "number" and self.score_of:
      yield "score_of is for answers with classes"
    if self.texts and answers != "number" and not self.score_of:
      yield "score_of must name a class, since texts of the file have no label"


class Corruption(_Test):
  """Right answers may become fewer by a part of them, at each of three strengths.

  Attributes:
    at_most: the largest part of the right answers that may be lost: one bound for all strengths, or
      three; None only measures.
  """

  KIND = "corruption"
  kind: Literal["corruption"]
  change: Change
  at_most: tuple[float | None, ...] = pydantic.Field(  # type: ignore[assignment]
    min_length=STRENGTHS, max_length=STRENGTHS
  )

  @pydantic.field_validator("at_most", mode="before")
  @classmethod
  def _for_each(cls, given: Any) -> Any:
    bounds = list(given) if isinstance(given, (list, tuple)) else [given] * STRENGTHS
    for bound in bounds:
      is_number = isinstance(bound, (int, float)) and not isinstance(bound, bool)
      if bound is not None and not (is_number and 0 <= bound <= 1):
        raise refused("must be a part from 0 to 1, three of them, or null")
    if len(bounds) != STRENGTHS:
      raise refused(f"must be one bound, or {STRENGTHS}")
    return bounds

  def faults(self, *, kind: str, answers: str) -> Iterator[str]:
    """Yields why the test cannot be carried out, as `_Test.faults` does."""
    yield from super().faults(kind=kind, answers=answers)
    yield from _unfit_change(self.change, kind)
    if answers == "number":
      yield "corruption is for answers that are right or wrong; invariance holds numbers"


class MinimumCase(Section):
  """An input with its right answer.

  Attributes:
    text: the input; `{slot}` stands for one of the test's `words[slot]`.
    file: or a file, relative to the YAML.
    colour: or a picture of one colour, such as `red` or `#ff0000`.
    answer: the right answer, or several that are right.
    contains: or what the answer must contain.
  """

  text: str | None = None
  file: str | None = None
  colour: str | None = None
  answer: OneOrMore | None = None
  contains: OneOrMore | None = None
  content: str | None = None  # of the file, in base64, once it was read

  @pydantic.model_validator(mode="after")
  def _is_whole(self) -> MinimumCase:
    if sum(each is not None for each in (self.text, self.file, self.colour)) != 1:
      raise refused("must have one input: text, file or colour")
    if self.text is not None:
      _of_words((self.text,))
    if (self.answer is None) == (self.contains is None):
      raise refused("must have either answer or contains")
    return self


class Minimum(_Test):
  """Cases with their right answers."""

  KIND = "minimum_functionality"
  kind: Literal["minimum_functionality"]
  cases: tuple[MinimumCase, ...] = pydantic.Field(min_length=1)
  words: Mapping[str, OneOrMore] = {}

  @pydantic.model_validator(mode="after")
  def _has_words(self) -> Minimum:
    for case in self.cases:
      require_words((case.text or "", *(case.answer or ()), *(case.contains or ())), self.words)
    return self

  def faults(self, *, kind: str, answers: str) -> Iterator[str]:
    """Yields why the test cannot be carried out, as `_Test.faults` does."""
    yield from super().faults(kind=kind, answers=answers)
    if answers == "number":
      yield "minimum_functionality is for answers that are classes or texts"
    if kind == "text" and any(case.text is None for case in self.cases):
      yield "the input is a text: each case must have `text`"
    if kind != "text" and any(case.text is not None for case in self.cases):
      yield "the input is a file: each case must have `file` or `colour`"


class Copying(_Test):
  """Numbers or names that stand in the input, and in the right answer, must stand in the answer.

  Attributes:
    what: `numbers`, of digits; `names`, words with a capital.
    texts: inputs instead of rows of eval, all of whose numbers or names are wanted.
    words: as of `_Changed`.
  """

  KIND = "copying"
  kind: Literal["copying"]
  what: Literal["numbers", "names"]
  texts: Inputs | None = None
  words: Mapping[str, OneOrMore] = {}

  @pydantic.model_validator(mode="after")
  def _has_words(self) -> Copying:
    require_words(self.texts or (), self.words)
    return self

  def faults(self, *, kind: str, answers: str) -> Iterator[str]:
    """Yields why the test cannot be carried out, as `_Test.faults` does."""
    yield from super().faults(kind=kind, answers=answers)
    if kind != "text" or answers != "text":
      yield "copying is for models that answer a text with a text"


Test = Invariance | Direction | Minimum | Corruption | Copying
KINDS: Mapping[str, type[Test]] = {
  each.KIND: each for each in (Invariance, Direction, Minimum, Corruption, Copying)
}


class Suite(Section):
  """The content of a `behaviour.yaml`.

  Attributes:
    extends: `task` if the tests of the task's own file come first; those of the same name replace
      them. None if the file stands alone.
    rows: how many rows of eval each test looks at, of those there are.
    seed: of what is random in changes.
    with_tiny: `refuse` as always, or `measure`: a run with --tiny refuses nothing by these tests.
    tests: the tests, in the order of the report.
  """

  extends: Literal["task"] | None = None
  rows: int = pydantic.Field(100, ge=FEWEST, le=1_000, strict=True)
  seed: int = pydantic.Field(1, ge=0, strict=True)
  with_tiny: Literal["refuse", "measure"] = "refuse"
  tests: tuple[Annotated[Test, pydantic.Field(discriminator="kind")], ...] = ()


def require_words(texts: tuple[str, ...], words: Mapping[str, tuple[str, ...]]) -> None:
  """Refuses a slot without words, and a text with too many choices of them."""
  missing = sorted({slot for text in texts for slot in slots(text)} - set(words))
  if missing:
    raise refused(f"{{{missing[0]}}} has no words: add `words: {{{missing[0]}: [...]}}`")
  if any(choices(text, words) > _MOST_CHOICES for text in texts):
    raise refused(f"has a text with more than {_MOST_CHOICES:,} choices of words")


def choices(text: str, words: Mapping[str, tuple[str, ...]]) -> int:
  """Returns in how many ways words fill the slots of a text.

  >>> choices("a {good} {thing}", {"good": ("fine", "great"), "thing": ("film", "plot", "book")})
  6
  """
  return math.prod(len(words[name]) for name in slots(text))


def filled(text: str, words: Mapping[str, tuple[str, ...]], chosen: Mapping[str, int]) -> str:
  """Returns a text with the chosen word for each slot.

  >>> filled("a {thing}", {"thing": ("film", "plot")}, {"thing": 3})
  'a plot'
  """
  return _SLOT.sub(lambda slot: words[slot[1]][chosen[slot[1]] % len(words[slot[1]])], text)


def slots(text: str) -> list[str]:
  """Returns the names of a text's slots, each once."""
  return list(dict.fromkeys(_SLOT.findall(text)))


def _unfit_change(change: Change, kind: str) -> Iterator[str]:
  known, what = (TEXT_CHANGES, "texts") if kind == "text" else (PICTURE_CHANGES, "pictures")
  if change.name not in known:
    yield f"the input is of {what}, whose changes are {', '.join(known)}. Received: {change.name}"
