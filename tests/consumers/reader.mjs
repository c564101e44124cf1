// Reads documents as Node does, and says of each what it found; as `reader.py` beside it.

import readline from "node:readline";

const DEPTH_MAX = 8;
const JSON_BEGINS = /^[\s\ufeff]*[\[{"]/;
const TOKEN = /^(|\*\*\*|\[REDACTED\]|p_[a-z2-7]{16})$/;
const hidden = (name) => name === "user_id" || name === "api_key" || name.endsWith("_token");
const isToken = (value) => (typeof value === "string" ? TOKEN.test(value) : value === null || value === 0);

function* look(value, whole, level) {
  if (Array.isArray(value)) {
    for (const element of value) yield* look(element, whole, level);
  } else if (value !== null && typeof value === "object") {
    for (const [name, child] of Object.entries(value)) {
      if (whole && name.includes("Zq")) yield "a secret in a name";
      if (!hidden(name)) yield* look(child, whole, level);
      else if (!isToken(child)) yield `a hidden value: ${JSON.stringify(child)}`;
    }
  } else if (typeof value === "string") {
    if (whole && value.includes("Zq")) yield `a secret: ${value}`;
    if (level < DEPTH_MAX && JSON_BEGINS.test(value)) {
      let inner;
      try {
        inner = JSON.parse(value);
      } catch {
        return;
      }
      yield* look(inner, whole, level + 1);
    }
  } else if (whole && value === 770077) yield "a secret number";
}

const decoder = new TextDecoder("utf-8", { fatal: true });
for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { text, whole } = JSON.parse(line);
  let said = "ok";
  try {
    const value = JSON.parse(decoder.decode(Buffer.from(text, "utf-8")));
    const found = look(value, whole, 0).next();
    if (!found.done) said = `found: ${found.value}`;
  } catch (error) {
    said = `refused: ${error.message}`;
  }
  console.log(said.replaceAll("\n", " ").slice(0, 300));
}
