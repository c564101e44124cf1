"""Reads documents as Python's json and jq read them, and says of each what they found.

    reader.py python|lenient|jq < DOCUMENTS     (lenient: control characters may stand in strings)

Each line is an object: `text` is what the view shows, `whole` whether its secrets stand under hidden names alone. Each line
of the answer is `ok`, `refused: WHY` or `found: WHAT`.
"""

import json
import re
import sys

DEPTH_MAX = 8
JSON = re.compile(r"[\s\ufeff]*[\[{\"]")
PSEUDONYM = re.compile(r"p_[a-z2-7]{16}")

PROGRAM = r"""
def masked: . == "user_id" or . == "api_key" or endswith("_token");
def token: . == null or . == 0 or (type == "string" and test("^(|\\*\\*\\*|\\[REDACTED\\]|p_[a-z2-7]{16})$"));
def look($level):
  if type == "object" then
    to_entries[]
    | (.key | select($whole and contains("Zq")) | "a secret in a name"),
      (if .key | masked then .value | select(token | not) | "a hidden value: \(tojson)" else .value | look($level) end)
  elif type == "array" then .[] | look($level)
  elif type == "string" then
    select($whole and contains("Zq")) | "a secret: \(.)"
  else select($whole and . == 770077) | "a secret number" end,
  if type == "string" and $level < 8 and test("^[\\s\ufeff]*[\\[{\"]")
  then (try fromjson catch null) | look($level + 1) else empty end;
look(0)
"""


def hidden(name):
    return name in ("user_id", "api_key") or name.endswith("_token")


def is_token(value):
    if isinstance(value, str):
        return value in ("", "***", "[REDACTED]") or PSEUDONYM.fullmatch(value) is not None
    return value is None or (type(value) is int and value == 0)


class Members(list):
    """Those of an object, each occurrence of a name."""


def look(value, whole, strict, level=0):
    if isinstance(value, Members):
        for name, child in value:
            if whole and "Zq" in name:
                yield "a secret in a name"
            if not hidden(name):
                yield from look(child, whole, strict, level)
            elif not is_token(child):
                yield f"a hidden value: {child!r}"
    elif isinstance(value, list):
        for child in value:
            yield from look(child, whole, strict, level)
    elif isinstance(value, str):
        if whole and "Zq" in value:
            yield f"a secret: {value!r}"
        if level < DEPTH_MAX and JSON.match(value):
            for inner in documents(value, strict):
                yield from look(inner, whole, strict, level + 1)
    elif whole and value == 770077:
        yield "a secret number"


def documents(text, strict):
    """The values that stand one behind the other, up to what is none."""
    decoder = json.JSONDecoder(object_pairs_hook=Members, strict=strict)
    at = int(text.startswith("\ufeff"))
    while True:
        while at < len(text) and text[at] in " \t\n\r":
            at += 1
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        if not isinstance(value, (list, str)):
            return
        yield value


def by_python(strict):
    decoder = {"object_pairs_hook": Members, "strict": strict}

    def read(text, whole):
        return next(look(json.loads(text.encode(errors="surrogatepass"), **decoder), whole, strict), None)

    return read


def by_jq():
    import jq

    programs = {whole: jq.compile(PROGRAM, args={"whole": whole}) for whole in (False, True)}

    def read(text, whole):
        return next(iter(programs[whole].input_text(text)), None)

    return read


def main(reader):
    read = by_jq() if reader == "jq" else by_python(strict=reader != "lenient")
    for line in sys.stdin.buffer:
        document = json.loads(line)
        try:
            found = read(document["text"], document["whole"])
        except (ValueError, RecursionError) as error:
            print(f"refused: {type(error).__name__} {error}".replace("\n", " ")[:300])
            continue
        print("ok" if found is None else f"found: {found}".replace("\n", " ")[:300])


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    main(sys.argv[1])
