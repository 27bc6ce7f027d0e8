"""Which columns of a TSV are the pair: public formats are read, an unsure guess is refused."""

from __future__ import annotations

import re

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.tasks.translation.sources import SOURCES
from pipeline.tasks.translation.sources.options import PairOptions

NOUNS = [
  ("dog", "chien"),
  ("cat", "chat"),
  ("bird", "oiseau"),
  ("house", "maison"),
  ("tree", "arbre"),
]
PAIRS = [(f"I see {n} {en}s.", f"Je vois {n} {fr}s.") for n in range(8) for en, fr in NOUNS]
USERS = ["sacredceltic", "nimfeo", "gillux", "Aiji", "sysko", "Micsmithel"] * 7


@pytest.fixture
def write(tmp_path):
  def write(rows, name="pairs.tsv", head=""):
    lines = ["\t".join(map(str, row)) for row in rows]
    (tmp_path / name).write_text("\n".join([head, *lines] if head else lines), encoding="utf-8")
    return tmp_path / name

  return write


def pairs(records):
  return sorted((r.features["text"], r.features["target"]) for r in records)


def refusal(path, source="tsv", **options):
  with pytest.raises(BadInputError) as caught:
    SOURCES[source].plan(str(path), {**PairOptions.defaults(), **options})
  return str(caught.value)


@pytest.mark.parametrize(
  ("rows", "columns"),
  [
    # tatoeba.org, Downloads, "Sentence pairs": id, sentence, id, translation.
    ([(1276 + n, en, 5000 + n, fr) for n, (en, fr) in enumerate(PAIRS)], (2, 4)),
    ([(1276, en, 5000 + n, fr, USERS[n]) for n, (en, fr) in enumerate(PAIRS)], (2, 4)),
    ([("eng", en, "fra", fr) for en, fr in PAIRS], (2, 4)),
    ([("eng", en, "fra", fr) for en, fr in PAIRS[:4]], (2, 4)),
    # languagetool#10108: an id in front.
    ([(n, en, fr) for n, (en, fr) in enumerate(PAIRS)], (2, 3)),
    ([(f"tat_{n:04d}", en, fr) for n, (en, fr) in enumerate(PAIRS)], (2, 3)),
    # OPUS and ParaCrawl: a score in front.
    ([(f"{0.5 + n / 100:.3f}", en, fr) for n, (en, fr) in enumerate(PAIRS)], (2, 3)),
    ([(n, "eng", en, 90 + n, "fra", fr) for n, (en, fr) in enumerate(PAIRS)], (3, 6)),
    ([(en, n, fr) for n, (en, fr) in enumerate(PAIRS)], (1, 3)),
    ([(en, fr, n) for n, (en, fr) in enumerate(PAIRS)], (1, 2)),
    # manythings.org/anki: the third column is the attribution.
    ([(en, fr, f"CC-BY 2.0 (France) Attribution: tatoeba.org #{n} (CK)") for n, (en, fr)
      in enumerate(PAIRS)], (1, 2)),
    (PAIRS, (1, 2)),
    (PAIRS[:2], (1, 2)),
  ],
)  # fmt: skip
def test_the_columns_of_sentences_are_found(rows, columns, write, read_all):
  plan, records = read_all("tsv", write(rows))
  assert pairs(records) == sorted(PAIRS[: len(rows)])
  assert plan.recognized.fields == {
    "source": f"column {columns[0]}",
    "target": f"column {columns[1]}",
  }
  assert plan.recognized.rows == len(rows)
  assert plan.sentences()[0] == (
    f"Read as tsv: source = column {columns[0]}, target = column {columns[1]}; {len(rows)} rows; "
    "1 file: pairs.tsv."
  )


@pytest.mark.parametrize(
  ("rows", "words"),
  [
    ([(n, en) for n, (en, _) in enumerate(PAIRS)], "column 1 holds numbers"),
    ([(en, 7) for en, _ in PAIRS], "column 2 holds numbers"),
    ([(n, n + 1) for n in range(40)], "column 2 holds numbers"),  # tatoeba.org: links.csv
    ([(n, "eng", en) for n, (en, _) in enumerate(PAIRS)], "column 2 holds nothing but 'eng'"),
    ([(en, "fra" if n % 2 else "deu") for n, (en, _) in enumerate(PAIRS)], "codes such as 'deu'"),
    ([(en, USERS[n]) for n, (en, _) in enumerate(PAIRS)], "Column 2 holds single words"),
    ([(en, USERS[n % 3]) for n, (en, _) in enumerate(PAIRS)], "column 2 holds few different words"),
    # tatoeba.org: sentences_detailed.csv
    (
      [(n, "eng", en, f"{USERS[n]}{'x' * n}") for n, (en, _) in enumerate(PAIRS)],
      "Column 4 holds single words",
    ),
    ([(n, en, fr, en + fr) for n, (en, fr) in enumerate(PAIRS)], "column 4 such as 'I see"),
    ([(en, en) for en, _ in PAIRS], "column 1 and column 2 are equal"),
    ([(en, "?") for en, _ in PAIRS], "column 2 holds nothing but '?'"),
  ],
)
def test_what_is_no_language_or_unsure_is_refused_with_the_settings(rows, words, write):
  message = refusal(write(rows))
  assert words in message
  assert re.search(r"--set data.source_column=\d --set data.target_column=\d", message)


