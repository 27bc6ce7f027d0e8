// The page's state and what its controls do.

const TITLES = { picture: "Picture", text: "Text", json: "Request" };
const FIRST = {
  picture: "Choose a picture first.",
  text: "Type a sentence first.",
  json: "The request is empty.",
};

const state = {
  token: "",
  model: "",
  version: "", // the chosen one; empty for the newest
  served: "", // the one that the metadata is of
  signatures: {},
  signature: "",
  kind: "",
  picture: null,
  template: "",
  examples: [],
  nextExample: 0,
  turn: 0, // of the newest question; answers to older ones are not shown
};

/** Runs what a control started; refusals are shown, bugs of this page also go to the console. */
async function attempt(work, show) {
  try {
    await work();
  } catch (error) {
    if (error.status === 401) showTokenForm(error);
    else show(error);
    if (error.constructor !== Refusal && error.constructor !== Error) throw error;
  }
}

function modelPath(version) {
  const name = `v1/models/${encodeURIComponent(state.model)}`;
  return version ? `${name}/versions/${version}` : name;
}

async function loadModels() {
  const { models } = JSON.parse((await request("ui/models", state.token)).text);
  byId("token-form").hidden = true;
  byId("banner").hidden = true;
  if (!models.length) throw new Error("No model is served.");
  const wanted = new URLSearchParams(window.location.search).get("model");
  fillSelect("model", models.map((name) => [name, name]));
  await chooseModel(models.includes(wanted) ? wanted : models[0]);
}

async function chooseModel(name) {
  Object.assign(state, { model: name, version: "", served: "", signature: "", examples: [] });
  byId("json").value = "";
  byId("model").value = name;
  byId("banner").hidden = true;
  byId("title").textContent = name;
  document.title = `${name} - model server`;
  clearAnswer();
  byId("input").hidden = byId("answer").hidden = byId("example").hidden = true;
  byId("version-pick").hidden = byId("signature-pick").hidden = true;
  byId("subtitle").textContent = "";
  try {
    await readMetadata();
  } catch (error) {
    // Another model may have been chosen while this one was asked.
    if (name === state.model) throw error;
  }
}

async function readVersions() {
  const { model } = state;
  const status = JSON.parse((await request(modelPath(""), state.token)).text);
  if (model !== state.model) return;
  const versions = status.model_version_status
    .filter((one) => one.state === "AVAILABLE")
    .map((one) => one.version)
    .sort((a, b) => Number(b) - Number(a));
  const options = [["", "newest"], ...versions.map((one) => [one, one])];
  fillSelect("version", options, versions.length > 1);
  if (!versions.includes(state.version)) state.version = "";
  byId("version").value = state.version;
}

/** Learns which version answers and what it takes; shows the input that fits. */
async function readMetadata() {
  const { model, version } = state;
  const { text } = await request(`${modelPath(version)}/metadata`, state.token);
  const { model_spec: spec, metadata } = JSON.parse(text);
  if (model !== state.model || version !== state.version || spec.version === state.served) return;
  state.served = spec.version;
  state.signatures = metadata.signature_def.signature_def;
  const names = Object.keys(state.signatures).filter((name) => !name.startsWith("__")).sort();
  if (!names.includes(state.signature)) {
    state.signature = names.includes("serving_default") ? "serving_default" : names[0];
  }
  byId("subtitle").textContent = `Version ${state.served}, served at ${window.location.host}`;
  fillSelect("signature", names.map((name) => [name, name]));
  byId("signature").value = state.signature;
  showInput();
  await Promise.all([readVersions(), readExamples()]);
}

function showInput() {
  const signature = state.signatures[state.signature];
  state.kind = inputKind(state.signature, signature);
  // Signatures are for those who write JSON; a person with a picture needs none.
  byId("signature-pick").hidden = state.kind !== "json" && state.signature === "serving_default";
  if (byId("signature").length < 2) byId("signature-pick").hidden = true;
  for (const kind of Object.keys(TITLES)) byId(`${kind}-input`).hidden = kind !== state.kind;
  byId("input-title").textContent = TITLES[state.kind];
  if (state.kind === "json") {
    const text = bodyTemplate(state.signature, signature);
    const isUntouched = ["", state.template].includes(byId("json").value);
    if (isUntouched) byId("json").value = text;
    state.template = text;
    byId("json-inputs").textContent = describeInputs(signature);
  }
  byId("input").hidden = false;
  byId("answer").hidden = false;
}

async function readExamples() {
  const { model } = state;
  const path = `ui/models/${encodeURIComponent(model)}/versions/${state.served}/example`;
  const { text } = await request(path, state.token);
  if (model !== state.model) return;
  const name = Object.keys(state.signatures[state.signature].inputs)[0];
  state.examples = JSON.parse(text).instances.map((row) => row?.[name] ?? row);
  state.nextExample = 0;
  byId("example").hidden = state.kind === "json" || !state.examples.length;
}

async function tryExample() {
  const value = state.examples[state.nextExample++ % state.examples.length];
  if (state.kind === "text") {
    byId("text").value = value;
  } else {
    state.picture = pictureOfBase64(value.b64);
    showPicture(state.picture);
  }
  await ask();
}

