"""Tasks are found by their folders: ours, and those that `DLPIPE_TASKS` names."""

import os
import pathlib
import subprocess
import sys

import pytest

import pipeline.tasks
from dlpipe.errors import BadInputError
from pipeline.task import Task
from pipeline.tasks import get_task, schema_path, task_names

_ROOT = pathlib.Path(__file__).resolve().parents[4]
_TOY = """
from dlpipe.errors import BadInputError
from dlpipe.records import SourcePlan
from pipeline.params import DataOptions, Params
from pipeline.problems.classes import PROBLEM
from pipeline.task import Input, MetricGate, Source, Task
from pipeline.tasks.toy.reading import read


class Options(DataOptions):
  colour: str = "red"


class ToyParams(Params):
  units: int = 3
  epochs: int = 1
  batch_size: int = 8
  learning_rate: float = 0.1


def plan(path, options):
  raise BadInputError(f"the toy was asked for {options['colour']}")


TASK = Task(
  name="toy", summary="A toy.", label_key="label",
  problem=PROBLEM.but(
    compile_args="pipeline.tasks.toy.model.compile_args",
    serving_outputs="pipeline.tasks.toy.model.serving_outputs",
    metrics="pipeline.tasks.toy.model.metrics",
  ),
  input=Input(key="text", value=str, sample=lambda: ""),
  sources={"any": Source(description="anything", matches=lambda path: True, plan=plan, read=read)},
  shipped_data=lambda: "",
  data_options=Options, params=ToyParams,
  preprocessing_fn="pipeline.tasks.toy.model.preprocessing_fn",
  build_model="pipeline.tasks.toy.model.build_model",
  training_plan="pipeline.tasks.toy.model.training_plan",
  search_space="pipeline.tasks.toy.model.search_space",
)
"""
_FUNCTIONS = (
  "preprocessing_fn",
  "build_model",
  "compile_args",
  "training_plan",
  "serving_outputs",
  "search_space",
  "metrics",
)


@pytest.fixture
def toy(tmp_path):
  """A folder of tasks with one in it, and beside it what is none."""
  root = tmp_path / "my tasks"
  (root / "toy").mkdir(parents=True)
  (root / "toy" / "task.py").write_text(_TOY)
  (root / "toy" / "reading.py").write_text("def read(shard, options):\n  return iter(())\n")
  model = "\n".join(f"def {name}(*given):\n  return None\n" for name in _FUNCTIONS)
  (root / "toy" / "model.py").write_text(model)
  (root / "toy" / "schema.pbtxt").write_text('feature { name: "text" }')
  (root / "no_task").mkdir()
  (root / "no_task" / "model.py").touch()
  return root


def _python(*arguments, tasks, path=str(_ROOT)):
  done = subprocess.run(
    [sys.executable, *arguments],
    env={**os.environ, "PYTHONPATH": path, "DLPIPE_TASKS": tasks},
    capture_output=True,
    text=True,
    timeout=600,
    check=False,
  )
  return done.returncode, done.stdout.strip(), done.stderr.strip()


def test_our_tasks_are_the_folders_with_a_task():
  folders = {p.parent.name for p in (_ROOT / "pipeline" / "tasks").glob("*/task.py")}
  assert folders <= set(task_names())
  assert "images" in folders
  assert list(task_names()) == sorted(task_names())


def test_a_schema_beside_the_task_wins_over_one_in_schemas(tmp_path, monkeypatch):
  assert schema_path("images") == _ROOT / "schemas" / "images" / "schema.pbtxt"
  monkeypatch.setattr(pipeline.tasks, "__path__", [str(tmp_path)])
  assert schema_path("images") == _ROOT / "schemas" / "images" / "schema.pbtxt"
  (tmp_path / "images").mkdir()
  (tmp_path / "images" / "schema.pbtxt").touch()
  assert schema_path("images") == tmp_path / "images" / "schema.pbtxt"


@pytest.mark.parametrize("name", task_names())
def test_a_task_is_found_by_its_name(name):
  task = get_task(name)
  assert isinstance(task, Task)
  assert task.name == name


@pytest.mark.parametrize(
  ("name", "hint"), [("image", " Did you mean 'images'?"), ("zzzz", ""), ("sources", "")]
)
def test_an_unknown_task_names_the_nearest_and_all(name, hint):
  known = ", ".join(task_names())
  with pytest.raises(BadInputError) as refused:
    get_task(name)
  if hint or name == "zzzz":
    assert str(refused.value) == f"Unknown task {name!r}.{hint} Known tasks: {known}."
  assert refused.value.exit_code == 2