def test_columns_have_numbers(write, read_all):
  rows = [(n, en, fr, "x") for n, (en, fr) in enumerate(PAIRS)]
  plan, records = read_all("tsv", write(rows), source_column=3, target_column="2")
  assert pairs(records) == sorted((fr, en) for en, fr in PAIRS)
  assert plan.fingerprint != read_all("tsv", write(rows))[0].fingerprint
  # What is named is taken: numbers may be what is translated.
  assert pairs(read_all("tsv", write(rows), source_column=1, target_column=2)[1])[0] == (
    "0",
    "I see 0 dogs.",
  )
  assert (
    read_all("tsv", write(rows), source_column=1, target_column=2, reverse=True)[0]
    .sentences()[0]
    .startswith("Read as tsv: source = column 2, target = column 1;")
  )


@pytest.mark.parametrize(
  ("options", "words"),
  [
    ({"source_column": 2, "target_column": 5}, "at least 5 columns"),
    ({"source_column": 2, "target_column": 2}, "Both data.source_column and data.target_column"),
    ({"source_column": 0, "target_column": 1}, "numbers from 1. Received: source_column=0"),
    ({"source_column": True, "target_column": 1}, "Received: source_column=True"),
    ({"source_column": 2}, "Received: target_column=None"),
    ({"source_column": "en", "target_column": "fr"}, "--set data.source=table"),
  ],
)
def test_numbers_that_are_no_columns_are_refused(options, words, write):
  rows = [(n, en, fr) for n, (en, fr) in enumerate(PAIRS)]
  assert words in refusal(write(rows), **options)


def test_a_line_with_too_few_columns_is_rejected(write, read_all):
  rows = [(n, en, 9, fr) for n, (en, fr) in enumerate(PAIRS)]
  _, records = read_all("tsv", write([*rows, ("41", "alone")]))
  rejected = [r for r in records if isinstance(r, Rejected)]
  assert [(r.origin, r.reason) for r in rejected] == [
    ("pairs.tsv, row 41", "expected at least 4 columns; the line has 2")
  ]
  assert len([r for r in records if isinstance(r, Record)]) == 40


@pytest.mark.parametrize(
  ("head", "rows"),
  [
    ("English\tFrench", PAIRS),
    ("en\tfr", PAIRS),
    ("Source\tTranslation", PAIRS),
    ("English sentence\tSentence 2", PAIRS),
    ("id\tsentence_1\tsentence_2", [(n, en, fr) for n, (en, fr) in enumerate(PAIRS)]),
  ],
)
def test_a_header_is_no_pair(head, rows, write, read_all):
  plan, records = read_all("tsv", write(rows, head=head))
  assert pairs(records) == sorted(PAIRS)
  assert plan.recognized.rows == len(PAIRS)
  assert f"line 1 (a header: {head.replace(chr(9), ', ')})" in plan.sentences()[-1]


@pytest.mark.parametrize("head", ["Go.\tVa !", "it\tes", "English is hard.\tL'anglais est dur."])
def test_a_first_pair_is_no_header(head, write, read_all):
  words = [(f"word{'abcdefgh'[n]}", f"wort{'abcdefgh'[n]}") for n in range(8)]
  assert len(read_all("tsv", write(words, head=head))[1]) == 9


def test_swapped_and_equal_pairs_are_warned_of(write, read_all):
  rows = [*PAIRS, PAIRS[3][::-1], *[(f"OK {w}.", f"OK {w}.") for w in ("Tom", "Mary", "Ann")]]
  warnings = read_all("tsv", write(rows))[0].recognized.warnings
  assert warnings[0].startswith("3 of the 44 pairs looked at have equal sides, such as 'OK Tom.'")
  assert warnings[1].startswith("1 of the 44 pairs looked at stand there a second time with their")
  assert read_all("tsv", write(PAIRS))[0].recognized.warnings == []
  turned = [pair[::-1] if n % 10 == 3 else pair for n, pair in enumerate(PAIRS)]
  assert read_all("tsv", write(turned))[0].recognized.warnings == [
    (
      "4 of the 40 pairs looked at seem to have their sides swapped, such as 'Je vois 0 maisons.', "
      "'I see 0 houses.'"
    )
  ]
