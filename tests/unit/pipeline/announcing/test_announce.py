"""Who is told of a run: what the settings name, nothing in clear, and no failure that counts."""

import sys

import pytest

from dlpipe.errors import BadInputError, BusyError, DlpipeError
from dlpipe.verdicts import Ruling
from pipeline.announcing import announce
from pipeline.announcing.notices import notice_of
from pipeline.api.inputs import prepare
from pipeline.settings.config import PipelineConfig

HOOK = "notify.webhook=env:HOOK"


@pytest.mark.parametrize(
  ("changes", "events"),
  [
    ({}, ("pushed",)),
    ({"state": "cached"}, ()),
    ({"state": "refused_data", "error": "too few"}, ("refused",)),
    ({"state": "refused_model"}, ("refused",)),
    ({"state": "failed", "error": "out of memory"}, ("failed",)),
    (
      {"gates": [Ruling(metric="drift.text.words", bound="<= 0.2", value=0.5, passed=False)]},
      ("pushed", "drift"),
    ),
    (
      {"data_findings": [{"name": "drift", "level": "warning", "what": "words are longer"}]},
      ("pushed", "drift"),
    ),
    (
      {"gates": [Ruling(metric="drift.text.words", bound="<= 0.2", value=0.1, passed=True)]},
      ("pushed",),
    ),
  ],
)
def test_what_there_is_to_tell(record, changes, events):
  notice = notice_of(record(**changes).result)
  assert notice.events == events
  if "drift" in events:
    assert "drift.text.words 0.5, must be <= 0.2" in notice.text or "words are" in notice.text


def test_a_refused_model_is_told_with_its_bound(record):
  gate = Ruling(metric="skill", bound=">= 0.9", value=0.5, passed=False, reason="it guesses")
  text = notice_of(record(state="refused_model", gates=[gate], error="refused").result).text
  assert "skill 0.5, must be >= 0.9: it guesses" in text


def test_only_what_was_asked_for_is_told(web, record, settings):
  url, taken = web(200)
  config = settings(HOOK, "notify.events=[failed, drift]")
  for changes in ({}, {"state": "cached"}, {"state": "refused_model"}):
    assert announce.announce(record(**changes), config, {"HOOK": url}) == []
  assert taken == []
  assert announce.announce(record(state="failed", error="no"), config, {"HOOK": url}) == []
  assert [document["events"] for _, _, document in taken] == [["failed"]]


def test_who_cannot_be_told_is_named_and_the_others_are_told(web, record, settings, tmp_path):
  url, taken = web(404)
  code = "import sys; open(sys.argv[1], 'w').write('told')"
  words = f'"{sys.executable}" -c "{code}" "{tmp_path}/told"'
  config = settings(HOOK, f"notify.command='{words.replace(chr(39), chr(39) * 2)}'")
  said = announce.announce(record(), config, {"HOOK": f"{url}/sEcReT"})
  assert said == [
    "notify.webhook was not told: the server answered 404. What the run came to stands."
  ]
  assert len(taken) == 1
  assert (tmp_path / "told").read_text() == "told"
  [said] = announce.announce(record(), settings(HOOK), {})
  assert said == (
    "notify.webhook was not told: notify.webhook is in the variable HOOK of the environment, which "
    "is not set or empty. What the run came to stands."
  )


def test_a_secret_may_be_in_a_file(web, record, settings, tmp_path):
  url, taken = web(200)
  for name, text in (("hook", f"{url}/a\n"), ("token", " t0kEn \n")):
    (tmp_path / name).write_text(text)
  config = settings(
    f"notify.webhook=file:{tmp_path}/hook", f"notify.webhook_token=file:{tmp_path}/token"
  )
  announce.require(config, {})
  assert announce.announce(record(), config, {}) == []
  assert taken[0][1]["Authorization"] == "Bearer t0kEn"
  assert "t0kEn" not in config.model_dump_json()
  assert url not in config.model_dump_json()


@pytest.mark.parametrize(
  "setting",
  [
    "notify.webhook=https://hooks.example.com/services/sEcReT",
    "notify.webhook_token=sEcReT",
    "notify.smtp_password=sEcReT",
    "tracking.openlineage_key=sEcReT",
    "tracking.mlflow_token=sEcReT",
  ],
)
def test_a_secret_in_clear_is_refused_and_not_repeated(settings, setting):
  with pytest.raises(BadInputError) as refused:
    settings(setting)
  assert "give env:NAME, a variable of the environment, or file:PATH" in str(refused.value)
  assert "sEcReT" not in str(refused.value)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    (None, r"is in the file '.*gone', which cannot be read: No such file"),
    ("", r"is in the file '.*gone', which is empty"),
    ("a\nb", r"is in '.*gone', which has several lines"),
  ],
)
def test_a_run_does_not_begin_without_its_secrets(settings, tmp_path, text, message):
  if text is not None:
    (tmp_path / "gone").write_text(text)
  config = settings(f"notify.webhook=file:{tmp_path}/gone")
  with pytest.raises(BadInputError, match=f"^notify.webhook {message}"):
    announce.require(config, {})


