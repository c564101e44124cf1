//! A record as people read it in a terminal: one member per line, long texts and long lines cut. For looking at only:
//! what is cut is no JSON any more.

/// Longest text within a record that is shown whole, in characters.
const TEXT_CHARS: usize = 36;
/// Longest line, in characters.
const LINE_CHARS: usize = 150;

/// The first record of a body, or the message of an error.
pub fn excerpt(body: &str) -> String {
    if let Some(message) = body.split("<Message>").nth(1).and_then(|rest| rest.split("</Message>").next()) {
        return format!("   {message}");
    }
    let record = body.lines().next().unwrap_or_default().trim_end();
    let lines = members(&short_texts(record));
    lines.iter().map(|line| format!("   {}", cut(line, LINE_CHARS))).collect::<Vec<_>>().join("\n")
}

/// Every long text ends with `…`.
fn short_texts(json: &str) -> String {
    let (mut out, mut inside, mut escaped, mut length) = (String::new(), false, false, 0);
    for c in json.chars() {
        let ends = inside && c == '"' && !escaped;
        if inside && !ends {
            length += 1;
            escaped = c == '\\' && !escaped;
            match length.cmp(&TEXT_CHARS) {
                std::cmp::Ordering::Less => out.push(c),
                std::cmp::Ordering::Equal => out.push('…'),
                std::cmp::Ordering::Greater => {}
            }
            continue;
        }
        if c == '"' {
            (inside, length) = (!inside, 0);
        }
        out.push(c);
    }
    out
}

/// One line for each member of the outermost object.
fn members(json: &str) -> Vec<String> {
    let (mut lines, mut depth, mut inside, mut escaped) = (vec![String::new()], 0_usize, false, false);
    for c in json.chars() {
        if let Some(line) = lines.last_mut() {
            line.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => inside = !inside,
            '{' | '[' if !inside => depth += 1,
            '}' | ']' if !inside => depth = depth.saturating_sub(1),
            ',' if !inside && depth == 1 => lines.push(" ".to_owned()),
            _ => {}
        }
    }
    lines
}

fn cut(line: &str, chars: usize) -> String {
    match line.char_indices().nth(chars) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_lines_and_an_error_its_message() {
        let long = "x".repeat(200);
        let record = format!("{{\"a\":1,\"b\":\"{long}\",\"c\":{{\"d\":[1,2],\"e\":\"q\\\",\"}}}}   \n{{\"a\":2}}");
        let shown = excerpt(&record);
        let lines: Vec<&str> = shown.lines().map(str::trim).collect();
        assert_eq!(lines[0], "{\"a\":1,");
        assert!(lines[1].starts_with("\"b\":\"xxx") && lines[1].ends_with("x…\","), "{shown}");
        assert_eq!(lines[2], "\"c\":{\"d\":[1,2],\"e\":\"q\\\",\"}}");
        assert_eq!(lines.len(), 3);
        assert_eq!(excerpt("<Error><Message>no</Message></Error>"), "   no");
    }
}
