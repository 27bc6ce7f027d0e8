"""Writes the sample sentence pairs: made-up English sentences and their French translations.

A dictionary is not enough to translate them: gender and number agree, adjectives change places,
articles and pronouns are shortened before vowels, a negation surrounds the verb, names are copied.
Every machine writes the same rows. README.md gives the provenance.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from data.sample_file import write_once
from data.translation import lexicon
from data.translation.lexicon import Adjective, Noun, Subject, Verb

_ROWS = 6_000
_SEED = 7
_VOWELS = tuple("aeiouéèêâîôûœh")


def write_sentences(target: str) -> str:
  """Writes `target` if it does not exist: one English-French pair a line, separated by a tab.

  Args:
    target: path of the file; it is created complete or not at all.

  Returns:
    `target`.

  Raises:
    OSError: the file cannot be written.
  """
  return write_once(
    target,
    lambda file: file.writelines(f"{english}\t{french}\n" for english, french in sentences()),
  )


def sentences(rows: int = _ROWS, seed: int = _SEED) -> Iterator[tuple[str, str]]:
  """Yields distinct English sentences, each with its French translation."""
  author = _Author(random.Random(seed))
  seen: set[str] = set()
  while len(seen) < rows:
    english, french = author.sentence()
    if english not in seen:
      seen.add(english)
      yield english, french


class _Author:
  """Composes sentences; `rng` is the only source of randomness."""

  def __init__(self, rng: random.Random):
    self._rng = rng

  def sentence(self) -> tuple[str, str]:
    """Returns one pair, each sentence with a capital and a full stop."""
    kind = self._rng.random()
    if kind < 0.15:
      english, french = self._mood()
    elif kind < 0.25:
      english, french = self._property()
    else:
      english, french = self._action()
    return english[0].upper() + english[1:], french[0].upper() + french[1:]

  def _subject(self) -> Subject:
    if self._rng.random() < 0.4:
      feminine = self._rng.random() < 0.5
      name = self._rng.choice(lexicon.WOMEN if feminine else lexicon.MEN)
      return Subject(name, name, 2, feminine)
    return self._rng.choice(lexicon.SUBJECTS)

  def _mood(self) -> tuple[str, str]:
    subject, mood = self._subject(), self._rng.choice(lexicon.MOODS)
    be = {0: "am", 2: "is"}.get(subject.person, "are")
    state = mood.feminine if subject.feminine else mood.masculine
    if subject.person >= 3 and state != "en retard":
      state = _plural(state)
    verb = lexicon.TO_BE[subject.person]
    if self._rng.random() < 0.3:
      return (
        f"{subject.english} {be} not {mood.english}.",
        f"{subject.french} {_elide('ne', verb)} pas {state}.",
      )
    return f"{subject.english} {be} {mood.english}.", f"{_join(subject.french, verb)} {state}."

  def _property(self) -> tuple[str, str]:
    noun, adjective = self._rng.choice(lexicon.NOUNS), self._rng.choice(lexicon.ADJECTIVES)
    many = self._rng.random() < 0.3
    form = adjective.feminine if noun.feminine else adjective.masculine
    if many:
      return (
        f"the {_english_plural(noun)} are {adjective.english}.",
        f"les {_french_plural(noun)} sont {_plural(form)}.",
      )
    return (
      f"the {noun.english} is {adjective.english}.",
      f"{_definite(noun, noun.french)} est {form}.",
    )

  def _action(self) -> tuple[str, str]:
    subject, verb = self._subject(), self._rng.choice(lexicon.VERBS)
    noun = self._rng.choice([n for n in lexicon.NOUNS if n.kind in verb.kinds])
    adjective = self._rng.choice(lexicon.ADJECTIVES) if self._rng.random() < 0.4 else None
    tense = self._rng.choice(tuple(lexicon.TIMES))
    negative, question = self._rng.random() < 0.2, self._rng.random() < 0.15
    when, quand = self._rng.choice(lexicon.TIMES[tense])
    english_object, french_object = self._object(noun, adjective, negative=negative)
    third = subject.person == 2
    english = _english_clause(subject, verb, tense, third=third, negative=negative, ask=question)
    french = _french_verbs(verb, tense, subject.person, negative=negative)
    french_clause = _join(subject.french, french)
    if question:
      french_clause = _elide("est-ce que", french_clause)
    end, fin = ("?", " ?") if question else (".", ".")
    return (
      " ".join(part for part in (english, english_object, when) if part) + end,
      " ".join(part for part in (french_clause, french_object, quand) if part) + fin,
    )

  def _object(self, noun: Noun, adjective: Adjective | None, *, negative: bool) -> tuple[str, str]:
    article = self._rng.choice(("a", "the", "my", "this", "number"))
    many = article == "number"
    english = _english_plural(noun) if many else noun.english
    french = _french_plural(noun) if many else noun.french
    if adjective:
      english = f"{adjective.english} {english}"
      form = adjective.feminine if noun.feminine else adjective.masculine
      form = _plural(form) if many else form
      french = f"{form} {french}" if adjective.before else f"{french} {form}"
    if many:
      number, nombre = self._rng.choice(lexicon.NUMBERS)
      return f"{number} {english}", f"{nombre} {french}"
    if article == "a":
      vowel = english.startswith(tuple("aeiou"))
      un = "une" if noun.feminine else "un"
      # A negation turns un and une into de.
      translated = _elide("de", french) if negative else f"{un} {french}"
      return f"{'an' if vowel else 'a'} {english}", translated
    if article == "the":
      return f"the {english}", _definite(noun, french)
    starts_with_vowel = french.startswith(_VOWELS)
    if article == "my":
      mon = "ma" if noun.feminine and not starts_with_vowel else "mon"
      return f"my {english}", f"{mon} {french}"
    masculine = "cet" if starts_with_vowel else "ce"
    return f"this {english}", f"{'cette' if noun.feminine else masculine} {french}"


def _english_clause(
  subject: Subject, verb: Verb, tense: str, *, third: bool, negative: bool, ask: bool
) -> str:
  auxiliary = {"past": "did", "future": "will"}.get(tense, "does" if third else "do")
  no = "not " if negative else ""
  if ask:
    return f"{auxiliary} {subject.english} {no}{verb.english}"
  if negative or tense == "future":
    return f"{subject.english} {auxiliary} {no}{verb.english}"
  simple = {"past": verb.past, "present": verb.third if third else verb.english}
  return f"{subject.english} {simple[tense]}"


def _french_verbs(verb: Verb, tense: str, person: int, *, negative: bool) -> str:
  finite, rest = {
    "present": (verb.present[person], ""),
    "past": (lexicon.TO_HAVE[person], verb.participle),
    "future": (lexicon.TO_GO[person], verb.infinitive),
  }[tense]
  if negative:
    finite = f"{_elide('ne', finite)} pas"
  return f"{finite} {rest}".rstrip()


def _join(subject: str, verb: str) -> str:
  """Joins subject and verb; shortens only the pronoun je before a vowel."""
  return _elide(subject, verb) if subject == "je" else f"{subject} {verb}"


def _elide(word: str, following: str) -> str:
  """Replaces a final e by an apostrophe before a vowel."""
  if following.lower().startswith(_VOWELS):
    return f"{word[:-1]}'{following}"
  return f"{word} {following}"


def _definite(noun: Noun, phrase: str) -> str:
  if phrase.startswith(_VOWELS):
    return f"l'{phrase}"
  return f"{'la' if noun.feminine else 'le'} {phrase}"


def _english_plural(noun: Noun) -> str:
  return noun.english_plural or f"{noun.english}s"


def _french_plural(noun: Noun) -> str:
  return noun.french_plural or _plural(noun.french)


def _plural(word: str) -> str:
  return word if word.endswith(("s", "x")) else f"{word}s"