@pytest.mark.parametrize(
  ("setting", "extra"),
  [("openlineage_url=http://marquez:5000", "openlineage"), ("mlflow_uri=file:///m", "mlflow")],
)
def test_a_client_that_is_missing_is_named_with_its_command(settings, monkeypatch, setting, extra):
  monkeypatch.setattr(announce, "_is_installed", lambda module: False)
  with pytest.raises(BadInputError, match=rf"uv pip install --editable '\.\[{extra}\]'"):
    announce.require(settings(f"tracking.{setting}"), {})


def test_a_run_without_a_record_is_told_too(web, record, settings):
  url, taken = web(200, 500)
  config = settings(HOOK, "notify.retries=0")
  with (
    pytest.raises(DlpipeError, match="^the disk is full$"),
    announce.failures_told(config, "r1", {"HOOK": url}),
  ):
    raise DlpipeError("the disk is full")
  [(_, _, document)] = taken
  assert (document["events"], document["run"]["error"]) == (["failed"], "the disk is full")
  with (
    pytest.raises(DlpipeError, match=r"^the disk is full\nnotify.webhook was not told: the server"),
    announce.failures_told(config, "r1", {"HOOK": url}),
  ):
    raise DlpipeError("the disk is full")


@pytest.mark.parametrize(
  ("error", "said"),
  [
    (OSError(28, "No space left on device"), "no space is left on a disk"),
    (KeyError("nobody foresaw this"), "KeyError: 'nobody foresaw this'"),
  ],
)
def test_a_failure_that_is_no_sentence_is_told_too(web, settings, error, said):
  url, taken = web(200)
  with (
    pytest.raises(type(error)) as raised,
    announce.failures_told(settings(HOOK), "r1", {"HOOK": url}),
  ):
    raise error
  assert raised.value is error
  [(_, _, document)] = taken
  assert said in document["run"]["error"]


def test_what_nobody_foresaw_in_telling_changes_nothing_and_shows_no_secret(
  web, record, settings, tmp_path, monkeypatch
):
  def broken(*arguments, **options):
    raise RuntimeError("https://hooks.example.com/services/sEcReT")

  monkeypatch.setattr(announce.webhook, "post", broken)
  done = tmp_path / "told"
  config = settings(HOOK, f"notify.command=touch {done}")
  [said] = announce.announce(record(), config, {"HOOK": "https://hooks.example.com/sEcReT"})
  assert said.startswith("notify.webhook was not told: RuntimeError, which was not foreseen.")
  assert done.exists()


def test_names_that_are_no_text_are_told_with_escapes(web, record, settings):
  url, taken = web(200)
  failed = record(state="failed", error="/data/gr\udcfcn.csv cannot be read")
  assert announce.announce(failed, settings(HOOK), {"HOOK": url}) == []
  [(_, _, document)] = taken
  assert r"/data/gr\udcfcn.csv cannot be read" in document["text"]


def test_another_run_at_work_is_no_failure(web, settings):
  url, taken = web(200)
  with pytest.raises(BusyError), announce.failures_told(settings(HOOK), "r1", {"HOOK": url}):
    raise BusyError("another run is at work")
  assert taken == []


def test_a_night_without_data_is_told(web, tmp_path, monkeypatch):
  url, taken = web(200)
  monkeypatch.setenv("HOOK", url)
  given = {
    "task": "images",
    "data": str(tmp_path / "day-2"),
    "workspace": str(tmp_path),
    "config_file": None,
    "settings": [HOOK],
    "tiny": False,
    "beam": None,
  }
  with pytest.raises(BadInputError, match="There is no '.*day-2'"):
    prepare(**given, tells=True)
  assert [document["run"]["state"] for _, _, document in taken] == ["failed"]
  with pytest.raises(BadInputError, match="There is no '.*day-2'"):
    prepare(**given)  # as `dlpipe check` does
  assert len(taken) == 1


def test_a_configuration_can_be_read_back(settings):
  config = settings(HOOK, "notify.events=[pushed]")
  assert PipelineConfig.model_validate_json(config.model_dump_json()) == config
