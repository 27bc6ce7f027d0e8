"""The predictions of the model with which a run's model was compared."""

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.rows.files import FILE
from pipeline.runs.shown.previous import Previous, previous_predictions


class _Store:
  """A metadata store in memory, and what it takes to record an evaluation."""

  def __init__(self, folder):
    config = pb.ConnectionConfig()
    config.fake_database.SetInParent()
    self.store = metadata_store.MetadataStore(config)
    self._folder = folder
    self._types = {
      "model": self.store.put_artifact_type(pb.ArtifactType(name="Model")),
      "predictions": self.store.put_artifact_type(pb.ArtifactType(name="Predictions")),
      "evaluator": self.store.put_execution_type(pb.ExecutionType(name="Evaluator")),
      "run": self.store.put_context_type(pb.ContextType(name="pipeline_run")),
    }

  def model(self):
    [number] = self.store.put_artifacts([pb.Artifact(type_id=self._types["model"])])
    return number

  def evaluate(self, run, model, baseline=None, written=True):
    """Records an Evaluator; returns its predictions."""
    folder = self._folder / run
    folder.mkdir()
    if written:
      (folder / FILE).touch()
    artifact = pb.Artifact(type_id=self._types["predictions"], uri=str(folder))
    [artifact.id] = self.store.put_artifacts([artifact])
    given = {"model": model, **({"baseline_model": baseline} if baseline else {})}
    events = [(pb.Event.INPUT, name, number) for name, number in given.items()]
    [run_id] = self.store.put_contexts([pb.Context(type_id=self._types["run"], name=run)])
    [execution] = self.store.put_executions([pb.Execution(type_id=self._types["evaluator"])])
    for kind, name, number in [*events, (pb.Event.OUTPUT, "predictions", artifact.id)]:
      event = pb.Event(artifact_id=number, execution_id=execution, type=kind)
      event.path.steps.add().key = name
      self.store.put_events([event])
    self.store.put_attributions_and_associations(
      [], [pb.Association(execution_id=execution, context_id=run_id)]
    )
    return artifact


@pytest.fixture
def recorded(tmp_path):
  """A store without runs."""
  return _Store(tmp_path)


def _of(recorded, predictions):
  return previous_predictions(recorded.store, {"Evaluator": {"predictions": predictions}})


def test_it_is_the_model_that_the_evaluator_was_given(recorded, tmp_path):
  first, second, third = recorded.model(), recorded.model(), recorded.model()
  recorded.evaluate("r1", first)
  recorded.evaluate("r2", second, first)
  compared = recorded.evaluate("r3", third, first)  # r2's model was refused
  assert _of(recorded, compared) == Previous(run_id="r1", predictions=tmp_path / "r1")


def test_the_latest_evaluation_whose_files_are_there_counts(recorded, tmp_path):
  first, second = recorded.model(), recorded.model()
  recorded.evaluate("r1", first)
  recorded.evaluate("r2", first)
  recorded.evaluate("r3", first, written=False)
  compared = recorded.evaluate("r4", second, first)
  assert _of(recorded, compared).run_id == "r2"


def test_without_a_model_before_files_or_an_evaluation_there_is_none(recorded):
  first, second = recorded.model(), recorded.model()
  alone = recorded.evaluate("r1", first, written=False)
  assert _of(recorded, alone) is None
  assert _of(recorded, recorded.evaluate("r2", second, first)) is None
  assert previous_predictions(recorded.store, {}) is None
