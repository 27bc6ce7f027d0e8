"""Words out of whatever a text may hold."""

import pytest
import tensorflow as tf

from pipeline.text.words import part_buckets, split_words


def _split(text):
  return [word.decode() for word in split_words(tf.constant([text]))[0].numpy().tolist()]


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ("A Simple text", "a simple text"),
    ("It isn't BAD; I'd say it's good.", "it is n't bad ; i 'd say it 's good ."),
    ("can't won't shouldn\u2019t", "ca n't wo n't should n't"),
    ("'quoted' o'clock d\u2019accord", "' quoted ' o'clock d'accord"),
    ("well-made, 3.5 (of 5)", "well - made , 3 . 5 ( of 5 )"),
    ("so... bad!!!! why??? \u2026 ok.", "so .. bad !! why ?? .. ok ."),
    ("a<br />b<BR>c</p>d", "a b c d"),
    ('<a href="x?y=1">see</a><!-- not\nthis -->', "see"),
    ("a < b and i <3 you", "a < b and i < 3 you"),
    ("R&amp;B &quot;x&quot; it&#39;s &lt;b&gt;&nbsp;&hellip;", 'r & b " x " it \'s < b >'),
    ("Tom & Jerry; AT&T", "tom & jerry ; at & t"),
    (
      "\u00dcN\u00cfC\u00d6DE \u0391\u0398\u0397\u039d\u0391 \u041c\u0418\u0420",
      "ünïcöde αθηνα мир",
    ),
    ("E\u0301te\u0301 \u0130\u0323", "\u00e9t\u00e9 \u1ecb\u0307"),
    ("\u96fb\u5f71\u597d\u770b\u3002", "電 影 好 看 。"),
    ("\u0e44\u0e17\u0e22", "ไ ท ย"),
    ("good\U0001f44d\U0001f3fd\u2764\ufe0f", "good 👍 🏽 ❤"),
    ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "👨 👩 👧"),
    ("a\u00a0b\u202fc\u3000d\u200be\tf\r\ng", "a b c d e f g"),
    ("soft\u00adhyphen \ufeffmark", "softhyphen mark"),
    ("nul\0nul and more", "nul nul and more"),
    ("", ""),
    (" \t\n ", ""),
    ("<br />", ""),
  ],
)
def test_what_a_text_is_split_into(text, words):
  assert _split(text) == words.split(" ") if words else _split(text) == []


def test_bytes_that_are_no_utf8_are_replaced_and_the_rest_is_kept():
  assert _split(b"caf\xe9 au \xff\xfelait") == ["caf", "\ufffd", "au", "\ufffd", "\ufffd", "lait"]
  assert _split(b"\xed\xa0\x80 ok")[-1] == "ok"


def test_rows_do_not_depend_on_each_other():
  texts = ["One, two.", "", "isn't it?"]
  together = split_words(tf.constant(texts)).to_list()
  assert together == [split_words(tf.constant([text]))[0].numpy().tolist() for text in texts]


def test_no_batch_is_no_words():
  assert split_words(tf.zeros([0], tf.string)).to_list() == []


def _parts(words, chars):
  return part_buckets(tf.constant(words), chars=chars, buckets=1 << 20).numpy().tolist()


def test_forms_of_a_word_share_the_bucket_of_their_beginning():
  words = ["disappoint", "disappointing", "disaster", "b\u00e9b\u00e9s", "b\u00e9b\u00e9"]
  buckets = _parts(words, 4)
  assert buckets[0] == buckets[1] == buckets[2]
  # Four characters, not bytes.
  assert buckets[3] == buckets[4] != buckets[0]
  longer = _parts(words[:3], 5)
  assert longer[0] == longer[1] != longer[2]


def test_a_negative_number_of_characters_is_the_end():
  buckets = _parts(["hopeless", "less", "ess", "d\u00e9j\u00e0", "j\u00e0"], -4)
  assert buckets[0] == buckets[1] != buckets[2]
  assert buckets[2] == _parts(["ess"], 9)[0]
  assert buckets[3] != buckets[4]
  assert _parts(["d\u00e9j\u00e0", "j\u00e0"], -2) == _parts(["j\u00e0"], 2) * 2


def test_no_words_have_no_buckets():
  assert part_buckets(tf.zeros([0], tf.string), chars=-4, buckets=3).numpy().tolist() == []


def test_buckets_are_as_many_as_asked_for():
  words = tf.strings.as_string(tf.range(500))
  assert set(part_buckets(words, chars=5, buckets=7).numpy().tolist()) == set(range(7))
