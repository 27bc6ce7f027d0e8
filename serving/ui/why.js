// Why an answer: the words of a text in colour, the map of a picture, or the words of a translation.

const LEAST_SHARE = 0.1;

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
  byId("why").hidden = true;
  say("The answer is explained.");
}

function reasonOf(row) {
  if (row.map_png_bytes) return [mapOf(row)];
  if (row.alignment) return alignmentOf(row);
  if (row.tokens) return wordsOf(row);
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
  const largest = Math.max(...contributions.map(Math.abs)) || 1;
  return tokens.filter((token) => token !== "").flatMap((token, i) => {
    const word = span("word", token);
    const part = contributions[i];
    const strength = Math.round((Math.abs(part) / largest) * 60);
    const colour = part > 0 ? "--for" : "--against";
    word.style.background = `color-mix(in srgb, var(${colour}) ${strength}%, transparent)`;
    word.title = `${part > 0 ? "+" : ""}${fixed(part, 3)}`;
    return [word, " "];
  });
}

function alignmentOf(row) {
  return row.target_tokens.filter((token) => token !== "").map((token, i) => {
    const line = document.createElement("p");
    const shares = row.source_tokens
      .map((source, j) => [row.alignment[i][j], source])
      .filter(([share]) => share >= LEAST_SHARE)
      .sort(([a], [b]) => b - a);
    const words = shares.map(([share, source]) => `${source} ${percent(share)}`).join(", ");
    line.append(span("word", token), ` \u2190 ${words}`);
    return line;
  });
}
