"""Hand-made models are judged by BehaviourGate as a run judges them.

Models with one fault each are refused, and the case is named; without the fault they pass.
"""

import dataclasses
import io
import json
import pathlib

import pytest
import tensorflow as tf
import yaml
from PIL import Image
from tfx.types import standard_artifacts

from components.behaviour_gate import BehaviourGate
from components.source_example_gen import origins
from components.source_example_gen.origins import Origin
from dlpipe.verdicts import Verdict
from pipeline.behaviour import gate
from pipeline.behaviour.results import Behaviour
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task


@dataclasses.dataclass(frozen=True)
class Judged:
  """What BehaviourGate left: its blessing, its verdict, and what came of the tests."""

  blessed: int
  verdict: Verdict
  behaviour: Behaviour

  def ruling(self, name):
    [found] = [each for each in self.verdict.rulings if each.metric == f"behaviour.{name}"]
    return found

  def tested(self, name):
    [found] = [each for each in self.behaviour.tests if each.name == name]
    return found


@pytest.fixture
def judged(tmp_path):
  """Returns a function that exports a model, writes rows of eval, and has the gate judge."""

  def run(task_name, answer, rows, suite=None, *, tiny=False):
    task = get_task(task_name)
    model = tmp_path / "model" / "Format-Serving"
    signature = tf.function(answer).get_concrete_function(
      tf.TensorSpec([None], tf.string, name=task.input.key)
    )
    tf.saved_model.save(tf.Module(), str(model), signatures={"serving_default": signature})
    _write(tmp_path / "examples" / "Split-eval", task, rows)
    settings = []
    if suite is not None:
      (tmp_path / "mine.yaml").write_text(
        suite if isinstance(suite, str) else yaml.safe_dump(suite), encoding="utf-8"
      )
      settings = [f"gates.behaviour={tmp_path / 'mine.yaml'}"]
    config = make_config(task, data_path="d", workspace=str(tmp_path), settings=settings, tiny=tiny)
    artifacts = {}
    for name, kind in (
      ("examples", standard_artifacts.Examples),
      ("model", standard_artifacts.Model),
      ("blessing", standard_artifacts.InfraBlessing),
    ):
      artifacts[name] = kind()
      artifacts[name].uri = str(tmp_path / name)
    (tmp_path / "blessing").mkdir(exist_ok=True)
    told = json.dumps(gate.parameters(task, config))
    BehaviourGate.test_call(
      **artifacts, judge="pipeline.behaviour.gate.judge", tests=told, code_fingerprint=""
    )
    folder = pathlib.Path(artifacts["blessing"].uri)
    blessed = artifacts["blessing"].get_int_custom_property("blessed")
    assert (folder / ("INFRA_BLESSED" if blessed else "INFRA_NOT_BLESSED")).is_file()
    return Judged(blessed, Verdict.read(folder), Behaviour.read(folder))

  return run


def _write(folder, task, rows):
  folder.mkdir(parents=True)
  path = str(folder / "data.gz")
  with tf.io.TFRecordWriter(path, options="GZIP") as writer:
    for value, label in rows:
      example = tf.train.Example()
      for name, each in ((task.input.key, value), (task.label_key, label)):
        data = each.encode() if isinstance(each, str) else each
        example.features.feature[name].bytes_list.value.append(data)
      writer.write(example.SerializeToString())
  lines = [origins.line(Origin(f"data, row {number}")) for number in range(len(rows))]
  origins.write(origins.path_beside(path), lines)


def classes(names, score_of_last):
  """Returns the outputs of a model of two classes, of whose second a function gives the score."""

  def answer(inputs):
    last = tf.cast(score_of_last(inputs), tf.float32)
    scores = tf.stack([1 - last, last], axis=1)
    return {
      "label": tf.gather(tf.constant(names), tf.argmax(scores, axis=1)),
      "score": tf.reduce_max(scores, axis=1),
      "scores": scores,
      "labels": tf.repeat(tf.constant(names)[tf.newaxis], tf.shape(inputs)[0], axis=0),
    }

  return answer


def translations(translate):
  """Returns the outputs of a model that translates by a function of `[batch]` string."""

  def answer(inputs):
    return {"translation": translate(inputs), "score": tf.zeros(tf.shape(inputs)[:1])}

  return answer


def has_word(texts, words):
  """Returns for each text whether it holds one of some words, as they are written."""
  return tf.strings.regex_full_match(texts, rf".*\b({'|'.join(words)})\b.*")


def coloured(red, green, blue, size=16):
  """Returns a PNG of one colour with a dark spot, so that it has a shape, too."""
  picture = Image.new("RGB", (size, size), (red, green, blue))
  picture.paste((20, 20, 20), (2, 2, 5, 5))
  target = io.BytesIO()
  picture.save(target, "PNG")
  return target.getvalue()


