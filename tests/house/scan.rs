//! Reading Rust as the house rules need it: the code of a file without its comments and texts, its functions, its
//! paths. It is no parser: it knows just enough that a brace in a text or a name in a comment counts for nothing.

/// The same source with every comment, text and character literal blanked out, line for line.
pub(crate) fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let blank = comment(rest).or_else(|| text(rest, &code)).or_else(|| character(rest));
        match blank {
            Some(length) => {
                code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
                rest = &rest[length..];
            }
            None => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    code
}

/// Bytes of the comment that begins here.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    rest.starts_with("/*").then(|| {
        let (mut depth, mut at) = (1, 2);
        while depth > 0 && at < rest.len() {
            let here = &rest.as_bytes()[at..];
            let step = if here.starts_with(b"/*") {
                1
            } else if here.starts_with(b"*/") {
                -1
            } else {
                0
            };
            depth += step;
            at += if step == 0 { 1 } else { 2 };
        }
        at.min(rest.len())
    })
}

/// Bytes of the text that begins here: `"…"`, `r"…"`, `r#"…"#`, each also with `b` or `c` before it.
fn text(rest: &str, before: &str) -> Option<usize> {
    let in_a_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let prefix = rest.find(|c: char| !matches!(c, 'b' | 'c' | 'r'))?;
    if prefix > 2 || (prefix > 0 && in_a_word) {
        return None;
    }
    let raw = rest[..prefix].ends_with('r');
    let hashes = rest[prefix..].bytes().take_while(|&b| raw && b == b'#').count();
    let body = prefix + hashes + 1;
    if rest.as_bytes().get(body - 1) != Some(&b'"') {
        return None;
    }
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len()));
    }
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(body) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// Bytes of the character literal that begins here; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        // The escaped character itself may be a quote.
        return inside[2..].find('\'').map(|at| 1 + 2 + at + 1);
    }
    let one = inside.chars().next()?.len_utf8();
    inside[one..].starts_with('\'').then_some(1 + one + 1)
}

/// Each function of code without comments and texts: its name, its first line (from 1) and how many lines it has.
pub(crate) fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let starts_a_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if name.is_empty() || !starts_a_word {
            continue;
        }
        let line = 1 + code[..at].matches('\n').count();
        if let Some(length) = body_end(&code[at..]) {
            found.push((name, line, 1 + code[at..at + length].matches('\n').count()));
        }
    }
    found
}

/// Bytes up to the end of the first braces, unless a `;` outside of brackets comes before: then there is no body.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut brackets) = (0, 0);
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => braces += 1,
            b'}' if braces == 1 => return Some(at + 1),
            b'}' => braces -= 1,
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b';' if braces == 0 && brackets == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The modules that code names at the root of the crate, each with its line (from 1): by `crate::x`, by
/// `crate::{x, y::z}`, or, where `super::super::…` climbs, by any of `roots` behind it.
pub(crate) fn named_roots(code: &str, roots: &[String]) -> Vec<(String, usize)> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = 1 + code[..at].matches('\n').count();
        let after = &code[at + "crate::".len()..];
        let names = if after.starts_with('{') { group_heads(after) } else { vec![head(after)] };
        named.extend(names.into_iter().filter(|name| !name.is_empty()).map(|name| (name, line)));
    }
    for (at, _) in code.match_indices("super::super::") {
        let name = head(code[at..].trim_start_matches("super::"));
        if roots.contains(&name) {
            named.push((name, 1 + code[..at].matches('\n').count()));
        }
    }
    named
}

fn head(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first names of the paths of a `{a::b, c::{d, e}}`.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut fresh) = (Vec::new(), 0, false);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && (c == '{' || c == ',') {
            fresh = true;
        } else if fresh && !c.is_whitespace() {
            heads.push(head(&group[at..]));
            fresh = false;
        }
    }
    heads
}

#[test]
fn comments_and_texts_count_for_nothing() {
    let source = "fn a<'x>(b: &'x str) { // {\n let c = '{'; /* { /* { */ */ let d = \"{\\\"{\"; let e = br#\"{\"{\"#; let f = '\\''; }\n";
    let code = code_of(source);
    assert_eq!(code.matches(['{', '}']).count(), 2, "{code}");
    assert_eq!(code.lines().count(), source.lines().count());
    assert!(code.contains("<'x>") && code.contains("let f ="), "{code}");
    assert!(!code_of("let bar\"x\"").contains('x'));
}

#[test]
fn functions_are_measured_with_their_braces() {
    let code = code_of("trait T {\n fn none(&self, a: [u8; 2]);\n}\nfn one() {}\npub fn three()\n{\n if a { b }\n}\n");
    assert_eq!(functions(&code), [("one".to_owned(), 4, 1), ("three".to_owned(), 5, 4)]);
}

#[test]
fn paths_are_found_however_they_are_written() {
    let roots = ["s3".to_owned(), "audit".to_owned()];
    let code = "use crate::s3::Key;\nuse crate::{audit::{Log, Leaf}, policy};\nfn f(x: super::super::audit::Log) {}";
    let named: Vec<String> =
        named_roots(code, &roots).into_iter().map(|(name, line)| format!("{line} {name}")).collect();
    assert_eq!(named, ["1 s3", "2 audit", "2 policy", "3 audit"]);
}
