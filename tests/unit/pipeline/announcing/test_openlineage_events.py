"""OpenLineage events reach a real server, and are those that its own classes take back."""

import dataclasses
import math

import pytest

pytest.importorskip("openlineage.client", reason="the extra openlineage brings it")

from openlineage.client import event_v2
from openlineage.client.facet_v2 import (
  data_quality_assertions_dataset,
  data_quality_metrics_input_dataset,
  dataset_version_dataset,
  error_message_run,
  job_type_job,
  processing_engine_run,
  tags_run,
)

from components.data_gate import Check
from pipeline.announcing import openlineage_events
from pipeline.announcing.notices import NotToldError

KEY = "kEy"
# Facet to the class whose fields it must have.
FACETS = {
  "jobType": job_type_job.JobTypeJobFacet,
  "processing_engine": processing_engine_run.ProcessingEngineRunFacet,
  "errorMessage": error_message_run.ErrorMessageRunFacet,
  "version": dataset_version_dataset.DatasetVersionDatasetFacet,
  "dataQualityMetrics": data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet,
  "tags": tags_run.TagsRunFacet,  # which the client adds
  "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet,
}


def _emit(record, settings, url, *, key=KEY, checks=(), **changes):
  config = settings(f"tracking.openlineage_url={url}")
  data = dataclasses.replace(record(**changes), data_checks=checks)
  openlineage_events.emit(data, config, key=key)


def _check_facets(facets):
  for name, facet in facets.items():
    if name == "dlpipe_run":
      assert facet["_producer"] == "dlpipe://dlpipe"
      assert facet["_schemaURL"].endswith("RunFacet")
      continue
    given = {key.lstrip("_"): value for key, value in facet.items() if key != "_schemaURL"}
    kind = FACETS[name]
    made = kind(**{key: value for key, value in given.items() if key != "deleted"})
    assert made._schemaURL == facet["_schemaURL"]


def test_a_run_is_a_start_and_a_completion(web, record, settings, tmp_path):
  url, taken = web(201)
  check = Check(name="bad_fraction", bound="<= 0.05", value=0.02, passed=True, reason="")
  _emit(record, settings, url, checks=[check])
  assert [path for path, _, _ in taken] == ["/api/v1/lineage"] * 2
  assert all(headers["Authorization"] == f"Bearer {KEY}" for _, headers, _ in taken)
  start, end = (document for _, _, document in taken)
  assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
  assert start["eventTime"] == "2026-01-01T00:00:00+00:00"
  assert start["run"]["runId"] == end["run"]["runId"]
  for event in (start, end):
    assert event["schemaURL"].endswith("OpenLineage.json#/$defs/RunEvent")
    assert (event["job"]["namespace"], event["job"]["name"]) == ("dlpipe", "images")
    event_v2.Run(runId=event["run"]["runId"])
    _check_facets(event["run"]["facets"])
    _check_facets(event["job"]["facets"])
    for each in (*event["inputs"], *event["outputs"]):
      _check_facets(each["facets"])
      _check_facets(each.get("inputFacets") or {})
  [source] = end["inputs"]
  assert (source["namespace"], source["name"]) == ("file", "/data/pictures")
  assert source["inputFacets"]["dataQualityMetrics"]["rowCount"] == 92
  [assertion] = source["inputFacets"]["dataQualityAssertions"]["assertions"]
  assert (assertion["assertion"], assertion["success"]) == ("bad_fraction <= 0.05", True)
  [served] = end["outputs"]
  assert served["name"] == str(tmp_path / "images" / "serving")
  assert served["facets"]["version"]["datasetVersion"] == "7"
  facet = end["run"]["facets"]["dlpipe_run"]
  assert (facet["state"], facet["version"]) == ("pushed", 7)
  assert facet["metrics"] == {"accuracy": 0.9, "skill": 0.75}
  assert facet["gates"][0]["metric"] == "skill"


def test_a_run_that_fails_says_why(web, record, settings):
  url, taken = web(201)
  _emit(
    record,
    settings,
    url,
    state="failed",
    error="out of memory",
    pushed_version=None,
    metrics={"loss": math.nan},
  )
  end = taken[-1][2]
  assert end["eventType"] == "FAIL"
  assert end["run"]["facets"]["errorMessage"]["message"] == "out of memory"
  assert end["run"]["facets"]["dlpipe_run"]["metrics"] == {}, "no number in JSON"
  assert end["outputs"] == []


def test_a_backend_that_refuses_is_named_without_the_key(web, record, settings):
  url, taken = web(403)
  with pytest.raises(NotToldError, match="403") as refused:
    _emit(record, settings, url)
  assert KEY not in str(refused.value)
  assert len(taken) == 1


def test_the_clients_own_variables_have_no_say(web, record, settings, monkeypatch):
  url, taken = web(201)
  monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
  monkeypatch.setenv("OPENLINEAGE_API_KEY", "another")
  _emit(record, settings, url, key=None)
  assert len(taken) == 2
  assert "Authorization" not in taken[0][1]