def pixels(encoded):
  """Decodes `[batch]` string to the mean colour of each picture, `[batch, 3]` in [0, 1]."""
  return tf.map_fn(
    lambda data: tf.reduce_mean(tf.cast(tf.io.decode_png(data, 3), tf.float32) / 255, axis=(0, 1)),
    encoded,
    fn_output_signature=tf.float32,
  )


_NAMES = ("negative", "positive")
_REVIEWS = [
  *((f"a great film, number {n}", "positive") for n in range(20)),
  *((f"a boring film, number {n}", "negative") for n in range(20)),
]
_COLOURS = [
  *((coloured(200 + n, 20, 30), "red") for n in range(20)),
  *((coloured(10, 150 + n, 30), "green") for n in range(20)),
]
_PAIRS = [(f"I paid {n} euros.", f"J'ai payé {n} euros.") for n in range(100, 120)]


def _by_words(texts):
  return tf.where(has_word(texts, ["great", "wonderful", "brilliant"]), 0.9, 0.1)


def test_a_model_that_reads_capitals_as_other_words_is_refused(judged):
  found = judged("sentiment", classes(_NAMES, _by_words), _REVIEWS)
  ruling = found.ruling("capitals")
  assert (found.blessed, ruling.passed, ruling.value) == (0, False, 0.5)
  assert "20 of 40 failed" in ruling.reason
  assert (
    "'A GREAT FILM, NUMBER 0' -> negative where 'a great film, number 0' -> positive"
    in ruling.reason
  )


def test_a_model_that_lowers_capitals_first_passes(judged):
  answer = classes(_NAMES, lambda texts: _by_words(tf.strings.lower(texts)))
  found = judged("sentiment", answer, _REVIEWS)
  assert found.blessed == 1
  assert found.ruling("capitals").value == 0


_COLOURS_MATTER = """
tests:
  - name: grey
    kind: direction
    change: grey
    score: falls
    by: 0.05
    at_most: 0.5
    reason: the classes differ by their colours
  - name: plain colours
    kind: minimum_functionality
    cases:
      - {colour: red, answer: red}
      - {colour: "#009900", answer: green}
    at_most: 0
    reason: what is all red is red
"""


def test_a_colour_blind_model_is_refused(judged):
  def by_brightness(encoded):
    grey = tf.reduce_sum(pixels(encoded) * [0.299, 0.587, 0.114], axis=1)
    return tf.sigmoid(40 * (0.31 - grey))  # green is brighter

  found = judged("images", classes(("green", "red"), by_brightness), _COLOURS, _COLOURS_MATTER)
  assert found.blessed == 0
  assert found.ruling("grey").value == 1
  assert "data, row 0 -> red where the input as it was -> red" in found.ruling("grey").reason
  case = found.tested("grey").cases[0]
  assert len(case.pictures) == 2
  assert all(uri.startswith("data:image/png;base64,") for uri in case.pictures)


def test_a_model_that_sees_colours_passes(judged):
  def by_hue(encoded):
    mean = pixels(encoded)
    return tf.sigmoid(10 * (mean[:, 0] - mean[:, 1]))

  found = judged("images", classes(("green", "red"), by_hue), _COLOURS, _COLOURS_MATTER)
  assert (found.blessed, [each.value for each in found.verdict.rulings]) == (1, [0, 0])


def test_a_wrong_answer_to_a_made_up_picture_is_named(judged):
  always = classes(("green", "red"), lambda encoded: tf.ones(tf.shape(encoded)))
  found = judged("images", always, _COLOURS, _COLOURS_MATTER)
  reason = found.ruling("plain colours").reason
  assert "1 of 2 failed: a picture all #009900 -> red, and green is right." in reason


def _translated(texts, number):
  texts = tf.strings.regex_replace(texts, r"\s+", " ")
  words = tf.strings.regex_replace(texts, "I paid", "J'ai payé")
  return tf.strings.strip(tf.strings.regex_replace(words, r"\d+", number))


def test_a_model_that_drops_numbers_is_refused(judged):
  answer = translations(lambda texts: _translated(texts, "des"))
  found = judged("translation", answer, _PAIRS)
  ruling = found.ruling("numbers")
  assert (found.blessed, ruling.value) == (0, 1)
  assert (
    "'I paid 100 euros.' -> J'ai payé des euros., and a text with 100 is right" in ruling.reason
  )


def test_a_model_that_copies_numbers_passes(judged):
  answer = translations(lambda texts: _translated(texts, r"\0"))
  found = judged("translation", answer, _PAIRS)
  assert found.blessed == 1
  assert (found.ruling("numbers").value, found.ruling("spaces").value) == (0, 0)


