"""The page that `--ui` serves, in a real browser: answers, curl lines, keyboard, phone, errors."""

import json
import shutil
import subprocess
import time

import pytest


def _run(line, folder, **environment):
  """What the shell answers to a curl line of the page."""
  done = subprocess.run(
    ["sh"],
    input=line.replace("curl ", "curl -s ", 1).encode(),
    cwd=folder,
    env={"PATH": "/usr/bin:/bin", **environment},
    capture_output=True,
    timeout=120,
    check=True,
  )
  return json.loads(done.stdout)


def _bars(tab):
  return tab.text("#bars").split("\n")


def _wait_for(path):
  deadline = time.monotonic() + 120
  while not path.exists():
    assert time.monotonic() < deadline, path
    time.sleep(0.02)


@pytest.fixture
def red(tmp_path, make_colour):
  """A picture whose name the shell must be told carefully."""
  file = tmp_path / "it's $HOME red.png"
  file.write_bytes(make_colour("red", side=60))
  return file


def test_a_chosen_picture_is_answered_with_classes_and_a_line_that_does_the_same(at, red):
  tab = at("images")
  assert tab.text("#subtitle").startswith("Version 1, served at 127.0.0.1:")
  tab.answered(lambda: tab.choose(red))
  assert tab.text("#headline") == "red"
  shown = _bars(tab)
  assert shown[0] == "red"
  assert (tab.text("#model-name"), tab.text("#model-version")) == ("images", "1")
  assert 0 < float(tab.text("#latency").removesuffix(" ms")) < 5000
  assert tab.text("#file-name") == f"{red.name}, 60 x 60, {round(red.stat().st_size / 1000)} kB"
  assert "Run it in the folder of it's $HOME red.png." in tab.text("#curl-hint")
  (answer,) = _run(tab.text("#curl-line"), red.parent)["predictions"]
  assert answer["label"] == "red"
  assert shown[1] == f"{answer['score'] * 100:.1f} %"
  widths = tab.js("[...document.querySelectorAll('.fill')].map(f => parseFloat(f.style.width))")
  assert widths == pytest.approx([s * 100 for s in sorted(answer["scores"])[::-1][:5]], abs=1e-3)
  assert tab.complaints() == []


def test_all_classes_unfold_and_their_names_stay_text(at, red):
  tab = at("images")
  tab.answered(lambda: tab.choose(red))
  assert len(_bars(tab)) == 2 * 5
  assert tab.text("#more") == "Show all 7 classes"
  tab.click("#more")
  assert len(_bars(tab)) == 2 * 7
  assert "<b>grey</b>" in _bars(tab)
  assert tab.js("document.getElementById('more').getAttribute('aria-expanded')") == "true"


def test_a_dropped_picture_is_asked_about(at, red, make_colour):
  tab = at("images")
  blue = red.with_name("blue.jpg")
  blue.write_bytes(make_colour("blue", "JPEG"))
  tab.answered(lambda: tab.drop(blue, red))
  assert tab.text("#headline") == "blue"
  assert tab.text("#file-name").endswith(", the first of 2")
  assert _run(tab.text("#curl-line"), red.parent)["predictions"][0]["label"] == "blue"


def test_a_pasted_picture_is_in_no_file_until_it_is_saved(at, tmp_path):
  tab = at("images")
  tab.grant("clipboardReadWrite", "clipboardSanitizedWrite")
  tab.js(
    """(async () => {
      const canvas = new OffscreenCanvas(90, 90), pen = canvas.getContext("2d");
      for (let i = 0; i < 8100; i++) {
        pen.fillStyle = `rgb(${Math.random() * 60} 255 ${Math.random() * 60})`;
        pen.fillRect(i % 90, i / 90, 1, 1);
      }
      const blob = await canvas.convertToBlob({type: "image/png"});
      await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
    })()"""
  )
  tab.answered(lambda: tab.press("v", control=True, commands=["paste"]))
  assert tab.text("#headline") == "green"
  assert tab.text("#curl-hint") == "The line reads picture.png, which is in no file yet. Save it"
  assert tab.js("document.getElementById('save').download") == "picture.png"
  tab.download_to(tmp_path)
  tab.click("#save")
  _wait_for(tmp_path / "picture.png")
  assert _run(tab.text("#curl-line"), tmp_path)["predictions"][0]["label"] == "green"


def test_an_example_of_the_model_is_offered(at, tmp_path):
  tab = at("images")
  tab.answered(lambda: tab.click("#example"))
  assert tab.text("#headline") == "green"
  assert _run(tab.text("#curl-line"), tmp_path)["predictions"][0]["label"] == "green"


