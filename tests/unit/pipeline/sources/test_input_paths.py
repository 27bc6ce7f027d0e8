"""What lies in a folder, whatever links do there."""

from pipeline.sources import input_paths, tables


def test_a_link_to_itself_is_neither_file_nor_folder(tmp_path):
  (tmp_path / "loop").symlink_to("loop")
  (tmp_path / "in.csv").write_text("text\na\n")
  found = {e.name: (e.is_file(), e.is_dir()) for e in input_paths.entries(str(tmp_path))}
  assert found == {"in.csv": (True, False), "loop": (False, False)}
  assert tables.matches(str(tmp_path))
