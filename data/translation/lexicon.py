"""Words of the sample sentences, with their French grammar."""

from __future__ import annotations

from typing import NamedTuple


class Noun(NamedTuple):
  """A noun; without `plural` forms, both languages add an s to the singular."""

  english: str
  french: str
  feminine: bool
  kind: str
  english_plural: str = ""
  french_plural: str = ""


class Adjective(NamedTuple):
  """An adjective with both French genders; `before` says that it precedes the noun."""

  english: str
  masculine: str
  feminine: str
  before: bool = False


class Verb(NamedTuple):
  """A transitive verb and the kinds of nouns that it takes.

  `present` are the French forms for je, tu, il, nous, vous, ils.
  """

  english: str
  third: str
  past: str
  infinitive: str
  present: tuple[str, str, str, str, str, str]
  participle: str
  kinds: tuple[str, ...]


class Subject(NamedTuple):
  """`person` counts from 0, je, to 5, ils."""

  english: str
  french: str
  person: int
  feminine: bool = False


NOUNS = (
  Noun("apple", "pomme", True, "food"),
  Noun("bread", "pain", False, "food"),
  Noun("cake", "gâteau", False, "food", french_plural="gâteaux"),
  Noun("orange", "orange", True, "food"),
  Noun("cheese", "fromage", False, "food"),
  Noun("soup", "soupe", True, "food"),
  Noun("egg", "œuf", False, "food"),
  Noun("salad", "salade", True, "food"),
  Noun("book", "livre", False, "text"),
  Noun("letter", "lettre", True, "text"),
  Noun("newspaper", "journal", False, "text", french_plural="journaux"),
  Noun("story", "histoire", True, "text", "stories"),
  Noun("poem", "poème", False, "text"),
  Noun("message", "message", False, "text"),
  Noun("car", "voiture", True, "thing"),
  Noun("house", "maison", True, "thing"),
  Noun("chair", "chaise", True, "thing"),
  Noun("table", "table", True, "thing"),
  Noun("umbrella", "parapluie", False, "thing"),
  Noun("bicycle", "vélo", False, "thing"),
  Noun("hat", "chapeau", False, "thing", french_plural="chapeaux"),
  Noun("key", "clé", True, "thing"),
  Noun("watch", "montre", True, "thing", "watches"),
  Noun("tree", "arbre", False, "thing"),
  Noun("dog", "chien", False, "animal"),
  Noun("cat", "chat", False, "animal"),
  Noun("horse", "cheval", False, "animal", french_plural="chevaux"),
  Noun("bird", "oiseau", False, "animal", french_plural="oiseaux"),
  Noun("cow", "vache", True, "animal"),
  Noun("ant", "fourmi", True, "animal"),
)

ADJECTIVES = (
  Adjective("red", "rouge", "rouge"),
  Adjective("green", "vert", "verte"),
  Adjective("white", "blanc", "blanche"),
  Adjective("black", "noir", "noire"),
  Adjective("expensive", "cher", "chère"),
  Adjective("heavy", "lourd", "lourde"),
  Adjective("small", "petit", "petite", True),
  Adjective("big", "grand", "grande", True),
  Adjective("pretty", "joli", "jolie", True),
  Adjective("bad", "mauvais", "mauvaise", True),
)

MOODS = (
  Adjective("tired", "fatigué", "fatiguée"),
  Adjective("happy", "heureux", "heureuse"),
  Adjective("sad", "triste", "triste"),
  Adjective("late", "en retard", "en retard"),
  Adjective("alone", "seul", "seule"),
  Adjective("ready", "prêt", "prête"),
)

VERBS = (
  Verb("eat", "eats", "ate", "manger",
    ("mange", "manges", "mange", "mangeons", "mangez", "mangent"), "mangé", ("food",)),
  Verb("cook", "cooks", "cooked", "préparer",
    ("prépare", "prépares", "prépare", "préparons", "préparez", "préparent"), "préparé", ("food",)),
  Verb("read", "reads", "read", "lire",
    ("lis", "lis", "lit", "lisons", "lisez", "lisent"), "lu", ("text",)),
  Verb("write", "writes", "wrote", "écrire",
    ("écris", "écris", "écrit", "écrivons", "écrivez", "écrivent"), "écrit", ("text",)),
  Verb("buy", "buys", "bought", "acheter",
    ("achète", "achètes", "achète", "achetons", "achetez", "achètent"), "acheté",
    ("food", "text", "thing", "animal")),
  Verb("sell", "sells", "sold", "vendre",
    ("vends", "vends", "vend", "vendons", "vendez", "vendent"), "vendu",
    ("food", "text", "thing", "animal")),
  Verb("see", "sees", "saw", "voir",
    ("vois", "vois", "voit", "voyons", "voyez", "voient"), "vu", ("thing", "animal")),
  Verb("find", "finds", "found", "trouver",
    ("trouve", "trouves", "trouve", "trouvons", "trouvez", "trouvent"), "trouvé",
    ("text", "thing", "animal")),
  Verb("hear", "hears", "heard", "entendre",
    ("entends", "entends", "entend", "entendons", "entendez", "entendent"), "entendu",
    ("animal",)),
  Verb("lose", "loses", "lost", "perdre",
    ("perds", "perds", "perd", "perdons", "perdez", "perdent"), "perdu", ("text", "thing")),
)  # fmt: skip

SUBJECTS = (
  Subject("I", "je", 0),
  Subject("you", "tu", 1),
  Subject("he", "il", 2),
  Subject("she", "elle", 2, True),
  Subject("we", "nous", 3),
  Subject("they", "ils", 5),
  Subject("my brother", "mon frère", 2),
  Subject("my sister", "ma sœur", 2, True),
  Subject("the teacher", "le professeur", 2),
)

MEN = ("Adam", "Bruno", "David", "Felix", "Hugo", "Karl", "Leo", "Marco", "Oscar", "Paul", "Simon",
       "Victor")  # fmt: skip
WOMEN = ("Alice", "Clara", "Diana", "Emma", "Flora", "Julia", "Laura", "Maria", "Nina", "Rosa",
         "Sofia", "Vera")  # fmt: skip

TIMES = {
  "present": (("every day", "tous les jours"), ("now", "maintenant"), ("", "")),
  "past": (("yesterday", "hier"), ("last week", "la semaine dernière"), ("", "")),
  "future": (("tomorrow", "demain"), ("this evening", "ce soir"), ("", "")),
}

TO_HAVE = ("ai", "as", "a", "avons", "avez", "ont")
TO_BE = ("suis", "es", "est", "sommes", "êtes", "sont")
TO_GO = ("vais", "vas", "va", "allons", "allez", "vont")
NUMBERS = (("two", "deux"), ("three", "trois"), ("four", "quatre"), ("five", "cinq"))
