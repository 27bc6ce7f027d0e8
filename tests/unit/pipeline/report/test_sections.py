"""What each section of the report shows of what was measured, learned and tried."""

import collections
import dataclasses

from components.trials import Trial, Trials
from pipeline.behaviour import results
from pipeline.behaviour.results import Behaviour, Case, Step
from pipeline.problems.calibration import Calibration
from pipeline.problems.certainty.record import Certainty
from pipeline.report import render
from pipeline.suspects.baseline import Baseline
from pipeline.training.training_record import PhaseRow

_ROW_8 = {"origin": "a.csv, row 8", "split": "eval"}


def test_texts_and_samples_are_shown_escaped_and_shortened(make_data, read_page):
  data = make_data(
    pictures=[],
    texts=[
      {
        "label": "pos",
        "predicted": "neg",
        "score": 0.97,
        "input": "<b>" + "x" * 400,
        "origin": "a.csv, row 7",
        "split": "eval",
      }
    ],
    samples=[
      {"input": "A & B", "predicted": "C", "label": "D", "score": 41.5, "worst": False, **_ROW_8},
      {"input": "E", "predicted": "F", "label": "G", "score": 2.0, "worst": True, **_ROW_8},
    ],
  )
  page = read_page(render.render(data))
  [_, row] = page.tables["texts"]
  assert row[:3] == ["pos", "neg", "97.0%"]
  assert row[3].startswith("<b>xxx")
  assert len(row[3]) <= 300
  assert row[4] == "a.csv, row 7"
  assert page.tables["samples"] == [
    ["input", "written", "wanted", "chrF", "where"],
    ["A & B", "C", "D", "41.5", "a.csv, row 8"],
    ["input", "written", "wanted", "chrF", "where"],
    ["E", "F", "G", "2", "a.csv, row 8"],
  ]


def test_what_the_model_is_worth(make_data, read_page):
  baseline = Baseline(
    model="edges", cheap=0.8, network=0.95, constant=0.125, gain=0.15, interval=(0.1, 0.2),
    train_rows=5_000, eval_rows=1_000,
  )  # fmt: skip
  page = read_page(render.render(make_data(baseline=baseline)))
  assert baseline.sentence in page.words
  old = dataclasses.replace(baseline, gain=None)
  assert "cheap model" not in read_page(render.render(make_data(baseline=old))).text


_SENTENCES = results.Tested(
  name="capitals",
  kind="invariance",
  what="the answer must stay the same (upper_case: letters become capitals)",
  reason="capitals may shout",
  steps=(Step(tried=100, failed=31, value=0.31, bound=0.2, passed=False, interval=(0.23, 0.41)),),
  cases=(
    Case(
      origin="a.csv, row 7",
      given="great <film>",
      changed="GREAT <FILM>",
      wanted="the same answer",
      before="positive",
      after="negative",
    ),
  ),
)


def test_behaviour_is_a_section_with_its_failed_cases(make_data, read_page):
  left_out = results.Tested(
    name="praise", kind="minimum", what="cases", reason="r", left_out="no English"
  )
  unmeasured = results.Tested(
    name="blur", kind="corruption", what="blur", reason="r", unmeasured="3 rows"
  )
  found = Behaviour(rows=100, tests=(_SENTENCES, left_out, unmeasured))
  page = read_page(render.render(make_data(behaviour=found)))
  [_, row, praise, blur, _, case] = page.tables["behaviour"]
  assert row[1:] == ["", "100", "31", "31.0% 23.0% to 41.0%", "20.0%", "failed"]
  assert row[0].startswith("capitals")
  assert praise[1] == "Left out: no English."
  assert blur[1] == "failed Not measured: 3 rows."
  assert case == ["GREAT <FILM>", "negative", "positive: great <film>", "the same answer",
                  "a.csv, row 7"]  # fmt: skip
  assert ("open", None) in page.attributes
  assert "behaviour" not in read_page(render.render(make_data(behaviour=Behaviour()))).tables


