// The picture that is asked about, wherever it came from.

const STARTS = [
  ["iVBOR", "png"],
  ["/9j/", "jpeg"],
  ["R0lGOD", "gif"],
  ["UklGR", "webp"],
  ["Qk", "bmp"],
];
const SMALL_PIXELS = 64;

/** A picture with its bytes in base64; `isFile` says whether the shell finds it under its name. */
async function readPicture(blob, name, isFile) {
  if (blob.type && !blob.type.startsWith("image/")) {
    throw new Error(`Expected a picture. Received: ${name} (${blob.type}).`);
  }
  if (!blob.size) throw new Error(`Expected a picture. Received: ${name}, which is empty.`);
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`${name} cannot be read: ${reader.error.message}`));
    reader.readAsDataURL(blob);
  });
  return { blob, name, isFile, base64: url.slice(url.indexOf(",") + 1) };
}

/** A picture out of an example request, named after its type. */
function pictureOfBase64(base64) {
  const kind = STARTS.find(([start]) => base64.startsWith(start))?.[1] ?? "";
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const blob = new Blob([bytes], kind ? { type: `image/${kind}` } : {});
  return { blob, name: `example.${kind || "bin"}`, isFile: false, base64 };
}

function showPicture(picture, note) {
  const preview = byId("preview");
  URL.revokeObjectURL(preview.src);
  preview.onload = () => {
    const { naturalWidth: width, naturalHeight: height } = preview;
    preview.classList.toggle("small", Math.max(width, height) <= SMALL_PIXELS);
    preview.hidden = false;
    byId("drop-hint").hidden = true;
    describePicture(picture, `${width} x ${height}`, note);
  };
  preview.onerror = () => {
    preview.hidden = true;
    byId("drop-hint").hidden = false;
  };
  describePicture(picture, "", note);
  preview.alt = `The picture that is asked about: ${picture.name}`;
  preview.src = URL.createObjectURL(picture.blob);
  byId("drop").classList.add("full");
}

function describePicture(picture, size, note) {
  const parts = [picture.name, size, bytesInWords(picture.blob.size), note];
  byId("file-name").textContent = parts.filter(Boolean).join(", ");
}

function bytesInWords(count) {
  if (count < 1000) return `${count} bytes`;
  if (count < 1_000_000) return `${Math.round(count / 1000)} kB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}