_ROWS = [
  *((f"the film {n} is great", "positive") for n in range(10)),
  *((f"the film {n} is boring", "negative") for n in range(10)),
]


def _answer(texts):
  great, bad = (has_word(texts, [word]) for word in ("great|wonderful|brilliant", "awful"))
  return tf.where(great, 0.9, 0.2) - tf.where(bad, 0.15, 0.0)


def _suite(**test):
  return {"tests": [{"name": "it", "reason": "a reason", "at_most": 0.0, **test}]}


@pytest.mark.parametrize(
  ("score", "by", "failed"),
  [
    ("falls", 0.1, 0),
    ("falls", 0.2, 20),
    ("rises", 0.1, 20),
    ("does_not_rise", 0.1, 0),
    ("does_not_fall", 0.1, 20),
    ("does_not_fall", 0.2, 0),
  ],
)
def test_direction(judged, score, by, failed):
  suite = _suite(
    kind="direction", change={"append": " Awful."}, score=score, by=by, score_of="positive"
  )
  answer = classes(_NAMES, lambda texts: _answer(tf.strings.lower(texts)))
  found = judged("sentiment", answer, _ROWS, suite)
  [step] = found.tested("it").steps
  assert (step.tried, step.failed, found.blessed) == (20, failed, int(not failed))


def test_the_score_of_the_rows_own_label(judged):
  suite = _suite(kind="direction", change={"append": " Awful."}, score="does_not_fall")
  answer = classes(_NAMES, lambda texts: _answer(tf.strings.lower(texts)))
  found = judged("sentiment", answer, _ROWS, suite)
  [step] = found.tested("it").steps
  assert (step.tried, step.failed) == (20, 10)  # what is positive loses by blame
  assert {case.wanted.split()[0] for case in found.tested("it").cases} == {"positive"}


def test_a_class_that_no_model_has_is_told(judged):
  suite = _suite(kind="direction", change={"append": " Awful."}, score="falls", score_of="positivo")
  found = judged("sentiment", classes(_NAMES, _answer), _ROWS, suite)
  ruling = found.ruling("it")
  assert (found.blessed, ruling.value) == (0, None)
  assert "the model has no class positivo; it has negative, positive" in ruling.reason


def test_words_are_replaced_in_rows_and_in_texts_of_ones_own(judged):
  replaced = {"replace": {"great": ["grand"]}}
  answer = classes(_NAMES, _answer)
  suite = {
    "tests": [
      {"name": "rows", "kind": "invariance", "change": replaced, "at_most": 0, "reason": "r"},
      {
        "name": "texts",
        "kind": "invariance",
        "texts": ["A great {thing}.", "A {thing}, great."],
        "words": {"thing": ["film", "plot", "book"]},
        "change": replaced,
        "at_most": 0,
        "reason": "r",
      },
    ]
  }
  found = judged("sentiment", answer, _ROWS, suite)
  counts = {
    each.name: (each.steps[0].tried, each.steps[0].failed) for each in found.behaviour.tests
  }
  assert counts == {"rows": (10, 10), "texts": (6, 6)}


def test_tests_of_one_language_are_left_out_for_another(judged):
  rows = [(f"der Film {n} ist gut", "positive") for n in range(12)]
  found = judged("sentiment", classes(_NAMES, _answer), rows)
  left_out = {each.name: each.left_out for each in found.behaviour.tests if each.left_out}
  assert set(left_out) == {"plain praise", "blame lowers", "negation", "names"}
  assert "0 of 12 rows have one" in left_out["negation"]
  assert {each.metric for each in found.verdict.rulings} == {
    "behaviour.spaces",
    "behaviour.capitals",
    "behaviour.typos",
  }


def test_tests_of_judgements_are_left_out_for_other_classes(judged):
  rows = [(text, "ham") for text, _ in _ROWS]
  found = judged("sentiment", classes(("ham", "spam"), _answer), rows)
  left_out = {each.name: each.left_out for each in found.behaviour.tests if each.left_out}
  assert set(left_out) == {"plain praise", "blame lowers", "negation", "names"}
  assert left_out["names"].endswith("the model has 'ham'")


def test_english_judgements_are_held_to_english_cases(judged):
  found = judged("sentiment", classes(_NAMES, lambda texts: tf.ones(tf.shape(texts))), _ROWS)
  ruling = found.ruling("plain praise")
  assert (found.blessed, ruling.value) == (0, 0.5)
  assert "-> positive, and negative or neg is right" in ruling.reason