def test_a_picture_is_shown_before_and_after_its_change(make_data, read_page):
  uris = ("data:image/png;base64,AAAA", "data:image/png;base64,BBBB", "https://example.org/x.png")
  case = Case(wanted="red", before="red", after="green", pictures=uris)
  step = Step(strength=2, tried=50, failed=1, value=0.02, bound=None, quality=(0.9, 0.88))
  tested = dataclasses.replace(_SENTENCES, steps=(step,), cases=(case,))
  page = read_page(
    render.render(make_data(behaviour=Behaviour(rows=9, tests=(tested,)), pictures=[]))
  )
  assert [value for name, value in page.attributes if name == "src"] == list(uris[:2])
  assert page.tables["behaviour"][1][1:] == ["2", "50", "1", "2.0%", "-", "measured"]


def test_a_mistake_is_named_by_its_file(make_data, read_page):
  page = read_page(render.render(make_data(suspected=(3, 2000))))
  assert "cat/17.png" in page.words
  assert any("3 of the 2,000 labels of val and eval contradict" in word for word in page.words)
  images = [value for name, value in page.attributes if name == "src"]
  assert images == ["data:image/png;base64,AAAA"]


def test_a_confusion_links_to_its_examples(make_data, read_page):
  row = {"label": "owl", "predicted": 'a "d>og', "score": 0.9, "split": "eval"}
  cells = [
    {"label": "cat", "predicted": "owl", "rows": [{**row, "origin": "1.png", "data_uri": None}]},
    {"label": "owl", "predicted": 'a "d>og', "rows": [{**row, "origin": "2", "data_uri": None}]},
  ]
  labels = ["cat", 'a "d>og', "owl"]
  evaluation = {"labels": labels, "confusion": [[1, 0, 2], [0, 3, 0], [0, 4, 5]]}
  page = read_page(render.render(make_data(evaluation=evaluation, cells=cells, pictures=[])))
  links = collections.Counter(
    value for name, value in page.attributes if name == "href" and value.startswith("#cell")
  )
  # Once from the matrix, once from the list of the most frequent mistakes.
  assert links == {"#cell-0": 2, "#cell-1": 2}
  assert {"cell-0", "cell-1"} <= {value for name, value in page.attributes if name == "id"}


def test_of_each_confusion_as_many_examples_as_the_limit_says(make_data, read_page):
  row = {"label": "cat", "predicted": "owl", "score": 0.9, "split": "eval", "origin": "1.png"}
  cell = {"label": "cat", "predicted": "owl", "rows": [{**row, "data_uri": None}]}
  page = read_page(render.render(make_data(cells=[cell])))
  assert (
    "Up to 6 examples of each, the worst first. A name leads to the file. cat taken for owl"
    in page.text
  )
  page = read_page(render.render(make_data(cells=[cell] * 40)))
  assert "the worst first; of the 40 most frequent confusions." in page.text


def _tuning(**changes):
  record = {
    "monitor": "val_loss",
    "mode": "min",
    "asked": 3,
    "best": 2,
    "trials": [
      {"trial": 2, "hyperparameters": {"width": 64, "learning_rate": 0.01}, "state": "complete",
       "score": 0.25, "epochs": 3, "seconds": 12.0, "error": None},
      {"trial": 1, "hyperparameters": {"width": 32, "learning_rate": 0.001, "more": 7},
       "state": "complete", "score": 0.5, "epochs": 3, "seconds": 9.0, "error": None},
      {"trial": 3, "hyperparameters": {"width": -1, "learning_rate": 0.1}, "state": "failed",
       "score": None, "epochs": 0, "seconds": 0.5, "error": "ValueError: a <width> below 0"},
    ],
    **changes,
  }  # fmt: skip
  return Trials.from_json(record)


def test_trials_are_listed_and_the_best_ones_values_are_said_to_be_the_trainers(
  make_data, read_page
):
  page = read_page(
    render.render(make_data(tuning=_tuning(), tuned={"width": 64, "learning_rate": 0.01}))
  )
  assert page.tables["tuning"] == [
    ["trial", "width", "learning_rate", "more", "val_loss", "epochs", "time", "what came of it"],
    ["2", "64", "0.0100", "-", "0.2500", "3", "12s", "best"],
    ["1", "32", "0.0010", "7", "0.5000", "3", "9.0s", "complete"],
    ["3", "-1", "0.1000", "-", "-", "0", "0.5s", "failed ValueError: a <width> below 0"],
  ]
  said = page.text
  assert "The Trainer took the values of trial 2: width 64, learning_rate 0.01." in said
  assert "were asked for" not in said


