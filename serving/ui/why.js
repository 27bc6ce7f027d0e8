// Why an answer: the words of a text in colour, the map of a picture, or the words of a translation.

const LEAST_SHARE = 0.1;
const WORDS_NAMED = 5; // with their parts, of each colour

/** Offers to explain what was asked, where the model has the signature. */
function offerWhy(body, version) {
  const button = byId("why");
  byId("reason").hidden = true;
  button.hidden = state.kind === "json" || !("explain" in state.signatures);
  button.onclick = () => attempt(() => explain(body, version), showError);
}

async function explain(body, version) {
  const { turn } = state;
  const asked = JSON.stringify({ signature_name: "explain", ...JSON.parse(body) });
  const { text } = await request(`${modelPath(version)}:predict`, state.token, asked);
  if (turn !== state.turn) return;
  const [row] = parseAnswer(text).predictions;
  byId("reason").replaceChildren(...reasonOf(row));
  byId("reason").hidden = false;
  byId("reason").focus(); // the button that has the focus goes
  byId("why").hidden = true;
  say("The answer is explained.");
}

function reasonOf(row) {
  if (row.map_png_bytes) return [mapOf(row), paragraph(colours(row))];
  if (row.alignment) return alignmentOf(row);
  if (row.tokens) return [wordsOf(row), ...legendOf(row)];
  return [span("code", JSON.stringify(row))];
}

function mapOf(row) {
  const picture = document.createElement("img");
  picture.src = `data:image/png;base64,${row.map_png_bytes.b64}`;
  picture.alt = "The picture; red is for the answer, blue against it";
  return picture;
}

/** The words of the text, red for the answer and blue against it; the stronger, the more. */
function wordsOf({ tokens, contributions }) {
  const words = document.createElement("p");
  words.className = "words";
  const largest = Math.max(...contributions.map(Math.abs)) || 1;
  words.append(...tokens.filter((token) => token !== "").flatMap((token, i) => {
    const word = span("word", token);
    const part = contributions[i];
    const strength = Math.round((Math.abs(part) / largest) * 60);
    const colour = part > 0 ? "--for" : "--against";
    word.style.background = `color-mix(in srgb, var(${colour}) ${strength}%, transparent)`;
    word.title = signed(part);
    return [word, " "];
  }));
  return words;
}

/** What the colours mean, and the strongest words with their parts: not all can point or see. */
function legendOf(row) {
  const parts = row.tokens.map((token, i) => [row.contributions[i], token]);
  const named = (sign) => parts
    .filter(([part, token]) => token !== "" && sign * part > 0)
    .sort(([a], [b]) => sign * (b - a))
    .slice(0, WORDS_NAMED)
    .map(([part, token]) => `${token} ${signed(part)}`)
    .join(", ");
  const said = [["Red", named(1)], ["Blue", named(-1)]].filter(([, words]) => words);
  const lines = said.map(([colour, words]) => paragraph(`${colour}: ${words}`));
  if (typeof row.explained === "number") lines.push(paragraph(`In all: ${fixed(row.explained, 3)}`));
  return [paragraph(colours(row)), ...lines];
}

function colours(row) {
  if (typeof row.label === "string" && row.label) return `Red speaks for ${row.label}, blue against it.`;
  if (typeof row.explained === "number") return "Red raises the number, blue lowers it.";
  return "Red speaks for the answer, blue against it.";
}

function paragraph(text) {
  const made = document.createElement("p");
  made.className = "faint";
  made.textContent = text;
  return made;
}

function signed(part) {
  return `${part > 0 ? "+" : ""}${fixed(part, 3)}`;
}

function alignmentOf(row) {
  return row.target_tokens.filter((token) => token !== "").map((token, i) => {
    const line = document.createElement("p");
    const shares = row.source_tokens
      .map((source, j) => [row.alignment[i][j], source])
      .filter(([share]) => share >= LEAST_SHARE)
      .sort(([a], [b]) => b - a);
    const words = shares.map(([share, source]) => `${source} ${percent(share)}`).join(", ");
    line.append(span("word", token), ` \u2190 ${words || "no word in particular"}`);
    return line;
  });
}
