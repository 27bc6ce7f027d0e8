"""Public corpora of lines with labels are read as such, or refused with what settles it."""

from __future__ import annotations

import collections
import subprocess

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.tasks.sentiment.sources import SOURCES

WORDS = ("phone", "film", "lunch", "battery", "actor", "waiter", "screen", "plot", "table", "bill")


def sentences(count, start=0):
  return [
    f"The {WORDS[n % 10]} was {n} times as good, he said." for n in range(start, start + count)
  ]


@pytest.fixture
def write(tmp_path):
  def write(files):
    for name, lines in files.items():
      (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path

  return write


def labels_of(records):
  return collections.Counter(r.features["label"] for r in records)


def refusal(path, **options):
  with pytest.raises(BadInputError) as caught:
    SOURCES["lines"].plan(str(path), options)
  return str(caught.value)


def test_the_sentiment_labelled_sentences_of_uci(write, read_all):
  # UCI "Sentiment Labelled Sentences": three sites, a sentence, a tab and 0 or 1 in each line.
  root = write(
    {
      f"{site}_labelled.txt": [f"{s}  \t{n % 2}" for n, s in enumerate(sentences(40, 40 * i))]
      for i, site in enumerate(("amazon_cells", "imdb", "yelp"))
    }
    | {"readme.txt": ["This dataset was created for the Paper ..."]}
  )
  plan, records = read_all("lines", root)
  assert labels_of(records) == {"0": 60, "1": 60}
  assert not any("\t" in r.features["text"] for r in records)
  assert (plan.given_splits, plan.classes) == ((), {})
  assert plan.recognized.rows == 120
  assert plan.sentences() == [
    (
      "Read as lines: text = what is before the last tab, label = what follows it; 120 rows; 3 "
      "files: amazon_cells_labelled.txt, imdb_labelled.txt, yelp_labelled.txt."
    ),
    "Not read: readme.txt (by its name, it is no data).",
  ]


@pytest.mark.parametrize(
  ("train", "test"), [("train.txt", "test.txt"), ("cooking.train", "cooking.valid")]
)
def test_fast_text(train, test, write, read_all):
  # facebookresearch/fastText: supervised learning reads `__label__<class> <text>`.
  def lines(texts):
    return [f"__label__{('pos', 'neg')[n % 2]} {text}" for n, text in enumerate(texts)]

  root = write({train: lines(sentences(40)), test: lines(sentences(20, 40))})
  plan, records = read_all("lines", root)
  assert plan.given_splits == ("train", "eval")
  assert labels_of(records) == {"pos": 30, "neg": 30}
  assert {r.features["label"] for r in records if r.split == "eval"} == {"pos", "neg"}
  assert not any("__label__" in r.features["text"] for r in records)


def test_one_file_of_fast_text(write, read_all):
  root = write({"reviews": [f"__label__{n % 3 + 1} {s}" for n, s in enumerate(sentences(30))]})
  assert SOURCES["lines"].matches(str(root / "reviews"))
  assert labels_of(read_all("lines", root / "reviews")[1]) == {"1": 10, "2": 10, "3": 10}


def test_a_line_with_several_labels_is_rejected_and_many_are_refused(write, read_all):
  texts = [f"__label__{'ab'[n % 2]} {s}" for n, s in enumerate(sentences(60))]
  odd = ["__label__a __label__b Both of them.", "No label at all."]
  _, records = read_all("lines", write({"train.txt": [*texts, *odd]}))
  assert [(r.origin, r.reason, r.data) for r in records if isinstance(r, Rejected)] == [
    ("train.txt, row 61", "the line has 2 labels, and one is expected", odd[0].encode()),
    (
      "train.txt, row 62",
      "the line does not begin with a label such as __label__pos",
      odd[1].encode(),
    ),
  ]
  several = write({"train.txt": [t.replace(" ", " __label__x ", 1) for t in texts]})
  message = refusal(several)
  assert "60 of the 60 lines looked at have several" in message
  # The command that the message gives makes a file that is read.
  command = message.split("`")[1].replace("old.txt", "train.txt")
  subprocess.run(command, shell=True, check=True, cwd=several)
  (several / "train.txt").unlink()
  assert labels_of(read_all("lines", several)[1]) == {"a": 30, "b": 30}


def test_the_sms_spam_collection(write, read_all):
  # UCI "SMS Spam Collection": the class, a tab and the message, in a file without a suffix.
  lines = [f"{'spam' if n % 7 == 0 else 'ham'}\t{s}" for n, s in enumerate(sentences(70))]
  root = write({"SMSSpamCollection": lines, "readme": ["The SMS Spam Collection v.1 ..."]})
  assert labels_of(read_all("lines", root)[1]) == {"ham": 60, "spam": 10}
  assert SOURCES["lines"].matches(str(root / "SMSSpamCollection"))


def test_texts_beside_labels_are_refused_with_a_command_that_works(write, read_all):
  root = write(
    {"texts.txt": sentences(40), "labels.txt": ["pos" if n % 2 else "neg" for n in range(40)]}
  )
  message = refusal(root)
  assert "seem to be labels" in message
  subprocess.run(message.split("`")[1], shell=True, check=True, cwd=root)
  assert labels_of(read_all("lines", root / "joined.txt")[1]) == {"pos": 20, "neg": 20}


@pytest.mark.parametrize(
  "files",
  [
    {"X.txt": sentences(40), "y.txt": ["0", "1"] * 20},
    {"seq.in": sentences(40), "intents": ["book flight", "play music", "weather"] * 14},
    {"train.texts": sentences(20), "train.labels": ["a", "b"] * 10},
  ],
)
def test_files_of_labels_are_no_class(files, write):
  assert "seem to be labels" in refusal(write(files))


@pytest.mark.parametrize(
  ("files", "words"),
  [
    ({"train.txt": sentences(9), "test.txt": sentences(9, 9)}, "name of a split"),
    ({"pos.txt": sentences(9), "neg.txt": sentences(9), "valid.txt": sentences(9)}, "'valid'"),
    # Stanford Sentiment Treebank: `1 A fine film .` in stsa.binary.train; TREC: train_5500.label.
    (
      {
        f"stsa.binary.{s}": [f"{n % 2} {t}" for n, t in enumerate(sentences(9))]
        for s in ("train", "dev", "test")
      },
      "all are called 'binary'",
    ),
    ({"train_5500.label": sentences(9), "TREC_10.label": sentences(9, 9)}, "'train_5500'"),
    ({"part-00000": sentences(9), "part-00001": sentences(9, 9)}, "numbers of parts"),
    ({"pos.txt": sentences(9), "ids.txt": [str(n) for n in range(9)]}, "are numbers"),
    (
      {"a.txt": [f"{s}\t{n}" for n, s in enumerate(sentences(9))], "b.txt": sentences(9)},
      "has tabs in its lines",
    ),
    ({"a.txt": [f"__label__x {s}" for s in sentences(9)], "b.txt": sentences(9)}, "__label__"),
    (
      {name: [f"{n}\t{s}" for n, s in enumerate(sentences(9))] for name in ("pos", "neg")},
      "which side is the label is not clear",
    ),
    ({"pos.txt": ["a\0b c d e f g h i", "\x01\x02 k l m n"], "neg": sentences(9)}, "no text has"),
  ],
)
def test_what_is_probably_no_class_is_refused(files, words, write):
  assert words in refusal(write(files))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_pictures_are_no_lines(kind, tmp_path, make_picture):
  for n in range(3):
    (tmp_path / f"cat{n}").write_bytes(make_picture(kind, seed=n))
  assert "holds bytes that no text has" in refusal(tmp_path)


def test_what_a_person_says_holds(write, read_all):
  files = {"part-000": [f"{n}\t{s}" for n, s in enumerate(sentences(9))], "part-001": sentences(9)}
  _, records = read_all("lines", write(files), label_from="name")
  assert labels_of(records) == {"000": 9, "001": 9}
  assert sum("\t" in r.features["text"] for r in records) == 9
  root = write({"part-001": [f"{'ab'[n % 2]}\t{s}\t{n}" for n, s in enumerate(sentences(9))]})
  _, records = read_all("lines", root / "part-001", label_from="first")
  assert labels_of(records) == {"a": 5, "b": 4}
  with pytest.raises(BadInputError, match="data.label_from must be one of name, prefix, first"):
    read_all("lines", root, label_from="middle")


def test_words_that_begin_like_a_split_are_classes(write, read_all):
  files = {"training shoes.txt": sentences(9), "testimony.txt": sentences(9, 9)}
  plan, _ = read_all("lines", write(files))
  assert plan.classes == {"training shoes": 9, "testimony": 9}


def test_splits_may_end_the_names(write, read_all):
  names = ("pos.train", "neg.train", "pos.test", "neg.test")
  plan, records = read_all("lines", write({n: sentences(9, 9 * i) for i, n in enumerate(names)}))
  assert plan.given_splits == ("train", "eval")
  assert labels_of(records) == {"pos": 18, "neg": 18}


def test_a_file_of_no_split_beside_train_is_refused(write):
  files = {
    n: [f"__label__{'ab'[i % 2]} {s}" for i, s in enumerate(sentences(9))]
    for n in ("train.txt", "test.txt", "extra.txt")
  }
  assert "files of no split: 'extra.txt'" in refusal(write(files))


def test_plain_files_of_classes_stay_what_they_are(write, read_all):
  # A tab in a text, a class called by a number, a short class: none of them is another layout.
  files = {"1.txt": [*sentences(9), "a\tb c"], "5.txt": sentences(9, 9), "3.txt": ["So so", "Meh"]}
  plan, records = read_all("lines", write(files))
  assert labels_of(r for r in records if isinstance(r, Record)) == {"1": 10, "5": 9, "3": 2}
  assert plan.classes == {"1": 10, "5": 9, "3": 2}
