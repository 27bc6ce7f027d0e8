"""When a feature counts as changed, and in what words that is said."""

import dataclasses
import doctest
import re

import numpy as np
import pytest

from pipeline.drift import comparing, distances
from pipeline.drift.comparing import SchemaBound
from pipeline.drift.measuring import Kind, Measure, Row
from pipeline.drift.profile import Names, Numbers, Profile

_TEXTS = Kind(is_text=True, has_classes=True, has_one_class=True)
_RANDOM = np.random.default_rng(1)


def _numbers(name, values):
  from pipeline.drift.measures.features import FEATURES

  return Profile(
    rows=len(values), numbers={name: Numbers.of(FEATURES[name].edges, values)}, names={}
  )


def _names(name, **counts):
  rows = sum(counts.values())
  return Profile(rows=rows, numbers={}, names={name: Names.of(counts, rows)})


def _one(before, now, **options):
  [change] = comparing.changes(before, now, **{"past": {}, **options})
  return change


def test_a_darker_camera_is_named_with_both_medians():
  change = _one(
    _numbers("brightness", _RANDOM.normal(0.52, 0.1, 500)),
    _numbers("brightness", _RANDOM.normal(0.21, 0.1, 200)),
  )
  assert change.drifted
  assert change.sentence.startswith("brightness: median 0.5")
  assert " -> 0.2" in change.sentence
  assert sum(bar.now for bar in change.bars) == pytest.approx(1)


def test_labels_that_change_from_half_and_half_to_nine_in_ten_are_named():
  change = _one(
    _names("label mix", positive=150, negative=150), _names("label mix", positive=182, negative=18)
  )
  assert change.drifted
  assert change.sentence == "label mix: positive 50 % -> 91 %, negative 50 % -> 9 %"


def test_chance_is_no_change_however_few_rows():
  alarms = 0
  for seed in range(200):
    random = np.random.default_rng(seed)
    count = int(random.integers(5, 400))
    before, now = random.normal(0.5, 0.1, 800), random.normal(0.5, 0.1, count)
    alarms += _one(_numbers("brightness", before), _numbers("brightness", now)).drifted
  assert alarms == 0


@pytest.mark.parametrize(
  ("before", "now", "names"), [(20, 20, 40), (50, 50, 100), (200, 200, 1_000), (20, 5_000, 300)]
)
def test_chance_is_no_change_of_many_names_in_few_rows(before, now, names):
  """Names that only one of two small samples has are put together with those of the other."""
  random = np.random.default_rng(7)

  def drawn(rows):
    counts = random.multinomial(rows, np.full(names, 1 / names))
    found = {f"class {n}": int(count) for n, count in enumerate(counts)}
    return _names("answer mix", **found)

  alarms = [change for _ in range(40) if (change := _one(drawn(before), drawn(now))).drifted]
  assert alarms == []


@pytest.mark.parametrize(("before", "now"), [(40, 20), (120, 100), (600, 20)])
def test_chance_is_no_change_of_words_in_few_texts(before, now):
  """Words are as rare as in a language; those that were common before by chance are less so now."""
  random = np.random.default_rng(3)
  shares = 1 / (np.arange(5_000) + 2.7)
  letters = "abcdefghijklmnopq"
  words = np.array(["".join(letters[int(c)] for c in f"{n:05d}") for n in range(5_000)])

  def drawn(rows):
    texts = (random.choice(words, 20, p=shares / shares.sum()) for _ in range(rows))
    return Measure(_TEXTS).profile(Row(value=" ".join(text).encode()) for text in texts)

  alarms = []
  for _ in range(5):
    changes = comparing.changes(drawn(before), drawn(now), past={})
    assert "word choice" in {change.feature for change in changes}
    alarms += [change.sentence for change in changes if change.drifted]
  assert alarms == []


def test_a_small_change_of_many_rows_is_none_unless_it_is_to_count():
  before, now = _names("label mix", a=50_000, b=50_000), _names("label mix", a=53_000, b=47_000)
  assert not _one(before, now).drifted
  assert _one(before, now, least=1e-4).drifted


def test_the_past_sets_the_bound():
  before, now = _names("label mix", a=500, b=500), _names("label mix", a=300, b=700)
  assert _one(before, now).drifted
  restless, quiet = [0.03, 0.02, 0.04, 0.05, 0.03, 0.01], [0.0, 0.001, 0.0, 0.002, 0.0]
  assert not _one(before, now, past={"label mix": restless}).drifted
  assert "6 before" in _one(before, now, past={"label mix": restless}).source
  assert _one(before, now, past={"label mix": quiet}).drifted
  assert _one(before, now, past={"label mix": restless[:4]}).drifted, "four are too few"
  assert _one(before, now, past={"brightness": restless}).drifted


@pytest.mark.parametrize("order", [1, -1])
def test_a_class_that_comes_or_goes_is_a_change_whatever_its_share(order):
  some, more = [
    _names("label mix", a=10_000, b=10_000),
    _names("label mix", a=10_000, b=10_000, c=60),
  ][::order]
  change = _one(some, more)
  assert change.value < change.bound
  assert change.drifted
  assert change.words_of_bound == "no name that comes or goes"
  assert ("new: c" if order == 1 else "gone: c") in change.sentence


def test_a_rare_class_that_a_small_day_lacks_is_not_gone():
  assert not _one(_names("label mix", a=995, b=5), _names("label mix", a=60)).drifted


def test_of_more_names_than_are_kept_none_seems_to_come_or_go():
  def many(seed):
    drawn = np.random.default_rng(seed).integers(0, 3_000, 40_000)
    return _names(
      "label mix", **{f"c{n}": int(count) for n, count in enumerate(np.bincount(drawn))}
    )

  assert not _one(many(1), many(2)).drifted


