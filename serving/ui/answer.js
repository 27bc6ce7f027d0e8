// How an answer looks: classes with bars, a translation with its score, a number, or JSON as it came.

const CLASSES_SHOWN = 5;

/** Shows a Predict answer; returns a sentence for those who listen. */
function showAnswer(text) {
  const [row] = parseAnswer(text).predictions ?? [];
  const isRow = row !== null && typeof row === "object";
  const isClasses = isRow && Array.isArray(row.labels) && Array.isArray(row.scores);
  const isTranslation = isRow && typeof row.translation === "string";
  for (const id of ["headline", "score", "bars", "more", "raw"]) byId(id).hidden = true;
  if (isClasses && row.labels.length === row.scores.length) return showClasses(row);
  if (isTranslation) return showTranslation(row);
  // REST leaves out the name of an only output.
  const number = isRow ? row.value : row;
  if (typeof number === "number") return showNumber(number);
  byId("raw").textContent = text;
  byId("raw").hidden = false;
  return "The model answered.";
}

function showClasses(row) {
  const classes = row.labels
    .map((label, i) => ({ label, score: row.scores[i] }))
    .sort((a, b) => b.score - a.score);
  // Any number of labels may be right, and none.
  const top = row.label === "" ? "(no label)" : (row.label ?? classes[0].label);
  showHeadline(top);
  showBars(classes, CLASSES_SHOWN);
  return `${top}, ${percent(row.score ?? classes[0].score)}.`;
}

function showTranslation(row) {
  showHeadline(row.translation || "(an empty translation)");
  if (row.score !== undefined) {
    const meaning = "a log-probability adjusted for length: the closer to 0, the surer";
    byId("score").textContent = `Score ${fixed(row.score, 3)}, ${meaning}`;
    byId("score").hidden = false;
  }
  return row.translation || "An empty translation.";
}

function showNumber(number) {
  const shown = String(Number(number.toPrecision(6)));
  showHeadline(shown);
  return shown;
}

function showHeadline(text) {
  const headline = byId("headline");
  headline.textContent = text;
  headline.classList.toggle("long", text.length > 40);
  headline.hidden = false;
}

function showBars(classes, count) {
  byId("bars").replaceChildren(...classes.slice(0, count).map(bar));
  byId("bars").hidden = false;
  const more = byId("more");
  more.hidden = classes.length <= CLASSES_SHOWN;
  const isFolded = count < classes.length;
  more.textContent = isFolded ? `Show all ${classes.length} classes` : "Show fewer classes";
  more.setAttribute("aria-expanded", String(!isFolded));
  more.onclick = () => showBars(classes, isFolded ? classes.length : CLASSES_SHOWN);
}

function bar({ label, score }) {
  const item = document.createElement("li");
  const name = span("label", label);
  name.dir = "auto";
  name.title = label;
  const track = span("track", "");
  const fill = span("fill", "");
  // Set here and not in the markup: the policy of this page has no inline styles.
  fill.style.display = "block";
  fill.style.width = `${Math.max(0, Math.min(1, Number(score) || 0)) * 100}%`;
  track.append(fill);
  track.setAttribute("aria-hidden", "true");
  item.append(name, span("value", percent(score)), track);
  return item;
}

function span(className, text) {
  const made = document.createElement("span");
  made.className = className;
  made.textContent = text;
  return made;
}

function percent(score) {
  return typeof score === "number" ? `${(score * 100).toFixed(1)} %` : String(score);
}

function fixed(score, digits) {
  return typeof score === "number" ? score.toFixed(digits) : String(score);
}

function byId(id) {
  return document.getElementById(id);
}