def test_corruption_is_relative_to_the_right_answers(judged):
  rows = [(coloured(100 + n, 10, 10), "dark") for n in range(10)]
  rows += [(coloured(100 + n, 10, 10), "light") for n in range(10, 20)]  # wrong from the start
  rows += [(coloured(200, 150 + n, 200), "light") for n in range(20)]

  def by_light(encoded):
    return tf.reduce_mean(pixels(encoded), axis=1) > 0.3

  suite = _suite(kind="corruption", change="brightness", at_most=[0.9, None, 0.3])
  found = judged("images", classes(("dark", "light"), by_light), rows, suite)
  steps = found.tested("it").steps
  assert [step.strength for step in steps] == [1, 2, 3]
  for step in steps:
    before, after = step.quality
    assert before == 0.75
    assert step.value == pytest.approx((before - after) / before)
    assert step.interval[0] < step.value < step.interval[1]
  assert [step.passed for step in steps] == [True, None, steps[2].value <= 0.3]
  assert found.ruling("it").bound.endswith("at strength 3")


def test_translations_lose_chrf(judged):
  rows = [(f"number {n} here", f"number {n} here") for n in range(100, 120)]

  def spoilt(texts):
    return tf.where(has_word(texts, ["number"]), texts, "?")

  suite = _suite(kind="corruption", change="typos", at_most=0.5)
  found = judged("translation", translations(spoilt), rows, suite)
  steps = found.tested("it").steps
  assert steps[0].quality[0] == 1
  assert steps[2].value > 0.5
  assert found.blessed == 0


def test_a_bound_of_null_only_measures(judged):
  suite = _suite(kind="invariance", change={"append": " Awful."}, at_most=None)
  always = classes(_NAMES, lambda texts: has_word(texts, ["Awful"]))
  found = judged("sentiment", always, _ROWS, suite)
  assert found.tested("it").steps[0].value == 1
  assert (found.blessed, found.verdict.rulings) == (1, ())


def test_fewer_than_ten_rows_refuse_unless_the_test_is_optional(judged):
  suite = _suite(kind="invariance", change={"replace": {"great": "good"}})
  found = judged("sentiment", classes(_NAMES, _answer), _ROWS[5:], suite)
  assert found.blessed == 0
  assert "it applies to 5 rows of eval" in found.ruling("it").reason


def test_an_optional_test_that_cannot_be_carried_out_refuses_nothing(judged):
  suite = _suite(kind="invariance", change={"replace": {"great": "good"}}, optional=True)
  found = judged("sentiment", classes(_NAMES, _answer), _ROWS[5:], suite)
  assert (found.blessed, found.verdict.rulings) == (1, ())
  assert "5 rows" in found.tested("it").unmeasured


def test_a_tiny_run_is_told_what_would_refuse_it(judged):
  answer = classes(_NAMES, _answer)
  found = judged("sentiment", answer, _ROWS, tiny=True)
  assert found.blessed == 1
  assert all(each.passed for each in found.verdict.rulings)
  [warning] = [each for each in found.verdict.warnings if "capitals" in each]
  assert "behaviour.capitals is 0.5, and would have to be <= 0.2" in warning
  assert found.behaviour.only_measured


def test_a_tiny_run_is_refused_by_a_file_of_ones_own(judged):
  suite = _suite(kind="invariance", change="upper_case")
  assert judged("sentiment", classes(_NAMES, _answer), _ROWS, suite, tiny=True).blessed == 0


def test_changed_inputs_that_a_model_refuses_are_left_out_and_counted(judged):
  def strict(texts):
    fine = tf.debugging.assert_less(tf.strings.length(texts), 30, "too long")
    with tf.control_dependencies([fine]):
      return _answer(tf.identity(texts))

  suite = _suite(kind="invariance", change={"append": [" Well.", " Well, it really is, I think."]})
  found = judged("sentiment", classes(_NAMES, strict), _ROWS, suite)
  tested = found.tested("it")
  assert tested.refused_inputs > 0
  assert tested.steps[0].tried == 20 - tested.refused_inputs


def test_the_same_rows_are_changed_in_the_same_way_each_time(tmp_path, judged):
  from pipeline.behaviour.asking import Given, Model
  from pipeline.behaviour.inputs import Measuring
  from pipeline.behaviour.suite import Change, Suite

  judged("sentiment", classes(_NAMES, _answer), _ROWS)
  model = Model(
    str(tmp_path / "model" / "Format-Serving"),
    input_key="text",
    rows="pipeline.problems.rows.of_classes",
  )
  pool = [Given(text.encode(), (label.encode(),)) for text, label in _ROWS]
  changed = [
    [each.changed.text for each in of.compared("t", Change.model_validate("typos"), 1, of.pool)[0]]
    for of in (
      Measuring(model, Suite(seed=1), pool, is_text=True),
      Measuring(model, Suite(seed=1), pool, is_text=True),
      Measuring(model, Suite(seed=2), pool, is_text=True),
    )
  ]
  assert changed[0] == changed[1] != changed[2]
