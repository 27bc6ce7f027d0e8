"""Reads a ModelServerConfig; what is wrong with one is told by the contract tests."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.errors import InvalidArgument
from serving.models.model_config import ALL, LATEST, ModelConfig, VersionPolicy, read_config


def _read(text, current=()):
  config = model_server_config_pb2.ModelServerConfig()
  return read_config(text_format.Parse(text, config), current)


def _one(more):
  (model,) = _read(
    f'model_config_list {{ config {{ name: "m" base_path: "/p" model_platform: "tensorflow" {more}'
    "}}"
  )
  return model


def test_a_model():
  assert _one("") == ModelConfig(name="m", base_path="/p")
  assert _one("version_labels { key: 'a' value: 3 }").labels == {"a": 3}


@pytest.mark.parametrize(
  ("policy", "read"),
  [
    ("latest {}", VersionPolicy(latest=1)),
    ("latest { num_versions: 3 }", VersionPolicy(latest=3)),
    ("all {}", ALL),
    (
      "specific { versions: 4 versions: 2 }",
      VersionPolicy(latest=0, specific=frozenset({2, 4})),
    ),
  ],
)
def test_policies(policy, read):
  assert _one(f"model_version_policy {{ {policy} }}").policy == read


def test_specific_versions_must_be_listed():
  with pytest.raises(InvalidArgument, match="no versions are listed"):
    _one("model_version_policy { specific {} }")


def test_the_deprecated_type_is_taken():
  (model,) = _read(
    'model_config_list { config { name: "m" base_path: "/p" model_type: TENSORFLOW } }'
  )
  assert model.base_path == "/p"


def test_a_uri_is_refused_with_what_to_do():
  text = (
    'model_config_list { config { name: "m" base_path: "gs://b/p" model_platform: "tensorflow" } }'
  )
  with pytest.raises(
    InvalidArgument, match="reads models from local folders. Received for model m"
  ):
    _read(text)


def test_no_models_is_a_configuration():
  assert _read("model_config_list {}") == []


@pytest.mark.parametrize(
  "name",
  ["a\\nI ADMIN: all is well", "\\033[31m", "\\000", "..", ".", "x\\342\\200\\250y", "x" * 256],
)
def test_names_that_are_refused(name):
  with pytest.raises(InvalidArgument, match="^A model's name ") as refused:
    _read(f'model_config_list {{ config {{ name: "{name}" base_path: "/p" }} }}')
  assert str(refused.value).isprintable()
  assert len(str(refused.value)) < 200
  with pytest.raises(InvalidArgument, match="^A version's label "):
    _one(f'version_labels {{ key: "{name}" value: 1 }}')


@pytest.mark.parametrize("name", ["team/model", "größer.v2", "猫 %2F", "x" * 255])
def test_names_that_are_taken(name):
  config = f'config {{ name: "{name}" base_path: "/p" model_platform: "tensorflow" }}'
  (model,) = _read(f"model_config_list {{ {config} }}")
  assert model.name == name


@pytest.mark.parametrize(
  ("policy", "chosen"),
  [
    (LATEST, [10]),
    (VersionPolicy(latest=2), [9, 10]),
    (VersionPolicy(latest=7), [1, 9, 10]),
    (ALL, [1, 9, 10]),
    (VersionPolicy(latest=0, specific=frozenset({1, 10, 77})), [1, 10]),
    (VersionPolicy(specific=frozenset({1, 9})), [1, 9]),
  ],
)
def test_policies_go_by_number(tmp_path, policy, chosen):
  found = {number: tmp_path / str(number) for number in (9, 10, 1)}
  assert list(policy.choose(found)) == chosen
