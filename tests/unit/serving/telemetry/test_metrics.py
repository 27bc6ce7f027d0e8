"""Counters and histograms as Prometheus reads them."""

from serving.telemetry.metrics import LATENCY_BUCKETS_US, Counter, Histogram, exposition


def test_a_counter_for_each_combination_of_labels():
  counter = Counter("/tensorflow/serving/request_count", ("model_name", "status"))
  counter.add(("m", "OK"))
  counter.add(("m", "OK"), 2)
  counter.add(('a"\\\n', "NOT_FOUND"))
  assert counter.total() == 4
  assert exposition([counter]).decode() == (
    "# TYPE :tensorflow:serving:request_count counter\n"
    ':tensorflow:serving:request_count{model_name="a\\"\\\\\\n",status="NOT_FOUND"} 1\n'
    ':tensorflow:serving:request_count{model_name="m",status="OK"} 3\n'
  )


def test_a_histogram_is_cumulative():
  histogram = Histogram("/a/b", ("m",), (10.0, 18.0))
  for value in (5, 10, 17.5, 100):
    histogram.add(("x",), value)
  assert histogram.lines() == [
    ':a:b_bucket{m="x",le="10"} 1',
    ':a:b_bucket{m="x",le="18"} 3',
    ':a:b_bucket{m="x",le="+Inf"} 4',
    ':a:b_sum{m="x"} 132.5',
    ':a:b_count{m="x"} 4',
  ]
  assert histogram.total() == 4


def test_without_labels():
  counter = Counter("/a-b", ())
  counter.add(())
  assert counter.lines() == [":a:b{} 1"]


def test_the_buckets_of_latencies():
  assert len(LATENCY_BUCKETS_US) == 33
  assert LATENCY_BUCKETS_US[:3] == (10.0, 18.0, 32.400000000000006)


def test_names_without_end_are_counted_together():
  counter, histogram = Counter("/a", ("m",)), Histogram("/b", ("m",), (1.0,))
  for number in range(1500):
    counter.add((str(number),))
    histogram.add((str(number),), 0.5)
  counter.add(("3",))
  assert len(counter.lines()) == 1001
  assert ':a{m=""} 500' in counter.lines()
  assert ':a{m="3"} 2' in counter.lines()
  assert ':b_count{m=""} 500' in histogram.lines()
