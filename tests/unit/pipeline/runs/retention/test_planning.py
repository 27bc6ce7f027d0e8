"""What is protected stays whatever the bounds and the history; the rest goes in order of age."""

import random

import pytest

from pipeline.runs.retention.planning import (
  Holdings,
  KnownRun,
  KnownVersion,
  LooseFile,
  plan,
  protected_runs,
)
from pipeline.settings.keep import KeepConfig

_DAY = 86400.0
_NOW = 1_000 * _DAY


def _version(number: int, *, since: float | None, first: int | None = None) -> KnownVersion:
  first = first or number
  return KnownVersion(
    number=number, path=f"v{number}", first_version=first, turn=first, since=since
  )


def _history(rng: random.Random) -> Holdings:
  """A history as months leave it: cached data, refusals, rollbacks, labels, deleted versions."""
  runs, versions, numbers = [], [], 0
  model, data = None, "data-0"
  for index in range(rng.randint(1, 25)):
    started = _NOW - rng.uniform(0, 60) * _DAY
    if rng.random() < 0.6:
      data = f"data-{index}"
    outputs, inputs = {data}, {data}
    state = rng.choice(["pushed", "pushed", "cached", "refused_model", "failed", "done"])
    if rng.random() < 0.1:
      state = "unfinished"
    version = None
    if state in ("pushed", "refused_model"):
      outputs |= {f"model-{index}", f"blessing-{index}"}
      inputs |= {model} if model else set()
    if state == "pushed":
      model, numbers = f"model-{index}", numbers + 1
      version = numbers
      versions.append(_version(numbers, since=started))
    elif state == "cached" and numbers:
      version = numbers
    runs.append(
      KnownRun(
        run_id=f"r{index:02d}",
        started=started,
        state=state,
        outputs=frozenset(outputs),
        inputs=frozenset(inputs),
        version=version,
        files=frozenset({f"report-{index}"}),
      )
    )
    if versions and rng.random() < 0.15:
      numbers += 1
      again = rng.choice(versions).first_version
      versions.append(_version(numbers, first=again, since=started))
  if rng.random() < 0.3:
    numbers += 1
    versions.append(_version(numbers, since=None))
  versions = [each for each in versions if rng.random() < 0.9]
  # Of a store that was lost, versions are left whose run nobody knows.
  runs = [run for run in runs if rng.random() < 0.8] or runs[:1]
  loose = tuple(
    LooseFile(path=f"loose-{i}", changed=_NOW - rng.uniform(0, 60) * _DAY, with_runs=i % 2 == 0)
    for i in range(rng.randint(0, 5))
  )
  held = {v.number: "the label canary" for v in versions if rng.random() < 0.1}
  baselines = frozenset({model} if model else ())
  paths = {path for run in runs for path in run.outputs | run.files}
  paths |= {v.path for v in versions} | {f.path for f in loose}
  sizes = {path: rng.randint(1, 50) * 100_000 for path in sorted(paths)}
  return Holdings(
    runs=tuple(rng.sample(runs, len(runs))),
    versions=tuple(versions),
    loose=loose,
    held=held,
    baselines=baselines,
    sizes=sizes,
    total=sum(sizes.values()) + 1234,
  )


def _bounds(rng: random.Random) -> KeepConfig:
  return KeepConfig(
    runs=rng.choice([None, 1, 2, 5]),
    days=rng.choice([None, 0.001, 7, 30]),
    max_mb=rng.choice([None, 0.001, 5, 40]),
  )


@pytest.mark.parametrize("seed", range(300))
def test_what_is_protected_never_goes(seed):
  rng = random.Random(seed)
  holdings, keep = _history(rng), _bounds(rng)
  at_work = {rng.choice(holdings.runs).run_id} if rng.random() < 0.3 else set()
  found = plan(holdings, keep, now=_NOW, at_work=at_work)

  runs = sorted(holdings.runs, key=lambda run: (run.started, run.run_id))
  good = [run for run in runs if run.state in ("pushed", "cached")]
  must = {*at_work, runs[-1].run_id, *(run.run_id for run in good[-1:])}
  must |= {r.run_id for r in runs if r.state == "unfinished" and r.started > _NOW - _DAY}
  there = {v.number: v for v in holdings.versions}
  live = {max(there)} if there else set()
  for number in live | (holdings.held.keys() & there.keys()):
    must |= {
      r.run_id for r in runs if r.state == "pushed" and r.version == there[number].first_version
    }
  assert not must & found.runs.keys()
  assert not holdings.baselines & found.paths
  for run in runs:
    if run.run_id in must:
      assert not (run.outputs | run.inputs | run.files) & found.paths
  assert not (live | holdings.held.keys()) & found.versions.keys()
  assert all(there[number].since is not None for number in found.versions)
  if there:  # where a rollback goes
    served = there[max(there)]
    older = [n for n in there if n < min(served.number, served.first_version)]
    assert not older or max(older) not in found.versions
  # What stays has all that it made and read, and the version that it pushed.
  for run in runs:
    if run.run_id not in found.runs:
      assert not (run.outputs | run.inputs) & found.paths
      assert run.version not in {there[number].first_version for number in found.versions}
  assert found.left == holdings.total - sum(holdings.sizes[path] for path in found.paths)