def test_a_search_that_ran_out_of_settings_and_one_before_the_trainer_say_so(make_data, read_page):
  said = read_page(render.render(make_data(tuning=_tuning(asked=9)))).text
  assert "9 were asked for; the search space has no more settings." in said
  assert "The Trainer took" not in said
  assert "tuning" not in read_page(render.render(make_data())).tables


def test_how_the_scores_were_calibrated(make_data, read_page):
  fitted = Calibration(
    temperature=0.43, rows=30, loss_before=0.31, loss_after=0.12, error_before=0.2, error_after=0.03
  )
  assert (
    "The scores are calibrated by temperature 0.43, from 30 val rows: loss 0.31 -> 0.12, "
    "calibration error 0.2 -> 0.03." in read_page(render.render(make_data(calibration=fitted))).text
  )
  left = Calibration(reason="val has 4 usable rows, and fewer than 20 say too little")
  assert (
    "The scores are not calibrated: val has 4 usable rows"
    in read_page(render.render(make_data(calibration=left))).text
  )


def test_what_the_time_ended(make_data, read_page):
  trial = Trial(
    trial=2, hyperparameters={"rate": 0.1}, state="stopped", score=0.5, ended_by="tune.minutes"
  )
  first = Trial(trial=1, hyperparameters={"rate": 0.2}, score=0.7)
  tuning = Trials(
    monitor="val_accuracy", mode="max", asked=9, best=1, trials=(first, trial),
    ended_by="tune.minutes",
  )  # fmt: skip
  phase = PhaseRow(
    phase="train", setting="epochs", asked=12, scheduled=48, trained=20,
    lifted_by="train.minutes", ended_by="train.minutes",
  )  # fmt: skip
  history = [{"phase": "train", "epoch": 1, "loss": 2.0, "ended_by": "train.minutes"}]
  page = read_page(render.render(make_data(tuning=tuning, phases=(phase,), history=history)))
  assert "The time ended the search (tune.minutes)." in page.text
  assert "stopped (tune.minutes)" in page.text
  assert "epochs 12 was lifted to 48 (train.minutes)." in page.text
  assert "ended_by" not in page.text


def _row(number, **changes):
  return {
    "label": "cat", "predicted": "dog", "score": 0.9, "split": "eval", "data_uri": None,
    "origin": f"cat/{number}.png", "link": f"file:///data/cat/{number}.png", **changes,
  }  # fmt: skip


def test_a_name_leads_to_its_file_and_to_nothing_else(make_data, read_page):
  rows = [_row(1), _row(2, link=None), _row(3, link="https://example.org/3.png")]
  page = read_page(render.render(make_data(pictures=rows)))
  links = [v for name, v in page.attributes if name == "href" and not v.startswith("#")]
  assert links == ["file:///data/cat/1.png"]


def test_the_comparison_with_the_model_before_says_n_and_names_rows(make_data, read_page):
  flips = {
    "run_id": "r0", "rows": 1200, "of": 1500, "relabelled": 2, "by_loss": False, "better": 30,
    "worse": 1, "better_rows": [_row(1, before="owl", predicted="cat")],
    "worse_rows": [_row(2, before="cat", predicted="owl")],
  }  # fmt: skip
  page = read_page(render.render(make_data(flips=flips)))
  assert "Both models were asked about 1,200 of the 1,500 examples of eval" in page.text
  assert "2 more had another label then" in page.text
  assert "right now 30 wrong now 1 as before 1,169" in page.text
  assert "Right now: the 1 that changed most of 30" in page.text
  assert "cat : owl before, cat now cat/1.png" in page.text
  assert "cat : cat before, owl now cat/2.png" in page.text


