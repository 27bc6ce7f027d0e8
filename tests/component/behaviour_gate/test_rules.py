"""BehaviourGate and the rules of its tests: directions, words, languages, bounds, and few rows."""

import pytest
import tensorflow as tf


def has_word(texts, words):
  """Returns for each text whether it holds one of some words, as they are written."""
  return tf.strings.regex_full_match(texts, rf".*\b({'|'.join(words)})\b.*")


_NAMES = ("negative", "positive")
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
def test_direction(judged, score, by, failed, classes):
  suite = _suite(
    kind="direction", change={"append": " Awful."}, score=score, by=by, score_of="positive"
  )
  answer = classes(_NAMES, lambda texts: _answer(tf.strings.lower(texts)))
  found = judged("sentiment", answer, _ROWS, suite)
  [step] = found.tested("it").steps
  assert (step.tried, step.failed, found.blessed) == (20, failed, int(not failed))


def test_the_score_of_the_rows_own_label(judged, classes):
  suite = _suite(kind="direction", change={"append": " Awful."}, score="does_not_fall")
  answer = classes(_NAMES, lambda texts: _answer(tf.strings.lower(texts)))
  found = judged("sentiment", answer, _ROWS, suite)
  [step] = found.tested("it").steps
  assert (step.tried, step.failed) == (20, 10)  # what is positive loses by blame
  assert {case.wanted.split()[0] for case in found.tested("it").cases} == {"positive"}


def test_a_class_that_no_model_has_is_told(judged, classes):
  suite = _suite(kind="direction", change={"append": " Awful."}, score="falls", score_of="positivo")
  found = judged("sentiment", classes(_NAMES, _answer), _ROWS, suite)
  ruling = found.ruling("it")
  assert (found.blessed, ruling.value) == (0, None)
  assert "the model has no class positivo; it has negative, positive" in ruling.reason


def test_words_are_replaced_in_rows_and_in_texts_of_ones_own(judged, classes):
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


def test_tests_of_one_language_are_left_out_for_another(judged, classes):
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


def test_tests_of_judgements_are_left_out_for_other_classes(judged, classes):
  rows = [(text, "ham") for text, _ in _ROWS]
  found = judged("sentiment", classes(("ham", "spam"), _answer), rows)
  left_out = {each.name: each.left_out for each in found.behaviour.tests if each.left_out}
  assert set(left_out) == {"plain praise", "blame lowers", "negation", "names"}
  assert left_out["names"].endswith("the model has 'ham'")


def test_english_judgements_are_held_to_english_cases(judged, classes):
  found = judged("sentiment", classes(_NAMES, lambda texts: tf.ones(tf.shape(texts))), _ROWS)
  ruling = found.ruling("plain praise")
  assert (found.blessed, ruling.value) == (0, 0.5)
  assert "-> positive, and negative or neg is right" in ruling.reason


def test_corruption_is_relative_to_the_right_answers(judged, classes, coloured, pixels):
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


def test_translations_lose_chrf(judged, translations):
  rows = [(f"number {n} here", f"number {n} here") for n in range(100, 120)]

  def spoilt(texts):
    return tf.where(has_word(texts, ["number"]), texts, "?")

  suite = _suite(kind="corruption", change="typos", at_most=0.5)
  found = judged("translation", translations(spoilt), rows, suite)
  steps = found.tested("it").steps
  assert steps[0].quality[0] == 1
  assert steps[2].value > 0.5
  assert found.blessed == 0


def test_a_bound_of_null_only_measures(judged, classes):
  suite = _suite(kind="invariance", change={"append": " Awful."}, at_most=None)
  always = classes(_NAMES, lambda texts: has_word(texts, ["Awful"]))
  found = judged("sentiment", always, _ROWS, suite)
  assert found.tested("it").steps[0].value == 1
  assert (found.blessed, found.verdict.rulings) == (1, ())


def test_fewer_than_ten_rows_refuse_unless_the_test_is_optional(judged, classes):
  suite = _suite(kind="invariance", change={"replace": {"great": "good"}})
  found = judged("sentiment", classes(_NAMES, _answer), _ROWS[5:], suite)
  assert found.blessed == 0
  assert "it applies to 5 rows of eval" in found.ruling("it").reason


def test_an_optional_test_that_cannot_be_carried_out_refuses_nothing(judged, classes):
  suite = _suite(kind="invariance", change={"replace": {"great": "good"}}, optional=True)
  found = judged("sentiment", classes(_NAMES, _answer), _ROWS[5:], suite)
  assert (found.blessed, found.verdict.rulings) == (1, ())
  assert "5 rows" in found.tested("it").unmeasured


def test_a_tiny_run_is_told_what_would_refuse_it(judged, classes):
  answer = classes(_NAMES, _answer)
  found = judged("sentiment", answer, _ROWS, tiny=True)
  assert found.blessed == 1
  assert all(each.passed for each in found.verdict.rulings)
  [warning] = [each for each in found.verdict.warnings if "capitals" in each]
  assert "behaviour.capitals is 0.5, and would have to be <= 0.2" in warning
  assert found.behaviour.only_measured


def test_a_tiny_run_is_refused_by_a_file_of_ones_own(judged, classes):
  suite = _suite(kind="invariance", change="upper_case")
  assert judged("sentiment", classes(_NAMES, _answer), _ROWS, suite, tiny=True).blessed == 0


def test_changed_inputs_that_a_model_refuses_are_left_out_and_counted(judged, classes):
  def strict(texts):
    fine = tf.debugging.assert_less(tf.strings.length(texts), 30, "too long")
    with tf.control_dependencies([fine]):
      return _answer(tf.identity(texts))

  suite = _suite(kind="invariance", change={"append": [" Well.", " Well, it really is, I think."]})
  found = judged("sentiment", classes(_NAMES, strict), _ROWS, suite)
  tested = found.tested("it")
  assert tested.refused_inputs > 0
  assert tested.steps[0].tried == 20 - tested.refused_inputs


def test_the_same_rows_are_changed_in_the_same_way_each_time(tmp_path, judged, classes):
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
