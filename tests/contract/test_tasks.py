"""What shared code relies on, for every task that is found: a new task is tested by being there."""

import importlib
import inspect
import json
import pathlib
import re
import subprocess
import sys

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from dlpipe.dotted_paths import load_function
from dlpipe.fingerprint import code_fingerprint, udf_path
from dlpipe.records import SourcePlan
from pipeline import kinds
from pipeline.evaluation import eval_config
from pipeline.params import TRAIN_NAMES, Role
from pipeline.settings.known_settings import known_settings
from pipeline.settings.reading import make_config
from pipeline.task import Phase
from pipeline.tasks import get_task, schema_path, task_names

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_DOTTED = (
  "preprocessing_fn",
  "build_model",
  "compile_args",
  "training_plan",
  "answer",
  "search_space",
  "metrics",
  "rows",
  "findings",
  "input.explain",
)


@pytest.fixture(params=task_names())
def task(request):
  return get_task(request.param)


@pytest.fixture
def schema(task):
  text = schema_path(task.name).read_text("utf-8")
  return text_format.Parse(text, schema_pb2.Schema())


@pytest.fixture
def shipped(task, tmp_path_factory, monkeypatch):
  """The path of the task's sample data, and the source that reads it."""
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
  path = task.shipped_data()
  name, source = next((n, s) for n, s in task.sources.items() if s.matches(path))
  return path, name, source


def _params(task, shipped, *, tiny=False):
  path, name, _ = shipped
  config = make_config(task, data_path=path, workspace="w", tiny=tiny)
  params = config.params(task)
  if task.infer:
    params = task.infer(name, path, config.data_options(task), params)
  return params


def test_the_name_is_the_folders_and_fits_every_place_it_goes_to(task):
  assert re.fullmatch(r"[a-z][a-z0-9_]*", task.name)
  module = importlib.import_module(f"pipeline.tasks.{task.name}.task")
  assert module.TASK is task
  assert task.summary.endswith(".")
  assert "\n" not in task.summary


@pytest.mark.parametrize("field", _DOTTED)
def test_functions_by_dotted_path_are_there_and_are_ours(task, field):
  path = task.dotted_paths()[field]
  function = load_function(path)
  assert udf_path(function) == path
  assert len(code_fingerprint(path)) == 64


def test_preprocessing_takes_what_transform_gives_it(task):
  parameters = inspect.signature(load_function(task.preprocessing_fn)).parameters
  assert list(parameters) == ["inputs", "params"]


def test_importing_a_task_imports_no_framework(task):
  code = (
    f"import sys, pipeline.tasks.{task.name}.task\n"
    "heavy = {'tensorflow', 'keras', 'tfx', 'apache_beam', 'pandas'}\n"
    "print(sorted(heavy & set(sys.modules)))\n"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, check=True
  )
  assert done.stdout.strip() == "[]"


def test_gates_hold_metrics_that_are_computed(task):
  assert task.gates
  computed = {json.loads(m.config)["name"] for m in load_function(task.problem.metrics)()}
  for gate in task.gates:
    assert gate.metric in computed
    assert gate.bound is not None or gate.max_regression is not None
    assert gate.direction in ("higher", "lower")
    assert gate.max_regression is None or gate.max_regression >= 0
    assert len(gate.reason.split()) > 3
  names = [gate.metric for gate in task.gates]
  assert len(set(names)) == len(names)
  # Some bound holds for the first model too, which has none to be compared with.
  assert any(gate.bound is not None for gate in task.gates)


def test_the_evaluators_configuration_can_be_built(task):
  config = eval_config(task)
  names = [json.loads(m.config)["name"] for spec in config.metrics_specs for m in spec.metrics]
  assert {gate.metric for gate in task.gates} <= set(names)


def test_every_task_has_the_shared_hyperparameters_and_tiny_knows_its_names(task):
  usual, tiny = task.params.usual().as_json(), task.params.tiny().as_json()
  assert set(TRAIN_NAMES) <= set(usual)
  assert tiny != usual
  assert list(tiny) == list(usual)
  for name, value in tiny.items():
    assert usual[name] is None or type(value) is type(usual[name]), name


def test_a_change_of_what_is_declared_trains_nothing_anew(task):
  # Values are given to a training one by one; code in the class would be, by its fingerprint.
  assert task.params.code_modules() == ()
  own = f"pipeline.tasks.{task.name}.params"
  for path in (task.preprocessing_fn, task.build_model, task.training_plan, task.adapt):
    if path and path.startswith(f"pipeline.tasks.{task.name}."):
      source = pathlib.Path(inspect.getfile(load_function(path))).read_text("utf-8")
      assert f"\nfrom {own} import" not in source


def test_what_may_be_set_does_not_collide_and_is_described(task):
  settings = known_settings(task)
  keys = [setting.key for setting in settings]
  assert len(set(keys)) == len(keys)
  for setting in settings:
    assert setting.meaning, setting.key
    assert setting.takes != "any value", setting.key
    if setting.tiny is not None:
      assert kinds.fits(setting.kind, setting.tiny), setting.key


