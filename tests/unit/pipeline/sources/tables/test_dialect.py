"""Separators and headers that a user says, and first rows that are none."""

from __future__ import annotations

import json

import pytest

from dlpipe.errors import BadInputError
from pipeline.sources import tables
from pipeline.sources.tables import dialect

FLAGS = {"text": "--set data.text_column=...", "label": "--set data.label_column=..."}
SMS = "ham\tGo until jurong, crazy\nspam\tFree entry\nham\tOk lar\n"


def read(path, columns=None, **options):
  said = dialect.from_options(options)
  shards = json.loads(json.dumps(tables.plan_shards(str(path), columns, dialect=said)))
  return [row for shard in shards for row in tables.rows(shard)]


def refusal(path, columns, usual=("text", "label"), **options):
  said = dialect.from_options(options)
  flags = dict(zip(columns, FLAGS.values(), strict=True))
  with pytest.raises(BadInputError) as caught:
    tables.plan_shards(
      str(path), columns, flags=flags, dialect=said, set_with="--set data.", usual=usual
    )
  return str(caught.value)


@pytest.mark.parametrize(
  ("said", "character"),
  [
    *(("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("pipe", "|"), ("space", " ")),
    *((mark, mark) for mark in ",;|\t^]-\\:~"),
    ("\\t", "\t"),
  ],
)
def test_any_separator_can_be_said(said, character, tmp_path):
  rows = [("text", "label"), (f"a{character}b", "x"), ("plain", "")]
  quoted = "\n".join(character.join(f'"{field}"' for field in row) for row in rows)
  (tmp_path / "x.csv").write_text(quoted)
  assert [tuple(r.values.values()) for r in read(tmp_path / "x.csv", separator=said)] == rows[1:]
  (tmp_path / "y.csv").write_text(f"text{character}label\nplain{character}x\n")
  assert [r.values["label"] for r in read(tmp_path / "y.csv", separator=said)] == ["x"]


@pytest.mark.parametrize("said", ["", "::", "a", "7", '"', "\n", "ö", 5, True])
def test_what_is_no_separator_is_refused(said):
  with pytest.raises(BadInputError, match="data.separator must be comma, semicolon, tab, pipe"):
    dialect.from_options({"separator": said})


def test_a_header_is_true_or_false():
  with pytest.raises(BadInputError, match="data.header must be true or false. Received: header=0"):
    dialect.from_options({"header": 0})


def test_columns_without_a_header_are_numbered_and_the_first_row_is_read(tmp_path):
  path = tmp_path / "sms.tsv"
  path.write_text("\ufeff" + SMS, encoding="utf-8")
  rows = read(path, ["2", "1"], header=False)
  assert [(row.origin, row.values) for row in rows] == [
    ("sms.tsv, row 1", {"1": "ham", "2": "Go until jurong, crazy"}),
    ("sms.tsv, row 2", {"1": "spam", "2": "Free entry"}),
    ("sms.tsv, row 3", {"1": "ham", "2": "Ok lar"}),
  ]
  path.write_text(SMS + "ham\n")
  assert read(path, header=False)[3].reason == (
    "expected 2 fields, as in the first row; the row has 1"
  )


def test_a_file_of_any_name_is_a_table_where_its_separator_is_said(tmp_path):
  path = tmp_path / "SMSSpamCollection"
  path.write_text(SMS)
  assert len(read(path, separator="tab", header=False)) == 3
  with pytest.raises(BadInputError, match="one of another name needs data.separator"):
    tables.files(str(path))


def test_a_first_row_of_data_is_told_with_the_settings_that_read_it(tmp_path):
  # What AG News, Sentiment140 and the SMS Spam Collection look like.
  (tmp_path / "sms.tsv").write_text(SMS)
  settings = (
    "'ham' stands in row 3, too. Say what it is: --set data.header=true, or --set "
    "data.header=false --set data.text_column=NUMBER --set data.label_column=NUMBER, where the "
    "columns are 1 ('ham'), 2 ('Go until jurong, crazy')"
  )
  missing = refusal(tmp_path / "sms.tsv", ["text", "label"])
  assert "Expected a column 'text'" in missing
  assert missing.endswith(settings)
  # Naming columns by the first row would lose it.
  assert refusal(tmp_path / "sms.tsv", ["Go until jurong, crazy", "ham"]).endswith(settings)


def test_a_header_is_a_header_where_it_is_said_or_has_a_usual_name(tmp_path):
  path = tmp_path / "x.csv"
  path.write_text("message,spam\na,spam\nb,ham\n")
  assert "'spam' stands in row 2, too" in refusal(path, ["message", "spam"])
  for said in ({"usual": ("text", "message")}, {"dialect": tables.Dialect(header=True)}):
    assert tables.plan_shards(str(path), ["message", "spam"], set_with="--set data.", **said)


@pytest.mark.parametrize(
  "text",
  [
    ",0,1\n0,a film,1\n1,a book,0\n",  # as pandas numbers columns
    "sms,kind\nsms,kind\na,x\n",  # as joined files repeat it
    "sms,kind\na,x\nb,y\n",
  ],
)
def test_headers_are_no_data(text, tmp_path):
  (tmp_path / "x.csv").write_text(text)
  names = [name for name in tables.columns(str(tmp_path / "x.csv")) if name != "column 1"]
  assert tables.plan_shards(str(tmp_path / "x.csv"), names, set_with="--set data.")


def test_a_wrong_number_is_told_with_the_columns(tmp_path):
  (tmp_path / "sms.tsv").write_text(SMS)
  assert refusal(tmp_path / "sms.tsv", ["3", "1"], header=False) == (
    f"Expected a column '3' in {str(tmp_path / 'sms.tsv')!r}. Its columns are: 1 ('ham'), 2 ('Go "
    "until jurong, crazy'). Name the right one with --set data.text_column=..."
  )


@pytest.mark.parametrize(
  ("header", "options", "name"),
  [
    ("text;label", {}, "semicolon"),
    ("text|label", {}, "pipe"),
    ("text\tlabel", {}, "tab"),
    ("id;text;label, that is", {}, "semicolon"),
    ("text,label", {"separator": ";"}, "comma"),
    ("5;good film", {"header": False}, "semicolon"),
  ],
)
def test_another_separator_is_told_with_the_setting_that_reads_it(header, options, name, tmp_path):
  (tmp_path / "x.csv").write_text(f"{header}\n")
  message = refusal(tmp_path / "x.csv", ["text", "label"], **options)
  assert message.endswith(f"Read it with --set data.separator={name}")


@pytest.mark.parametrize("option", [{"separator": ";"}, {"header": False}])
def test_files_that_say_it_themselves_take_no_dialect(option, tmp_path):
  (tmp_path / "x.jsonl").write_text('{"a": 1}\n')
  with pytest.raises(BadInputError, match="are for CSV and TSV. .* is JSONL"):
    read(tmp_path / "x.jsonl", **option)


@pytest.mark.parametrize("options", [{}, {"separator": ";"}])
def test_excels_note_of_the_separator_is_no_header(options, tmp_path):
  (tmp_path / "x.csv").write_text("\ufeffsep=;\r\ntext;label\r\na;1\r\n", encoding="utf-8")
  with pytest.raises(BadInputError, match="'sep=;'; delete that line"):
    read(tmp_path / "x.csv", **options)