def test_a_path_is_not_taken_for_a_name(tmp_path, monkeypatch):
  monkeypatch.setattr(pipeline.tasks, "__path__", [str(tmp_path)])
  (tmp_path / "task.py").touch()
  (tmp_path / "deep" / "er").mkdir(parents=True)
  (tmp_path / "deep" / "er" / "task.py").touch()
  assert task_names() == ()
  with pytest.raises(BadInputError):
    get_task("deep.er")


def test_a_task_of_the_users_own_is_one_of_ours_everywhere(toy, tmp_path):
  code = (
    "from pipeline.tasks import get_task, schema_path, task_names\n"
    "from dlpipe.dotted_paths import load_function\n"
    "from dlpipe.fingerprint import code_fingerprint, udf_path\n"
    "task = get_task('toy')\n"
    "print(' '.join(task_names()), task.summary, udf_path(task.sources['any'].read))\n"
    "print(len(code_fingerprint('pipeline.tasks.toy.task')))\n"
  )
  (tmp_path / "empty").mkdir()
  elsewhere = f"{tmp_path / 'empty'}{os.pathsep}{toy}"
  status, stdout, stderr = _python("-c", code, tasks=elsewhere)
  assert status == 0, stderr
  names, size = stdout.splitlines()
  assert (
    names == f"{' '.join(sorted((*task_names(), 'toy')))} A toy. pipeline.tasks.toy.reading.read"
  )
  assert size == "64"


def test_the_command_line_runs_a_task_of_the_users_own(toy, tmp_path):
  command = ("-m", "pipeline.cli.main", "run", "toy", "--data", str(tmp_path))
  status, _, stderr = _python(*command, "--set", "data.colour=blue", tasks=str(toy))
  assert (status, stderr) == (2, "Error: the toy was asked for blue")
  status, _, stderr = _python(*command, "--set", "model.unit=4", tasks=str(toy))
  assert status == 2
  assert "unknown name 'model.unit' for task toy. Did you mean model.units?" in stderr


def test_a_task_without_a_reviewed_schema_is_refused_at_once(toy, tmp_path):
  (toy / "toy" / "schema.pbtxt").unlink()
  command = ("-m", "pipeline.cli.main", "run", "toy", "--data", str(tmp_path))
  status, _, stderr = _python(*command, tasks=str(toy))
  assert status == 2
  assert stderr.startswith("Error: The task toy has no reviewed schema. Expected ")
  assert str(toy / "toy" / "schema.pbtxt") in stderr


@pytest.mark.parametrize(
  ("before", "after", "message"),
  [
    ("TASK = Task(", "TASK = Task((", "toy/task.py, line 25: "),
    ("TASK = Task(", "TASKS = Task(", "toy/task.py must define TASK = Task(...). Found none."),
    ("TASK = Task(", "TASK = dict(", "must define TASK = Task(...). Received: a dict."),
    ("label_key=", "label_kee=", "toy/task.py, line 25: Task has no field 'label_kee'. Did you"),
    ('key="text"', 'kee="text"', "toy/task.py, line 32: Input has no field 'kee'. Did you"),
    ('summary="A toy.", ', "", "toy/task.py, line 25: Task needs 'summary', too."),
    ("Task(\n", "Task(\n  vocabulary=read.names,\n", "line 26: AttributeError: 'function' object"),
    ("tasks.toy.reading", "tasks.toy.redding", "line 7: ModuleNotFoundError: No module named"),
    ("plan=plan, ", "plans=plan, ", "Source has no field 'plans'. Did you mean 'plan'?"),
    ("read=read", "read=lambda s, o: ()", "read must be a function at the top level of a module"),
    ('name="toy"', 'name="fields"', "says name='fields', and its folder is called 'toy'"),
    ('"text", value', '("text", "age"), value', "key must be one name: a task has one input"),
    ("model.build_model", "model.buld_model", "model.py has no buld_model. Did you mean 'build"),
    (
      "model.metrics",
      "models.metrics",
      "no module pipeline.tasks.toy.models. Did you mean 'model'?",
    ),
    ("  epochs: int = 1\n", "", "ToyParams must give every setting a default. Missing: epochs"),
    ("params=ToyParams", "hyperparameters={}", "A model's settings are a class, `class MyParams"),
    ("params=ToyParams", "monitor=None", "kind of answer: problem=PROBLEM.but(monitor=...)"),
    ("PROBLEM.but(", "PROBLEM.but(metric=1, ", "A Problem has no field 'metric'. It has: name"),
    ("params=ToyParams", "infer_hyperparameters=min", "It is called infer, and returns params"),
    ("units: int = 3", "units: int = None", "params: units: Input should be a valid integer"),
    ("  units: int = 3", "  units = 3", "line 14: PydanticUserError: A non-annotated attribute"),
    ("params=ToyParams", "params=ToyParams()", "params must be a class of pipeline.params.Params"),
  ],
  ids=lambda value: value[:30],
)
def test_a_task_with_a_fault_is_told_in_one_sentence_with_its_place(toy, before, after, message):
  file = toy / "toy" / "task.py"
  assert before in file.read_text()
  file.write_text(file.read_text().replace(before, after, 1))
  for command in (("run", "toy"), ("check", "toy", "--json"), ("predict", "toy", "a")):
    status, _, stderr = _python("-m", "pipeline.cli.main", *command, tasks=str(toy))
    assert status == 2
    assert stderr.startswith("Error: The task toy cannot be used: ")
    assert message in stderr
    assert "Traceback" not in stderr
    assert len(stderr.splitlines()) == 1
  # What needs no task goes on.
  status, stdout, _ = _python("-m", "pipeline.cli.main", "--help", tasks=str(toy))
  assert status == 0
  assert "toy" in stdout