SENTENCE = """It's "good", isn't it? $HOME `id` \\ 100 % œuf 蛋"""


def test_a_sentence_is_answered_with_classes(at, tmp_path):
  tab = at("sentiment")
  tab.js("document.getElementById('text').focus()")
  tab.type(SENTENCE)
  tab.press("Enter", shift=True)
  tab.type("a second line")
  tab.answered(lambda: tab.press("Enter"))
  assert tab.js("document.getElementById('text').value") == f"{SENTENCE}\na second line"
  assert tab.text("#headline") == "positive"
  assert _bars(tab) == ["positive", "88.1 %", "negative", "11.9 %"]
  (answer,) = _run(tab.text("#curl-line"), tmp_path)["predictions"]
  assert (answer["label"], f"{answer['score']:.3f}") == ("positive", "0.881")
  assert tab.complaints() == []


@pytest.mark.parametrize(
  ("text", "said"),
  [
    ("good", "Accepted."),
    ("so so", "Unsure: negative or positive."),
    ("strange, good", "Unfamiliar: 0.3 % of the inputs it knows are as strange."),
  ],
)
def test_what_a_model_does_not_know_is_said_below_the_answer(at, text, said):
  tab = at("sentiment")
  tab.js("document.getElementById('text').focus()")
  tab.type(text)
  tab.answered(lambda: tab.press("Enter"))
  assert tab.text("#score") == said
  assert tab.complaints() == []


def _ask_why(tab):
  tab.click("#why")
  tab.wait("!document.getElementById('reason').hidden")
  assert tab.js("document.getElementById('why').hidden")
  assert tab.complaints() == []


def _say(tab, text):
  tab.js("document.getElementById('text').focus()")
  tab.type(text)
  tab.answered(lambda: tab.press("Enter"))


def test_the_words_of_an_answer_are_coloured_by_what_they_add(at):
  tab = at("sentiment")
  _say(tab, "so good <b>not</b> bad")
  _ask_why(tab)
  assert tab.text("#reason .words") == "so good <b>not</b> bad"
  # Colours and titles are not all: who cannot point or see reads the same.
  said = tab.js("[...document.querySelectorAll('#reason .faint')].map(line => line.innerText)")
  assert said == [
    "Red speaks for the answer, blue against it.",
    "Red: good +2.000",
    "Blue: bad -1.000",
  ]
  assert tab.js("document.activeElement.id") == "reason"
  titles = tab.js("[...document.querySelectorAll('#reason .word')].map(word => word.title)")
  assert titles == ["0.000", "+2.000", "0.000", "-1.000"]
  colours = tab.js(
    "[...document.querySelectorAll('#reason .word')].map(w => getComputedStyle(w).backgroundColor)"
  )
  assert len(set(colours)) == 3
  # The next answer is not explained yet.
  _say(tab, "good")
  assert tab.js("document.getElementById('reason').hidden")
  assert not tab.js("document.getElementById('why').hidden")


def test_marks_that_turn_letters_do_not_turn_the_line(at, tmp_path):
  tab = at("translation")
  _say(tab, "\u202etext\u202c")
  line = tab.text("#curl-line")
  assert r'["\u202etext\u202c"]' in line
  assert not {"\u202e", "\u202c"} & set(line)
  (answer,) = _run(line, tmp_path)["predictions"]
  assert answer["translation"] == "\u202eTEXT\u202c"


def test_the_map_of_a_picture_is_shown(at, red):
  tab = at("images")
  tab.answered(lambda: tab.choose(red))
  _ask_why(tab)
  tab.wait("document.querySelector('#reason img').naturalWidth === 8")


def test_the_words_that_a_translation_attends_to_are_listed(at):
  tab = at("translation")
  _say(tab, "the house")
  _ask_why(tab)
  lines = tab.js("[...document.querySelectorAll('#reason p')].map(line => line.innerText)")
  assert lines == ["THE \u2190 the 80.0 %", "HOUSE \u2190 house 80.0 %"]


def test_a_sentence_is_translated_and_the_line_sends_every_character(at, tmp_path):
  tab = at("translation")
  tab.js("document.getElementById('text').focus()")
  tab.type(f"{SENTENCE} <i>x</i>")
  tab.answered(lambda: tab.click("#ask"))
  assert tab.text("#headline") == f"{SENTENCE} <i>x</i>".upper()
  assert tab.text("#score").startswith("Score -0.125, ")
  assert not tab.text("#bars")
  (answer,) = _run(tab.text("#curl-line"), tmp_path)["predictions"]
  assert answer == {"translation": f"{SENTENCE} <i>x</i>".upper(), "score": -0.125}