def test_texts_that_flipped_are_read_side_by_side(make_data, read_page):
  row = _row(1, before="un chat", predicted="le chat", label="le chat", input="the cat")
  flips = {
    "run_id": "r0", "rows": 10, "of": 10, "relabelled": 0, "by_loss": True, "better": 1,
    "worse": 0, "better_rows": [row], "worse_rows": [],
  }  # fmt: skip
  page = read_page(render.render(make_data(flips=flips)))
  assert page.tables["flips"][1] == ["le chat", "un chat", "le chat", "the cat", "cat/1.png"]
  assert "nearer now 1 further off now 0" in page.text


def test_curves_say_their_areas_and_what_a_threshold_does(make_data, read_page):
  curves = {
    "split": "eval",
    "answers": {
      "rows": 4, "risk": "share of wrong answers", "area": 0.25,
      "coverage": [[0.5, 0.0, 0.9], [1.0, 0.5, 0.4]],
      "thresholds": [{"threshold": 0.5, "count": 2, "share": 0.5, "risk": 0.0}],
    },
    "labels": [
      {"label": "owl", "positives": 3, "negatives": 1, "auc": 0.875, "average_precision": 0.9,
       "roc": [[0, 0, 0.9], [1, 1, 0.1]], "pr": [[0.5, 1.0, 0.9], [1.0, 0.75, 0.1]]},
    ],
  }  # fmt: skip
  page = read_page(render.render(make_data(curves=curves)))
  assert "owl: AUC 0.8750, n 3" in page.text
  assert "owl: average precision 0.9000, n 3" in page.text
  assert "surest first; area 0.2500" in page.text
  assert page.tables["curves"][1] == ["0.5", "2", "50.0%", "0.0%"]


def test_training_says_which_epoch_was_chosen_and_what_to_do(make_data, read_page):
  page = read_page(render.render(make_data(chosen=1, advice=["Train longer."])))
  assert "advice Train longer." in page.text
  assert "The model has the weights of epoch 1 of tune, the best in validation." in page.text


def test_metrics_classes_and_slices_have_intervals_and_n(make_data, read_page):
  data = make_data()
  evaluation = {
    **data.evaluation,
    "intervals": {"accuracy": (0.91, 0.95)},
    "slices": [
      {"feature": "size", "value": "small", "interval": (0.2, 0.8),
       "metrics": {"accuracy": 0.5, "example_count": 8.0}},
    ],
    "per_class": [{"label": "owl", "precision": 1.0, "recall": 0.5, "count": 8,
                   "interval": (0.25, 0.75)}],
  }  # fmt: skip
  page = read_page(render.render(make_data(evaluation=evaluation)))
  assert "accuracy 0.9312 0.91 to 0.95" in page.text
  assert page.tables["slices"] == [
    ["feature", "value", "n", "accuracy"],
    ["size", "small", "8, few", "0.5000 0.2000 to 0.8000"],
  ]
  assert page.tables["classes"][1][3] == "50.0% 25.0% to 75.0%"


def test_a_report_leads_to_the_page_on_its_data(make_data):
  text = render.render(make_data(data_page="../checks/data-3.html"))
  assert '<a href="../checks/data-3.html">The data, looked at</a>' in text


def test_what_was_asked_of_the_doubts_stands_beside_what_came(make_data, read_page):
  metrics = {"coverage": 0.9461, "set_size": 1.25, "accepted": 0.8, "accepted_accuracy": 0.975}
  evaluation = {"metrics": metrics, "intervals": {"coverage": (0.93, 0.96)}}
  record = Certainty(
    coverage=0.95, rows=400, bound=0.1, size=1.2, accepted=0.81, accepted_accuracy=None
  )
  page = read_page(render.render(make_data(certainty=record, evaluation=evaluation)))
  assert page.tables["doubts"][1:] == [
    ["sets hold the label", "95.0%", "94.6%", "93.0% to 96.0%"],
    ["labels in a set", "", "1.25", ""],
    ["answers that are accepted", "", "80.0%", ""],
    ["accepted answers that are right", "", "97.5%", ""],
  ]
  assert "Sets for a coverage of 0.95, from 400 val rows: 1.2 labels on average;" in page.text


def test_a_run_without_doubts_has_no_such_part(make_data, read_page):
  assert "doubts" not in read_page(render.render(make_data())).tables