async function takePicture(files, isFile) {
  state.picture = await readPicture(files[0], isFile ? files[0].name : "picture.png", isFile);
  showPicture(state.picture, files.length > 1 ? `the first of ${files.length}` : "");
  await ask();
}

/** The body to send; empty where there is nothing to ask about yet. */
function requestBody() {
  if (state.kind === "picture") {
    return state.picture ? `{"instances":[{"b64":"${state.picture.base64}"}]}` : "";
  }
  if (state.kind === "json") return withoutTurns(byId("json").value.trim());
  const text = byId("text").value.trim();
  return text ? withoutTurns(JSON.stringify({ instances: [text] })) : "";
}

/** Escapes marks that turn the order of letters, which would show another line than is copied. */
function withoutTurns(json) {
  return json.replace(/[\u202a-\u202e\u2066-\u2069]/g, (mark) => `\\u${mark.charCodeAt(0).toString(16)}`);
}

async function ask() {
  const turn = ++state.turn;
  setBusy(true);
  try {
    await askOnce(turn);
  } catch (error) {
    if (turn !== state.turn) return;
    const wasNewest = !state.version;
    if (error.status === 404) await readVersions();
    if (error.status !== 404 || !wasNewest) throw error;
    // A newer version took over between the two requests.
    state.served = "";
    await askOnce(turn);
  } finally {
    if (turn === state.turn) setBusy(false);
  }
}

async function askOnce(turn) {
  if (!state.version) await readMetadata();
  if (turn !== state.turn) return;
  const body = requestBody();
  if (!body) throw new Error(FIRST[state.kind]);
  const path = `${modelPath(state.served)}:predict`;
  const version = state.served;
  showCurl(address(path), body);
  const { text, milliseconds } = await request(path, state.token, body);
  if (turn !== state.turn) return;
  byId("empty").hidden = byId("error").hidden = true;
  const sentence = showAnswer(text);
  offerWhy(body, version);
  byId("latency").textContent = inMilliseconds(milliseconds);
  byId("model-name").textContent = state.model;
  byId("model-version").textContent = version;
  byId("result").hidden = false;
  byId("answer").scrollIntoView({ block: "nearest" });
  say(`${sentence} ${inMilliseconds(milliseconds)}`);
}

function showCurl(url, body) {
  const hasToken = state.token !== "";
  const picture = state.kind === "picture" ? state.picture : null;
  const needsFile = picture && (picture.isFile || body.length > LONGEST_INLINE);
  byId("curl-line").textContent = needsFile
    ? curlForFile(url, picture.name, hasToken)
    : curlForBody(url, body, hasToken);
  const words = [];
  if (needsFile && picture.isFile) words.push(`Run it in the folder of ${picture.name}.`);
  if (hasToken) words.push("Set TOKEN to the token.");
  const save = byId("save");
  save.hidden = !needsFile || picture.isFile;
  if (!save.hidden) {
    words.push(`The line reads ${picture.name}, which is in no file yet.`);
    URL.revokeObjectURL(save.href);
    save.href = URL.createObjectURL(picture.blob);
    save.download = picture.name;
  }
  byId("curl-words").textContent = words.join(" ");
  byId("curl-hint").hidden = !words.length;
  byId("curl").hidden = false;
}

function clearAnswer() {
  for (const id of ["result", "error", "curl"]) byId(id).hidden = true;
  byId("empty").hidden = false;
  state.turn += 1;
  setBusy(false);
}

function showError(error) {
  byId("empty").hidden = byId("result").hidden = true;
  byId("error-title").textContent = error.message;
  const detail = error.detail ?? "";
  byId("error-detail").textContent = withoutGraph(detail);
  byId("error-more").hidden = withoutGraph(detail) === detail.trim();
  byId("error-more").open = false;
  byId("error-raw").textContent = detail;
  byId("error").hidden = false;
  byId("answer").scrollIntoView({ block: "nearest" });
}

function showBanner(error) {
  byId("banner-title").textContent = error.message;
  byId("banner-detail").textContent = error.detail ?? "";
  byId("banner").hidden = false;
}

function showTokenForm(error) {
  if (error) showBanner(error);
  byId("token-form").hidden = false;
  byId("token").focus();
}

function setBusy(isBusy) {
  byId("ask").setAttribute("aria-disabled", String(isBusy));
  byId("result").classList.toggle("stale", isBusy);
}

function say(sentence) {
  byId("status").textContent = sentence;
}

function inMilliseconds(value) {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}

function fillSelect(id, options, isShown = options.length > 1) {
  byId(id).replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  byId(`${id}-pick`).hidden = !isShown;
}

async function copyCurl() {
  const line = byId("curl-line");
  let isCopied = false;
  if (navigator.clipboard) {
    isCopied = await navigator.clipboard.writeText(line.textContent).then(() => true, () => false);
  }
  if (!isCopied) {
    // Pages that come over plain HTTP from another machine have no clipboard of their own.
    window.getSelection().selectAllChildren(line);
    isCopied = document.execCommand("copy");
  }
  const words = isCopied ? "Copied" : "Selected: copy it yourself";
  byId("copy").textContent = words;
  say(words);
  setTimeout(() => (byId("copy").textContent = "Copy"), 2000);
}
