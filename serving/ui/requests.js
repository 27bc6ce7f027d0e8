// Requests to the server that this page came from, and its refusals in words.

const WORDS = {
  0: "The server does not answer.",
  400: "The model cannot use this input.",
  401: "The server wants a token.",
  403: "The server does not allow this.",
  404: "This model or version is not served.",
  413: "This is larger than what the server takes.",
  429: "The server has reached a limit.",
  500: "The model failed.",
  501: "JSON cannot carry this model's answer.",
  503: "The server cannot answer now. Try again in a moment.",
  504: "The model took too long.",
};

/** An answer that is none: `message` says so in words, `detail` is the server's own text. */
class Refusal extends Error {
  constructor(status, detail) {
    super(WORDS[status] ?? `The server refused this (${status}).`);
    this.status = status;
    this.detail = detail;
  }
}

/** Address of a path of this server, also behind a proxy that adds a prefix. */
function address(path) {
  return new URL(path, window.location.href).href.split("#")[0];
}

/** Asks for a path, posting `body` where there is one; resolves to text and milliseconds. */
async function request(path, token, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const options = body === undefined ? {} : { method: "POST", body };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  performance.clearResourceTimings();
  const url = address(path);
  const started = performance.now();
  let response, text;
  try {
    response = await fetch(url, { ...options, headers, cache: "no-store" });
    text = await response.text();
  } catch {
    const advice = "It also hangs up on requests that are larger than it takes.";
    throw new Refusal(0, `Is it still running at ${window.location.host}? ${advice}`);
  }
  const elapsed = performance.now() - started;
  // From the request's first byte to the answer's last, without what the browser does around it.
  const [timing] = performance.getEntriesByName(url, "resource");
  const milliseconds = timing?.requestStart ? timing.responseEnd - timing.requestStart : elapsed;
  if (!response.ok) throw new Refusal(response.status, errorText(text));
  return { text, milliseconds };
}

function errorText(body) {
  try {
    return JSON.parse(body).error ?? body;
  } catch {
    return body;
  }
}

/** An error of TensorFlow without the names of the graph's nodes, which say nothing to a caller. */
function withoutGraph(detail) {
  const bare = detail.replace(/\[\[\{\{.*?\}\}\]\]|\[\[\S*\]\]|\{\{.*?\}\}/gs, "");
  return bare.replace(/[ \t]*\n[ \t]*(?=\n|$)/g, "").trim() || detail.trim();
}

/** Like JSON.parse; NaN and Infinity, which TensorFlow Serving writes bare, become strings. */
function parseAnswer(text) {
  return JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:Infinity|NaN)\b/g, (found) =>
      found.startsWith('"') ? found : `"${found}"`,
    ),
  );
}
