// The shell's way to send what the page sent.

// An argument of a command may be 128 KiB long on Linux; a here-document has no such bound.
const LONGEST_ARGUMENT = 100_000;
// Up to here a picture that is in no file stands in the line itself.
const LONGEST_INLINE = 3_000;

/** A line for a POSIX shell: posts `body` to `url`, as the page did. */
function curlForBody(url, body, hasToken) {
  const start = `curl${authorization(hasToken)} --data-binary`;
  if (new TextEncoder().encode(body).length <= LONGEST_ARGUMENT) {
    return `${start} ${quoted(body)} ${quoted(url)}`;
  }
  return `${start} @- ${quoted(url)} <<'END_OF_BODY'\n${body}\nEND_OF_BODY`;
}

/** A line that builds the body from a picture's file; the name is as long as it is here. */
function curlForFile(url, fileName, hasToken) {
  const encoded = `base64 < ${quoted(fileName)} | tr -d '\\n'`;
  const body = `{ printf '{"instances":[{"b64":"'; ${encoded}; printf '"}]}'; }`;
  return `${body} |\n  curl${authorization(hasToken)} --data-binary @- ${quoted(url)}`;
}

/** The token itself stays out of the line, and so of screens and the shell's history. */
function authorization(hasToken) {
  return hasToken ? ' -H "Authorization: Bearer $TOKEN"' : "";
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
