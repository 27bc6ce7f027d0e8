"""The memory of a run: that of its process and of all that it started."""

import subprocess
import sys

from pipeline.execution import memory


def test_a_family_is_a_process_with_all_that_it_started():
  values = {7: 100.0, 8: 20.0, 9: 3.0, 10: 5000.0}
  parents = {7: 1, 8: 7, 9: 8, 10: 1}
  assert memory.sum_of_family(7, values, parents) == 123
  assert memory.sum_of_family(9, values, parents) == 3


def test_a_child_counts_with_the_memory_that_it_holds():
  held = "import sys; kept = bytearray(b'x' * 200_000_000); print(flush=True); sys.stdin.read()"
  before = memory.family_mb()
  command = [sys.executable, "-c", held]
  with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
    child.stdout.readline()
    assert 195 < memory.family_mb() - before < 260
    child.stdin.close()