@pytest.mark.parametrize("tiny", [False, True])
def test_hyperparameters_survive_json_and_give_a_plan(task, shipped, tiny):
  params = _params(task, shipped, tiny=tiny)
  values = json.loads(json.dumps(params.as_json()))
  assert task.params.of(values) == params
  assert params.as_json() == values
  phases = load_function(task.training_plan)(params)
  assert phases
  assert all(isinstance(p, Phase) and p.epochs > 0 for p in phases)
  assert all(p.learning_rate > 0 for p in phases if not p.output)
  assert len({p.name for p in phases}) == len(phases)
  assert None not in params.as_json(Role.TRANSFORM).values()


def test_tiny_trains_as_many_epochs_as_it_says(task, shipped):
  params = _params(task, shipped, tiny=True)
  for phase in load_function(task.training_plan)(params):
    assert phase.min_steps == 0
    if phase.epochs_setting is None:
      continue
    said = getattr(task.params.tiny(), phase.epochs_setting)
    assert phase.epochs == getattr(params, phase.epochs_setting) == said


def test_every_number_of_epochs_can_be_set_or_is_refused(task, shipped):
  params = _params(task, shipped)
  unread = params.unread()
  phases = load_function(task.training_plan)(params)
  counted_by_user = [phase for phase in phases if phase.epochs_setting is not None]
  assert set(unread) <= set(params.as_json())
  lifted = {phase.epochs_setting for phase in phases if phase.min_steps}
  counted = set(params.names_with(Role.EPOCHS))
  if "min_steps" in params.as_json():
    assert lifted == counted - set(unread)
  for phase in counted_by_user:
    changed = params.replace(**{phase.epochs_setting: 17})
    [same] = [p for p in load_function(task.training_plan)(changed) if p.name == phase.name]
    assert same.epochs == 17
  for name in counted & set(unread):
    assert load_function(task.training_plan)(params.replace(**{name: 17})) == phases


def test_the_schema_has_what_the_task_reads(task, schema):
  features = {f.name: f for f in schema.feature}
  assert {task.input.key, task.label_key, *task.slices} <= set(features)
  for name in (task.input.key, task.label_key):
    presence = features[name].presence
    assert presence.min_fraction == 1.0, name
    assert presence.min_count >= 1, name


def test_the_monitor_is_a_metric_of_the_compiled_model(task, shipped):
  name, mode = task.problem.monitor
  assert mode in ("min", "max")
  assert name.startswith("val_")
  if name != "val_loss":
    compiled = load_function(task.problem.compile_args)(_params(task, shipped))
    assert name.removeprefix("val_") in {metric.name for metric in compiled["metrics"]}
    assert mode == "max"


def test_compile_args_are_made_anew_each_time(task, shipped):
  params = _params(task, shipped)
  first, second = (load_function(task.problem.compile_args)(params) for _ in range(2))
  assert set(first) <= {"loss", "metrics", "optimizer"}
  # A model with a training step of its own may need none.
  pairs = zip(first.get("metrics", []), second.get("metrics", []), strict=True)
  assert all(a is not b for a, b in pairs)


def test_the_search_space_varies_known_names_around_the_defaults(task, shipped):
  keras_tuner = importlib.import_module("keras_tuner")
  params = _params(task, shipped)
  space = keras_tuner.HyperParameters()
  load_function(task.search_space)(space, params)
  assert space.space
  assert set(space.values) <= set(params.as_json()) - set(params.names_with(Role.TRANSFORM))
  for name, value in space.values.items():
    assert value == pytest.approx(getattr(params, name), rel=0.2), name


def test_sources_describe_themselves_and_their_functions_have_paths(task):
  assert task.sources
  for name, source in task.sources.items():
    assert source.description, name
    assert load_function(udf_path(source.plan)) is source.plan
    assert load_function(udf_path(source.read)) is source.read


def test_the_shipped_data_is_read_into_what_the_schema_says(task, schema, shipped):
  path, name, source = shipped
  plan = source.plan(path, task.data_options.defaults())
  assert isinstance(plan, SourcePlan)
  # The name that --set data.source=... takes.
  assert plan.recognized is None or plan.recognized.layout == name
  assert plan.fingerprint == source.plan(path, task.data_options.defaults()).fingerprint
  # Shards travel as JSON.
  shards = json.loads(json.dumps(list(plan.shards)))
  record = next(iter(source.read(shards[0], task.data_options.defaults())))
  assert {task.input.key, task.label_key} <= set(record.features)
  assert set(record.features) <= {f.name for f in schema.feature}


def test_the_sample_input_can_be_described(task, shipped):
  if task.input.describe is None:
    pytest.skip("the task describes no inputs")
  value = task.input.value(task.input.sample())
  described = load_function(task.input.describe)(value)
  assert described.excerpt
  assert all(length > 0 for length in described.lengths.values())
  assert described.key or len(described.thumbnail) == 72
  assert udf_path(load_function(task.input.describe)) == task.input.describe


def test_the_rule_lets_the_sample_input_through_and_refuses_what_is_missing(task, shipped):
  rule = load_function(task.input.rule)
  bounds = {name: task.data_options.defaults()[name] for name in task.input.bounds}
  value = task.input.value(task.input.sample())
  fine, missing = rule(tf.constant([value, b""]), bounds).numpy().tolist()
  assert fine == b""
  assert b"empty" in missing
  assert rule(tf.constant([], tf.string), bounds).shape == [0]
