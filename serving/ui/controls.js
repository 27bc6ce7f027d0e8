// Wires the controls, then starts. Last of the scripts.

function on(id, type, handle) {
  byId(id).addEventListener(type, handle);
}

on("token-form", "submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const token = byId("token").value.trim();
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new Error("A token is one word of letters, digits and signs.");
    }
    state.token = token;
    await loadModels();
    firstControl()?.focus();
  }, showBanner);
});

on("model", "change", () => attempt(() => {
  const query = new URLSearchParams({ model: byId("model").value });
  window.history.replaceState(null, "", `?${query}`);
  return chooseModel(byId("model").value);
}, showBanner));

on("version", "change", () => attempt(() => {
  state.version = byId("version").value;
  state.served = "";
  clearAnswer();
  return readMetadata();
}, showBanner));

on("signature", "change", () => {
  state.signature = byId("signature").value;
  byId("json").value = "";
  clearAnswer();
  showInput();
});

on("input", "submit", (event) => {
  event.preventDefault();
  if (byId("ask").getAttribute("aria-disabled") === "true") return;
  attempt(ask, showError);
});

on("example", "click", () => attempt(tryExample, showError));

on("file", "change", () => {
  const files = [...byId("file").files];
  // So that the same file can be chosen again after it has changed.
  byId("file").value = "";
  if (files.length) attempt(() => takePicture(files, true), showError);
});

on("text", "keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("input").requestSubmit();
});

on("json", "keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("input").requestSubmit();
});

on("copy", "click", () => attempt(copyCurl, showError));

window.addEventListener("paste", (event) => {
  if (state.kind !== "picture" || !event.clipboardData?.files.length) return;
  event.preventDefault();
  const files = [...event.clipboardData.files];
  attempt(() => takePicture(files, false), showError);
});

let depth = 0; // of elements of this page that the dragged files are over

function isOfFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}

function setDepth(value) {
  depth = Math.max(0, value);
  document.body.classList.toggle("dragging", depth > 0);
}

window.addEventListener("dragenter", (event) => isOfFiles(event) && setDepth(depth + 1));
window.addEventListener("dragleave", (event) => isOfFiles(event) && setDepth(depth - 1));
window.addEventListener("dragover", (event) => isOfFiles(event) && event.preventDefault());
window.addEventListener("drop", (event) => {
  if (!isOfFiles(event)) return;
  // Also where no picture is wanted: the browser would leave for the file.
  event.preventDefault();
  setDepth(0);
  const files = [...event.dataTransfer.files];
  if (state.kind === "picture" && files.length) attempt(() => takePicture(files, true), showError);
});

function firstControl() {
  return { picture: byId("file"), text: byId("text"), json: byId("json") }[state.kind];
}

if (document.body.dataset.needsToken === "true") showTokenForm();
else attempt(loadModels, showBanner);