def test_an_error_in_the_model_is_told_with_its_line(toy):
  (toy / "toy" / "model.py").write_text("def build_model(:\n")
  status, _, stderr = _python("-m", "pipeline.cli.main", "run", "toy", tasks=str(toy))
  assert status == 2
  assert "toy/model.py, line 1: " in stderr


def test_a_module_of_the_user_that_a_name_of_ours_hides_is_told(toy, tmp_path):
  (tmp_path / "data").mkdir()
  (tmp_path / "data" / "loaders.py").write_text("def load():\n  return 0\n")
  task = toy / "toy" / "task.py"
  task.write_text("from data.loaders import load\n" + task.read_text())
  code, _, stderr = _python(
    "-m", "pipeline.cli.main", "settings", "toy", tasks=str(toy), path=str(tmp_path)
  )
  assert code == 2
  assert stderr.endswith(
    "toy/task.py, line 1: ModuleNotFoundError: No module named 'data.loaders'. `data` is a package "
    f"of dlpipe, which hides yours ({tmp_path / 'data' / 'loaders.py'}): give yours another name."
  )


@pytest.mark.parametrize("kind", ["absent", "file", "task"])
def test_a_variable_that_names_no_folder_of_tasks_is_bad_input(toy, tmp_path, kind):
  (tmp_path / "file").touch()
  tasks = {"absent": tmp_path / "absent", "file": tmp_path / "file", "task": toy / "toy"}[kind]
  status, _, stderr = _python("-m", "pipeline.cli.main", "run", "toy", tasks=str(tasks))
  assert status == 2
  assert stderr.startswith("Error: DLPIPE_TASKS must name ")
  assert (str(toy) if kind == "task" else str(tasks)) in stderr
  status, stdout, _ = _python("-m", "pipeline.cli.main", "--help", tasks=str(tasks))
  assert status == 0
  assert "DLPIPE_TASKS must name" in stdout


def test_a_second_task_of_a_name_is_refused_and_not_left_out(toy):
  (toy / "toy").rename(toy / "images")
  status, _, stderr = _python("-m", "pipeline.cli.main", "run", "images", tasks=str(toy))
  assert status == 2
  assert stderr.startswith("Error: Two tasks are called 'images': in ")


def test_an_edit_of_the_users_own_task_changes_its_fingerprint(toy):
  code = (
    "from dlpipe.fingerprint import code_fingerprint\n"
    "print(code_fingerprint('pipeline.tasks.toy.task'))\n"
  )
  _, before, _ = _python("-c", code, tasks=str(toy))
  (toy / "toy" / "reading.py").write_text("def read(shard, options):\n  return iter([1])\n")
  _, after, _ = _python("-c", code, tasks=str(toy))
  assert len(before) == len(after) == 64
  assert before != after


def test_an_empty_variable_changes_nothing():
  code = "from pipeline.tasks import task_names, __path__; print(*task_names(), len(__path__))"
  assert _python("-c", code, tasks="")[1] == f"{' '.join(task_names())} 1"