def test_a_text_too_long_for_an_argument_is_sent_by_the_line_all_the_same(at, tmp_path):
  tab = at("sentiment")
  tab.js("document.getElementById('text').value = 'it\\'s '.repeat(21000) + '\\ngood'")
  tab.answered(lambda: tab.click("#ask"))
  assert tab.text("#headline") == "positive"
  line = tab.js("document.getElementById('curl-line').textContent")
  assert len(line) > 100_000
  assert _run(line, tmp_path)["predictions"][0]["label"] == "positive"


def test_another_model_gets_a_request_to_fill_in(at, tmp_path):
  tab = at("many")
  template = tab.js("JSON.parse(document.getElementById('json').value)")
  assert template == {"instances": [{"a": [0, 0], "b": 0, "s": ""}]}
  assert tab.text("#json-inputs") == "a: float32 [?, 2]; b: int32 [?]; s: string [?]"
  tab.answered(lambda: tab.click("#ask"))
  assert json.loads(tab.text("#raw")) == {"predictions": [{"sum": 0.0, "next": 1, "upper": ""}]}
  assert _run(tab.text("#curl-line"), tmp_path) == json.loads(tab.text("#raw"))


def test_a_signature_can_be_chosen(at, tmp_path):
  tab = at("many")
  tab.js(
    """(() => { const select = document.getElementById("signature"); select.value = "scalar";
      select.dispatchEvent(new Event("change")); })()"""
  )
  template = tab.js("JSON.parse(document.getElementById('json').value)")
  assert template == {"signature_name": "scalar", "inputs": [[0, 0]]}
  tab.js("document.getElementById('json').focus()")
  tab.answered(lambda: tab.press("Enter", control=True))
  assert json.loads(tab.text("#raw")) == {"outputs": 0.0}


def test_of_several_versions_one_can_be_chosen(at, tmp_path):
  tab = at("half_plus")
  options = "[...document.getElementById('version').options].map(o => o.text)"
  tab.wait(f"{options}.length")
  assert tab.js(options) == ["newest", "2", "1"]
  assert tab.js("JSON.parse(document.getElementById('json').value)") == {"instances": [[0]]}
  for version, expected in (("", 3.0), ("1", 2.0)):
    tab.js(
      f"""(() => {{ const select = document.getElementById("version"); select.value = "{version}";
        select.dispatchEvent(new Event("change")); }})()"""
    )
    tab.wait_for_text("#subtitle", f"Version {version or 2},")
    tab.answered(lambda: tab.click("#ask"))
    assert tab.text("#model-version") == (version or "2")
    assert json.loads(tab.text("#raw")) == {"predictions": [[expected]]}
    assert _run(tab.text("#curl-line"), tmp_path) == {"predictions": [[expected]]}


def test_of_models_chosen_in_haste_the_last_one_is_asked(at):
  tab = at("images")
  tab.js(
    """["sentiment", "many", "half_plus", "translation"].forEach((name) => {
      const select = document.getElementById("model");
      select.value = name;
      select.dispatchEvent(new Event("change"));
    })"""
  )
  tab.wait("!document.getElementById('text-input').hidden")
  tab.answered(lambda: tab.click("#example"))
  assert tab.text("#title") == "translation"
  assert tab.text("#headline") == "AN EXAMPLE"
  assert tab.complaints() == []


def test_what_is_no_number_in_json_is_shown(at):
  tab = at("types")
  tab.js(
    """document.getElementById("json").value =
      '{"signature_name": "float32", "instances": [NaN, -Infinity, 1.5]}'"""
  )
  tab.answered(lambda: tab.click("#ask"))
  assert "".join(tab.text("#raw").split()) == '{"predictions":[NaN,-Infinity,1.5]}'


def test_a_newer_version_answers_without_a_reload(start, tab, save_shouts, tmp_path):
  base = tmp_path / "m"
  save_shouts(base / "1")
  local = start("--model_name=m", f"--model_base_path={base}", "--ui")
  opened = tab(f"http://127.0.0.1:{local.rest_port}/ui")
  opened.wait("!document.getElementById('input').hidden")
  opened.js("document.getElementById('text').value = 'x'")
  opened.answered(lambda: opened.click("#ask"))
  assert opened.text("#model-version") == "1"
  shutil.copytree(base / "1", tmp_path / "2")
  (tmp_path / "2").rename(base / "2")
  local.wait_for("m", v1="END", v2="AVAILABLE")
  opened.answered(lambda: opened.click("#ask"))
  assert opened.text("#model-version") == "2"
  assert opened.text("#subtitle").startswith("Version 2,")
  assert opened.complaints() == []
