// What a model wants, read from its metadata: the kind of input, and a body to fill in.

const NUMBERS_IN_TEMPLATE = 4096;

/** "picture", "text" or "json" for a signature of the metadata. */
function inputKind(signatureName, signature) {
  const inputs = Object.entries(signature.inputs);
  const [name, info] = inputs[0] ?? [];
  const isOneString =
    signatureName === "serving_default" &&
    inputs.length === 1 &&
    info.dtype === "DT_STRING" &&
    !info.tensor_shape.unknown_rank &&
    info.tensor_shape.dim.length === 1;
  if (!isOneString) return "json";
  return { image: "picture", text: "text" }[name] ?? "json";
}

/** A request's text that names every input, with zeros and empty strings as values. */
function bodyTemplate(signatureName, signature) {
  const inputs = Object.entries(signature.inputs).sort(([a], [b]) => (a < b ? -1 : 1));
  // Rows need a first dimension of any size on both sides; columns always work.
  const all = [...Object.values(signature.inputs), ...Object.values(signature.outputs)];
  const isByRow = all.every((info) => sizes(info)[0] === -1);
  const values = inputs.map(([name, info]) => {
    const wanted = sizes(info).map((size) => (size < 0 ? 1 : size));
    return [name, filled(isByRow ? wanted.slice(1) : wanted, zero(info.dtype))];
  });
  const given = values.length === 1 ? values[0][1] : Object.fromEntries(values);
  const body = isByRow ? { instances: [given] } : { inputs: given };
  const isDefault = signatureName === "serving_default";
  const named = isDefault ? body : { signature_name: signatureName, ...body };
  // Innermost lists on one line: a row of numbers is read as a row.
  return JSON.stringify(named, null, 2).replace(/\[[^[\]{}"]*\]/g, (list) =>
    list.replace(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]"),
  );
}

/** "x: float32 [?, 3]" for each input. */
function describeInputs(signature) {
  return Object.entries(signature.inputs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, info]) => {
      const shape = info.tensor_shape.unknown_rank
        ? "any shape"
        : `[${sizes(info).map((size) => (size < 0 ? "?" : size)).join(", ")}]`;
      return `${name}: ${typeName(info.dtype)} ${shape}`;
    })
    .join("; ");
}

function sizes(info) {
  return info.tensor_shape.unknown_rank ? [-1] : info.tensor_shape.dim.map((d) => Number(d.size));
}

function typeName(dtype) {
  const name = dtype.replace("DT_", "").toLowerCase();
  return { float: "float32", double: "float64", half: "float16" }[name] ?? name;
}

function zero(dtype) {
  if (dtype === "DT_STRING") return "";
  return dtype === "DT_BOOL" ? false : 0;
}

/** Nested lists of these sizes; an empty one where they would hold too much to edit. */
function filled(wanted, value) {
  if (wanted.reduce((product, size) => product * size, 1) > NUMBERS_IN_TEMPLATE) return [];
  const [first, ...rest] = wanted;
  return first === undefined ? value : Array.from({ length: first }, () => filled(rest, value));
}
