//! What is redacted: texts that are the same in every run.

use super::common::{Random, WORDS, traces};

/// One text, and how it is framed.
pub(crate) struct Corpus {
    pub(crate) name: &'static str,
    pub(crate) text: String,
    /// One JSON value per line, or one document.
    pub(crate) lines: bool,
}

/// Traces with steps and tool calls; the same with long texts; small numbers under names of one character; and one
/// document, indented, a quarter of it traces and the rest such numbers. And calls of tools, of which nearly all is JSON in
/// strings.
pub(crate) fn corpus(name: &'static str, bytes: usize) -> Corpus {
    match name {
        "traces" => Corpus { name, text: traces(bytes), lines: true },
        "embedded" => Corpus { name, text: records(bytes, calls), lines: true },
        "long" => Corpus { name, text: records(bytes, long), lines: true },
        "dense" => Corpus { name, text: records(bytes, |out, random| dense(out, random, "\n")), lines: true },
        _ => Corpus { name: "pretty", text: pretty(bytes), lines: false },
    }
}

fn records(bytes: usize, record: impl Fn(&mut String, &mut Random)) -> String {
    let mut random = Random::new(2);
    let mut out = String::with_capacity(bytes + 64 * 1024);
    while out.len() < bytes {
        record(&mut out, &mut random);
    }
    out
}

/// A step whose prompt has about three thousand characters.
fn long(out: &mut String, random: &mut Random) {
    let id = random.below(u64::from(u32::MAX));
    out.push_str(&format!("{{\"trace_id\":\"tr-{id:012x}\",\"user_id\":\"user-{id:08x}\",\"steps\":["));
    for step in 0..3 {
        let comma = if step == 0 { "" } else { "," };
        out.push_str(&format!("{comma}{{\"n\":{step},\"prompt\":\""));
        let end = out.len() + 2500 + random.below(1000) as usize;
        while out.len() < end {
            out.push_str(WORDS[random.below(WORDS.len() as u64) as usize]);
            out.push(' ');
        }
        out.push_str(&format!("\",\"email\":\"c{id:06x}@example.com\",\"ok\":true}}"));
    }
    out.push_str("]}\n");
}

/// Calls of tools with their arguments, and what came back.
fn calls(out: &mut String, random: &mut Random) {
    let id = random.below(u64::from(u32::MAX));
    out.push_str(&format!("{{\"trace_id\":\"tr-{id:012x}\",\"calls\":["));
    for call in 0..4 {
        let comma = if call == 0 { "" } else { "," };
        let items: Vec<String> = (0..4 + random.below(8))
            .map(|item| {
                let words: Vec<&str> = (0..10 + random.below(40)).map(|_| WORDS[random.below(16) as usize]).collect();
                let (order, cents, words) = (random.below(1 << 30), random.below(100_000), words.join(" "));
                format!("{{\"order_id\":{order},\"position\":{item},\"total\":{cents}.5,\"paid\":true,\"note\":\"{words}\"}}")
            })
            .collect();
        let inner = format!(
            "{{\"user_id\":\"user-{id:08x}\",\"query\":\"orders of last week\",\"limit\":{call},\"items\":[{}]}}",
            items.join(",")
        );
        let inner = inner.replace('\\', "\\\\").replace('"', "\\\"");
        out.push_str(&format!("{comma}{{\"name\":\"list_orders\",\"arguments\":\"{inner}\"}}"));
    }
    out.push_str("]}\n");
}

/// A record of small numbers.
fn dense(out: &mut String, random: &mut Random, end: &str) {
    let mut small = || random.below(100);
    out.push_str(&format!("{{\"a\":{},\"b\":[{},{},{},{}]", small(), small(), small(), small(), small()));
    out.push_str(&format!(
        ",\"c\":{{\"d\":{},\"e\":{}.{}}},\"f\":[[{}],-{}]",
        small(),
        small(),
        small(),
        small(),
        small()
    ));
    out.push_str(&format!(",\"g\":{},\"h\":[{},{},{}],\"i\":{}}}{end}", small(), small(), small(), small(), small()));
}

fn pretty(bytes: usize) -> String {
    let lines = traces(bytes / 8) + &records(bytes / 8, |out, random| dense(out, random, "\n"));
    let mut out = String::with_capacity(bytes + bytes / 4);
    out.push('[');
    let mut lines = lines.lines().cycle();
    let mut comma = "";
    while out.len() < bytes {
        out.push_str(comma);
        indent(lines.next().expect("there are some"), &mut out);
        comma = ",";
    }
    out.push_str("\n]\n");
    out
}

/// Two spaces for each level, as Python and jq write it.
fn indent(json: &str, out: &mut String) {
    let (mut depth, mut text, mut escaped) = (1, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    line(out, depth);
    for character in json.chars() {
        if text {
            out.push(character);
            text = character != '"' || escaped;
            escaped = character == '\\' && !escaped;
            continue;
        }
        match character {
            '{' | '[' => {
                out.push(character);
                depth += 1;
                line(out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(out, depth);
                out.push(character);
            }
            ',' => {
                out.push(character);
                line(out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                text = character == '"';
                out.push(character);
            }
        }
    }
}