def test_words_of_few_texts_are_no_news():
  words = ["".join(chr(97 + int(digit)) for digit in str(n)) for n in range(2_000)]
  weights = 1 / (20 + np.arange(2_000))

  def texts(count, seed):
    random = np.random.default_rng(seed)
    drawn = random.choice(words, (count, 8), p=weights / weights.sum())
    return _texts([(" ".join(row), "x") for row in drawn])

  before = texts(3_000, 1)
  alarms = [
    change.sentence
    for seed in range(2, 22)
    for change in comparing.changes(before, texts(50, seed), past={})
    if change.drifted
  ]
  assert alarms == []


def test_a_schema_sets_its_own_bound():
  before, now = _names("label mix", a=50, b=50), _names("label mix", a=60, b=40)
  assert not _one(before, now).drifted
  change = _one(before, now, schema={"label mix": SchemaBound(infinity_norm=0.05)})
  assert (change.drifted, change.value, change.bound) == (True, 0.1, 0.05)
  assert "infinity_norm" in change.source
  change = _one(before, now, schema={"label mix": SchemaBound(divergence=0.5)})
  assert not change.drifted
  assert change.bound == 0.5


def _texts(rows, known=None):
  return Measure(_TEXTS, known=known).profile(
    Row(value=text.encode(), labels=[label]) for text, label in rows
  )


def test_a_new_vocabulary_with_longer_texts_and_other_labels_is_named(reviews):
  before = _texts(reviews(300))
  held_out = _texts(reviews(100, seed=2), before.words.counts)
  before = before.also(
    dataclasses.replace(
      held_out, names={}, numbers={"unknown words": held_out.numbers["unknown words"]}
    )
  )
  strange = "quarterly revenue guidance exceeded analysts consensus despite currency headwinds"
  now = [(" ".join([strange] * 6), "good" if n % 11 else "bad") for n in range(300)]
  found = comparing.changes(before, _texts(now, before.words.counts), past={})
  said = {change.feature: change.sentence for change in found if change.drifted}
  assert {"label mix", "length in words", "unknown words", "word choice"} <= said.keys()
  assert "good 4" in said["label mix"]
  assert "-> 91 %" in said["label mix"]
  assert "-> 54" in said["length in words"]
  assert "100 %, most risen: " in said["unknown words"]
  assert "quarterly" in said["unknown words"] + said["word choice"]


def test_another_language_is_named_before_its_unknown_words():
  english = ["the dog is in the house and it is mine", "we are on the way to the old town"]
  german = ["der Hund ist nicht in dem Haus und das ist gut", "wir sind auf dem Weg in die Stadt"]
  before, now = (
    _texts([(text, "x") for text in texts for _ in range(150)]) for texts in (english, german)
  )
  first = comparing.changes(before, now, past={})[0]
  assert first.sentence.startswith("language: en -> de")


def test_pictures_of_another_camera_name_what_changed_first(picture):
  def profile(**look):
    kind = dataclasses.replace(_TEXTS, is_text=False)
    return Measure(kind).profile(Row(value=picture(seed=n, **look)) for n in range(120))

  before = profile()
  assert not any(change.drifted for change in comparing.changes(before, profile(), past={}))
  assert comparing.changes(before, profile(light=60), past={})[0].feature == "brightness"
  assert comparing.changes(before, profile(size=(64, 48)), past={})[0].feature == "width"
  assert comparing.changes(before, profile(kind="BMP"), past={})[0].feature == "format"


def test_a_histogram_of_another_release_is_not_compared():
  before = _numbers("brightness", [0.1, 0.2, 0.3])
  other = dataclasses.replace(before.numbers["brightness"], edges=(0.5,), counts=(3, 0))
  now = dataclasses.replace(before, numbers={"brightness": other})
  assert comparing.changes(before, now, past={}) == []


def test_scores_say_how_many_answers_are_unsure():
  sure, unsure = _RANDOM.beta(20, 1, 800), _RANDOM.beta(3, 2, 400)
  change = _one(_numbers("score", sure), _numbers("score", unsure))
  assert change.drifted
  assert ", unsure (below 0." in change.sentence


def test_of_a_model_that_was_nearly_always_sure_most_answers_are_not_called_unsure():
  random = np.random.default_rng(2)
  sure, unsure = 1 - random.beta(1, 3_000, 800), random.beta(9, 1, 400)
  change = _one(_numbers("score", sure), _numbers("score", unsure))
  [before] = re.findall(r", unsure \(below [0-9.]+\) ([0-9.]+) % -> [0-9.]+ %", change.sentence)
  assert float(before) <= 10, change.sentence


def test_the_divergence_by_chance_is_that_of_samples():
  random = np.random.default_rng(3)
  shares = [0.1, 0.2, 0.3, 0.4]
  found = [
    distances.divergence(random.multinomial(500, shares), random.multinomial(300, shares))
    for _ in range(1_000)
  ]
  assert np.mean(found) == pytest.approx(distances.expected(500, 300, bins=4), rel=0.1)
  assert max(found) < 1.3 * distances.by_chance(500, 300, bins=4)
  assert np.quantile(found, 0.999) < distances.by_chance(500, 300, bins=4)


def test_a_profile_is_read_as_it_was_written(reviews):
  profile = _texts(reviews(50))
  assert Profile.from_text(profile.to_text()) == profile


def test_the_examples_hold():
  assert doctest.testmod(distances) == (0, 2)
  assert doctest.testmod(comparing) == (0, 3)
