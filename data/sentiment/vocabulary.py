"""The vocabulary of the sample reviews, written by hand; nothing is quoted."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Domain:
  """The vocabulary for one kind of review.

  Attributes:
    items: nouns for the reviewed item, as in "this film".
    aspects: parts of the item that are praised or blamed, each with its article.
    positive, negative: adjectives that only this domain uses.
    neutral: sentences without a judgement.
  """

  items: tuple[str, ...]
  aspects: tuple[str, ...]
  positive: tuple[str, ...]
  negative: tuple[str, ...]
  neutral: tuple[str, ...]

  def adjectives(self, positive: bool) -> tuple[str, ...]:
    """Returns the adjectives of the domain and the general ones."""
    return (self.positive + POSITIVE) if positive else (self.negative + NEGATIVE)


POSITIVE = (
  *("good", "great", "wonderful", "excellent", "lovely", "superb", "pleasant", "brilliant"),
  *("impressive", "delightful", "perfect", "beautiful", "solid", "enjoyable", "remarkable"),
  *("fantastic", "splendid", "terrific", "marvellous", "satisfying"),
)
NEGATIVE = (
  *("bad", "awful", "terrible", "poor", "horrible", "disappointing", "mediocre", "annoying"),
  *("dreadful", "weak", "lousy", "hopeless", "pointless", "ugly", "boring", "tiresome"),
  *("unpleasant", "miserable", "useless", "appalling"),
)

DOMAINS = (
  Domain(
    items=("film", "movie", "thriller", "comedy", "documentary", "sequel"),
    aspects=(
      *("the plot", "the acting", "the dialogue", "the ending", "the soundtrack", "the pacing"),
      *("the camera work", "the first hour", "the cast", "the script"),
    ),
    positive=("gripping", "moving", "witty", "clever", "tender", "thrilling", "haunting"),
    negative=("dull", "predictable", "clumsy", "shallow", "tedious", "lifeless", "contrived"),
    neutral=(
      "It runs for about two hours.",
      "We saw it on a rainy Sunday in a small cinema.",
      "The story takes place in a harbour town in the nineties.",
      "It was shown with subtitles.",
      "There were perhaps twenty people in the room.",
    ),
  ),
  Domain(
    items=("restaurant", "café", "bakery", "meal", "menu", "diner"),
    aspects=(
      *("the soup", "the bread", "the curry", "the dessert", "the service", "the coffee"),
      *("the fish", "the salad", "the sauce", "the crème brûlée"),
    ),
    positive=("delicious", "fresh", "crisp", "tasty", "fragrant", "juicy", "creamy"),
    negative=("bland", "soggy", "greasy", "stale", "tasteless", "lukewarm", "overcooked"),
    neutral=(
      "We came for lunch on a Tuesday.",
      "There is a table by the window and a short menu on the wall.",
      "I ordered what the waiter named first.",
      "They take cards & cash.",
      "It opened in spring, next to the station.",
    ),
  ),
  Domain(
    items=("hotel", "hostel", "campsite", "museum", "park", "guest house"),
    aspects=(
      *("the room", "the view", "the pool", "the garden", "the breakfast", "the bed"),
      *("the staff", "the bathroom", "the terrace", "the lobby"),
    ),
    positive=("cosy", "spotless", "quiet", "charming", "sunny", "welcoming", "spacious"),
    negative=("filthy", "noisy", "cramped", "damp", "shabby", "gloomy", "draughty"),
    neutral=(
      "We stayed for three nights in October.",
      "It lies ten minutes from the bus stop.",
      "Our window looked out on the street.",
      "One pays at the desk on arrival.",
      "There are two floors and a lift.",
    ),
  ),
  Domain(
    items=("kettle", "headset", "backpack", "lamp", "printer", "drill"),
    aspects=(
      *("the battery", "the handle", "the lid", "the motor", "the manual", "the cable"),
      *("the strap", "the switch", "the casing", "the finish"),
    ),
    positive=("sturdy", "handy", "reliable", "precise", "robust", "durable", "well made"),
    negative=("flimsy", "fiddly", "faulty", "wobbly", "unreliable", "brittle", "badly made"),
    neutral=(
      "It came in a plain box with two screws.",
      "I have used it every day since March.",
      "It weighs about as much as a bag of flour.",
      "Mine is the grey one.",
      "The parcel took four days.",
    ),
  ),
)

# How a judgement is strengthened, and how it is turned around.
INTENSIFIERS = ("", "", "", "really ", "truly ", "quite ", "simply ")
NEGATIONS = (
  *("not {}", "not {} at all", "not {} in the least", "never {}", "anything but {}", "far from {}"),
  *("hardly {}", "by no means {}"),
)
# Phrases that look like negations and are not.
FALSE_NEGATIONS = ("not only {} but also {}", "not just {} but {}", "nothing if not {} and {}")

# {0} loses, {1} decides; some have the deciding half first.
CONTRASTS = (
  "{0}, but {1}",
  "{0}, yet {1}",
  "although {0}, {1}",
  "even if {0}, {1}",
  "{1}, although {0}",
  "{1}, even if {0}",
  "I was told that {0}, but {1}",
  "granted, {0}; all the same {1}",
  "I had expected that {0}; instead {1}",
)
# Somebody else's opinion decides nothing.
HEARSAY = (
  "A friend had called it {}.",
  "The advertisement promised something {}.",
  "Other reviews say it is {}.",
  "My neighbour finds such things {}.",
)
PRAISE = ("I would recommend it.", "I will be back!", "Worth every cent.", "Do not miss it.")
BLAME = ("I would not recommend it.", "Never again!", "A waste of money.", "Do not bother.")
# Names that hardly occur twice.
SYLLABLES = ("ba", "dor", "fen", "gri", "ka", "lu", "mo", "nel", "pra", "sto", "tav", "vi", "zo")
