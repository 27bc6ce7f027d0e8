"""The messages that no wheel declares."""

from google.protobuf import text_format

from serving.protos import BatchingParameters, HealthCheckResponse, MonitoringConfig, SSLConfig


def test_text_is_read_by_the_names_of_tensorflow_serving():
  config = text_format.Parse('prometheus_config { enable: true path: "/m" }', MonitoringConfig())
  assert (config.prometheus_config.enable, config.prometheus_config.path) == (True, "/m")
  parameters = text_format.Parse("num_batch_threads { value: 3 }", BatchingParameters())
  assert parameters.num_batch_threads.value == 3
  assert not parameters.HasField("max_batch_size")


def test_the_wire_format():
  assert HealthCheckResponse(status=1).SerializeToString() == b"\x08\x01"
  assert SSLConfig(client_verify=True).SerializeToString() == b"\x20\x01"
