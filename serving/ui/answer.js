// How an answer looks: classes with bars, a translation with its score, a number, or JSON as it came.

const CLASSES_SHOWN = 5;
const STRANGE = 0.01; // of the inputs like those of training, fewer are less familiar

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
  if (typeof number === "number") return showNumber(number, isRow ? row : {});
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
  return [`${top}, ${percent(row.score ?? classes[0].score)}.`, showDoubts(row)].join(" ").trim();
}

/** Shows what the model says that it does not know, and returns it; nothing of a model without. */
function showDoubts(row) {
  const said = [];
  const isStrange = typeof row.familiarity === "number" && row.familiarity < STRANGE;
  const labels = Array.isArray(row.set) ? row.set.filter((label) => label !== "") : [];
  if (typeof row.low === "number" && typeof row.high === "number") {
    said.push(`Probably from ${short(row.low)} to ${short(row.high)}.`);
  }
  if (row.decision === "accepted") said.push("Accepted.");
  if (row.decision === "unsure" && labels.length > 1) said.push(`Unsure: ${alternatives(labels)}.`);
  else if (row.decision === "unsure" && !isStrange) said.push("Unsure.");
  if (isStrange) {
    const share = row.familiarity < 0.001 ? "fewer than 0.1 %" : percent(row.familiarity);
    said.push(`Unfamiliar: ${share} of the inputs it knows are as strange.`);
  }
  byId("score").textContent = said.join(" ");
  byId("score").hidden = said.length === 0;
  return said.join(" ");
}

function alternatives(labels) {
  const named = labels.slice(0, CLASSES_SHOWN);
  const rest = labels.length - named.length;
  const last = rest > 0 ? `${rest} more` : named.pop();
  return `${named.join(", ")} or ${last}`;
}

function short(number) {
  return String(Number(number.toPrecision(6)));
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

function showNumber(number, row) {
  showHeadline(short(number));
  return [short(number), showDoubts(row)].join(" ").trim();
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