@pytest.mark.parametrize("seed", range(100))
def test_the_bounds_hold_for_all_that_is_not_protected(seed):
  rng = random.Random(seed)
  holdings, keep = _history(rng), _bounds(rng)
  found = plan(holdings, keep, now=_NOW)
  protected = protected_runs(holdings, now=_NOW)
  free = [r for r in holdings.runs if r.run_id not in protected and r.run_id not in found.runs]
  if keep.runs is not None:
    counted = sorted((r.started for r in holdings.runs if r.state != "done"), reverse=True)
    assert all(r.started >= counted[: keep.runs][-1] for r in free if r.state != "done")
  if keep.days is not None:
    assert all(r.started >= _NOW - keep.days * _DAY for r in free)
  if keep.max_mb is not None:
    assert found.left <= keep.max_mb * 1e6 or not free
    assert found.over == max(0, found.left - round(keep.max_mb * 1e6))


def test_without_a_bound_only_leftovers_go():
  run = KnownRun(run_id="r1", started=0, state="failed", outputs=frozenset({"a"}))
  last = KnownRun(run_id="r2", started=1, state="failed")
  holdings = Holdings(
    runs=(run, last), leftovers=frozenset({"left"}), sizes={"a": 5, "left": 3}, total=8
  )
  found = plan(holdings, KeepConfig(), now=_NOW)
  assert (found.paths, found.freed, found.runs) == ({"left"}, 3, {})


def test_the_oldest_go_first_until_the_rest_fits():
  runs = tuple(
    KnownRun(run_id=f"r{i}", started=i, state="failed", outputs=frozenset({f"a{i}"}))
    for i in range(5)
  )
  holdings = Holdings(runs=runs, sizes={f"a{i}": 1_000_000 for i in range(5)}, total=5_000_000)
  found = plan(holdings, KeepConfig(max_mb=3), now=_NOW)
  assert (list(found.runs), found.left, found.over) == (["r0", "r1"], 3_000_000, 0)
  assert set(found.runs.values()) == {"keep.max_mb=3"}
  tight = plan(holdings, KeepConfig(max_mb=0.5), now=_NOW)
  assert (tight.left, tight.over, tight.protected) == (
    1_000_000,
    500_000,
    {"r4": "it is the latest"},
  )


def test_logged_requests_go_by_age_alone():
  log = LooseFile(path="log", changed=_NOW - 10 * _DAY, with_runs=False)
  runs = tuple(KnownRun(run_id=f"r{i}", started=_NOW - i * _DAY, state="failed") for i in range(5))
  holdings = Holdings(runs=runs, loose=(log,), sizes={"log": 1}, total=1)
  assert plan(holdings, KeepConfig(runs=1), now=_NOW).files == frozenset()
  assert plan(holdings, KeepConfig(days=9), now=_NOW).files == {"log"}


def test_the_checkpoint_of_an_interrupted_run_stays():
  run = KnownRun(run_id="r1", started=_NOW - 2 * _DAY, state="unfinished")
  of_before = LooseFile(path="before", changed=_NOW - 3 * _DAY)
  checkpoint = LooseFile(path="checkpoint", changed=_NOW - 1.5 * _DAY)
  holdings = Holdings(
    runs=(run,), loose=(of_before, checkpoint), sizes={"before": 5, "checkpoint": 5}, total=10
  )
  for keep in (KeepConfig(days=1), KeepConfig(max_mb=1e-6)):
    assert plan(holdings, keep, now=_NOW).files == {"before"}
