//! What `rows` mean, said a second time and naively: each line by `serde_json`, each occurrence of a name by itself, and
//! the bytes compared. Shares no code with the judge, nor with the language's parser.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;
use crate::identity::Claims;
use crate::limits;
use crate::policy::rows::{RowFilter, Rows};

/// A condition, as the tests make it up.
#[derive(Debug)]
enum Tree {
    Test { path: Vec<&'static str>, how: How, with: Vec<&'static str> },
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

#[derive(Debug, Clone, Copy)]
enum How {
    Equal,
    In,
    Other,
    StartsWith,
}

const NAMES: [&str; 6] = ["tenant", "a", "b", "é", "x", ""];
const TEXTS: [&str; 6] = ["\"acme\"", "\"\"", "\"x\"", "\"user\"", "\"é\"", "\"acme \\\"inc\\\"\""];
const WORDS: [&str; 8] = ["1", "0", "5", "true", "false", "12", "0.5e-10", "1000000000"];

/// A list of members as they stand, those of one name each.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Deserialize<'a> for Members<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'a> Visitor<'a> for Collect {
            type Value = Members<'a>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'a RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl Tree {
    fn written(&self) -> String {
        let joined = |all: &[Tree], word: &str| {
            let parts: Vec<String> = all.iter().map(|tree| format!("({})", tree.written())).collect();
            parts.join(word)
        };
        match self {
            Tree::All(all) => joined(all, " and "),
            Tree::Any(all) => joined(all, "  or "),
            Tree::Test { path, how, with } => {
                let path: String = path.iter().map(|name| format!("['{name}']")).collect();
                match how {
                    How::Equal => format!("${path} == {}", with[0]),
                    How::Other => format!("${path}!={}", with[0]),
                    How::StartsWith => format!("${path} startswith {}", with[0]),
                    How::In => format!("${path} in [{}]", with.join(", ")),
                }
            }
        }
    }

    /// Whether the record is shown, given by its text.
    fn shows(&self, record: &str) -> bool {
        match self {
            Tree::All(all) => all.iter().all(|tree| tree.shows(record)),
            Tree::Any(all) => all.iter().any(|tree| tree.shows(record)),
            Tree::Test { path, how, with } => fits(record.trim(), path, *how, with),
        }
    }
}

/// Whether every occurrence of the path there fits, and there is one wherever it leads.
fn fits(value: &str, path: &[&str], how: How, with: &[&str]) -> bool {
    let Some((name, rest)) = path.split_first() else { return compared(value, how, with) };
    let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(value) else { return false };
    let mut found = members.iter().filter(|(known, _)| known == name).peekable();
    found.peek().is_some() && found.all(|(_, value)| fits(value.get(), rest, how, with))
}

fn compared(value: &str, how: How, with: &[&str]) -> bool {
    let found: Value = serde_json::from_str(value).unwrap();
    if found.is_object() || found.is_array() {
        return false;
    }
    let same = |written: &&str| {
        let other: Value = serde_json::from_str(written).unwrap();
        found == other || matches!((found.as_f64(), other.as_f64()), (Some(a), Some(b)) if a == b)
    };
    let one: Value = serde_json::from_str(with[0]).unwrap();
    match how {
        How::Equal => same(&with[0]),
        How::In => with.iter().any(same),
        How::Other => std::mem::discriminant(&found) == std::mem::discriminant(&one) && !same(&with[0]),
        How::StartsWith => found.as_str().is_some_and(|text| text.starts_with(one.as_str().unwrap())),
    }
}

/// The same with what Python writes for odd numbers as something that fits no test.
fn without_odd_numbers(text: &str) -> String {
    text.replace("-Infinity", "[]").replace("Infinity", "[]").replace("NaN", "[]")
}

/// What the masks alone leave of the object, and of that what the condition shows. `None`: it is refused.
fn expected(object: &[u8], format: Format, masks: &Masks, tree: &Tree) -> Option<Vec<u8>> {
    let masked = oracle::redact(object, format, masks, &key())?;
    let sound = |line: &[u8]| {
        let line = without_odd_numbers(std::str::from_utf8(line).ok()?);
        serde_json::from_str::<serde::de::IgnoredAny>(&line).is_ok().then_some(line)
    };
    let bom = if object.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    if format == Format::Json {
        return tree.shows(&sound(&object[bom..])?).then_some(masked);
    }
    let (mut out, mut at) = (masked[..bom].to_vec(), bom);
    for line in object[bom..].split_inclusive(|&byte| byte == b'\n') {
        let shown = &masked[at..at + line.len()];
        at += line.len();
        let record = sound(line).filter(|_| matches!(line.trim_ascii_start(), [b'{' | b'[', ..]));
        match record {
            Some(record) if !tree.shows(&record) => out.extend_from_slice(&blank(line)),
            _ => out.extend_from_slice(shown),
        }
    }
    Some(out)
}

/// The line without its record.
fn blank(line: &[u8]) -> Vec<u8> {
    let around = |byte: &&u8| b" \t\r\n".contains(*byte);
    let (before, after) = (line.iter().take_while(around).count(), line.iter().rev().take_while(around).count());
    let width = line.len() - before - after;
    [&line[..before], b"{}", &vec![b' '; width - 2], &line[line.len() - after..]].concat()
}

impl Random {
    fn tree(&mut self, depth: usize) -> Tree {
        if depth < 3 && self.one_in(2) {
            let all = (0..=1 + self.below(2)).map(|_| self.tree(depth + 1)).collect();
            return if self.one_in(4) { Tree::All(all) } else { Tree::Any(all) };
        }
        let path = (0..=self.below(10).saturating_sub(7)).map(|_| NAMES[self.below(NAMES.len())]).collect();
        let how = [How::Equal, How::In, How::In, How::Other, How::StartsWith][self.below(5)];
        let with = match how {
            How::StartsWith => vec![TEXTS[[0, 2, 3, 4][self.below(4)]]],
            How::Other => vec![[TEXTS[self.below(6)], WORDS[self.below(8)]][self.below(2)]],
            How::Equal | How::In => (0..=self.below(16))
                .map(|_| ["null", TEXTS[self.below(6)], WORDS[self.below(8)], WORDS[self.below(8)]][self.below(4)])
                .collect(),
        };
        Tree::Test { path, how, with }
    }

    /// Lines in which the members that are tested stand often, also twice, and with what nearly fits.
    fn tenants(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..=self.below(5) {
            self.tenant(&mut out, 0);
            out.extend_from_slice([&b"\n"[..], b"\n", b"\r\n", b" \n\n"][self.below(4)]);
        }
        out
    }

    fn tenant(&mut self, out: &mut Vec<u8>, depth: usize) {
        out.push(b'{');
        for at in 0..self.below(9) {
            out.extend_from_slice(if at > 0 { b"," } else { b"" });
            let name = NAMES[self.below(NAMES.len())];
            self.quoted(out, name);
            out.extend_from_slice([&b":"[..], b" :  "][self.below(2)]);
            match self.below(10) {
                0 if depth < 4 => self.tenant(out, depth + 1),
                0 | 1 => out.extend_from_slice(
                    [&b"[1]"[..], b"[]", b"null", b"1.0", b"10e-1", b"-5", b"NaN", b"[{\"tenant\":\"acme\"}]"]
                        [self.below(8)],
                ),
                2..=5 => out.extend_from_slice(WORDS[self.below(WORDS.len())].as_bytes()),
                _ => {
                    let text: String = serde_json::from_str(TEXTS[self.below(TEXTS.len())]).unwrap();
                    self.quoted(out, &text);
                }
            }
        }
        out.push(b'}');
    }

    /// One record of more than the hold, in which tested members stand here and there, mostly with what fits.
    fn long_tenant(&mut self) -> Vec<u8> {
        let (mut out, most) = (b"{".to_vec(), 1 + self.below(3 * limits::HOLD_BYTES_MAX));
        while out.len() < most {
            let name = NAMES[self.below(3)];
            if self.one_in(4) {
                self.quoted(&mut out, name);
                out.push(b':');
                match self.below(16) {
                    0 => self.tenant(&mut out, 3),
                    1 => out.extend_from_slice(WORDS[self.below(WORDS.len())].as_bytes()),
                    _ => out.extend_from_slice(TEXTS[self.below(2)].as_bytes()),
                }
            } else {
                let (count, filler) = (self.below(1200), ["x", "é", "\\u00e9"][self.below(3)]);
                out.extend_from_slice(format!("\"filler\":\"{}\"", filler.repeat(count)).as_bytes());
            }
            out.push(b',');
        }
        out.extend_from_slice(b"\"end\":0}");
        out
    }

    /// Masks with a condition, and the condition.
    fn rows(&mut self) -> (Masks, Tree) {
        let (tree, mut masks) = (self.tree(0), self.masks());
        // The reference blanks each line at its own length.
        masks.length = masks.length.filter(|length| *length != LengthRule::Hidden);
        if self.one_in(4) {
            masks.rules.clear();
        }
        let rows = Rows::parse(&tree.written()).unwrap_or_else(|error| panic!("{}: {error}", tree.written()));
        masks.rows = RowFilter::of([&rows], &Claims::new());
        (masks, tree)
    }
}

fn has_lone_surrogates(object: &[u8]) -> bool {
    let text = text(object).to_lowercase();
    ["\\ud800", "\\udc00"].iter().any(|lone| text.contains(lone)) || text.contains("\u{FFFD}")
}

/// Under any masks and conditions, in any pieces: byte for byte what the reference says.
#[test]
fn rows_give_what_a_plain_reference_gives() {
    let (mut shown, mut withheld) = (0, 0);
    for seed in seeds(12_000) {
        let mut random = Random(seed);
        let ((masks, tree), format) = (random.rows(), random.format());
        let mut object = match (format, random.one_in(4)) {
            (_, true) => random.object(format),
            (Format::Jsonl, false) => random.tenants(),
            (Format::Json, false) => {
                let mut document = Vec::new();
                random.tenant(&mut document, 0);
                document
            }
        };
        if random.one_in(4) {
            random.mutate(&mut object);
        }
        if has_lone_surrogates(&object) {
            continue;
        }
        let without = Masks { rows: None, ..masks.clone() };
        let expected = expected(&object, format, &without, &tree);
        let most = 1 + random.below(40);
        let (out, ended, tally) = feed(&plan(&masks), format, &object, || 1 + random.below(most));
        let found = ended.is_ok().then_some(out);
        assert_eq!(
            found.as_deref().map(text),
            expected.as_deref().map(text),
            "seed {seed}: {} {} {masks:?} {ended:?}",
            tree.written(),
            text(&object)
        );
        shown += tally.records - tally.records_withheld - tally.records_blanked;
        withheld += tally.records_withheld;
    }
    assert!(shown > 1500 && withheld > 4000, "{shown} {withheld}");
}

/// A document that is not shown tells nothing but that, and nothing of it has left.
#[test]
fn a_document_that_rows_do_not_show_is_refused_as_such() {
    let mut refused = 0;
    for seed in seeds(3000) {
        let mut random = Random(seed);
        let (masks, tree) = random.rows();
        let mut document = Vec::new();
        random.tenant(&mut document, 0);
        let (out, ended, _) = feed(&plan(&masks), Format::Json, &document, || 1 + random.below(30));
        let shows = tree.shows(&without_odd_numbers(&text(&document)));
        assert_eq!(ended.is_ok(), shows, "seed {seed}: {}", text(&document));
        if let Err(fault) = ended {
            assert!(out.is_empty() && fault.is_withheld() && fault.offset == 0, "seed {seed}: {fault}");
            refused += 1;
        }
    }
    assert!(refused > 500, "{refused}");
}

/// What leaves, how it ends and what is counted is the same in any pieces and on any tier.
#[test]
fn every_tier_and_split_judges_alike() {
    for seed in seeds(2500) {
        let mut random = Random(seed);
        let ((mut masks, _), format) = (random.rows(), random.format());
        masks.on_broken = if random.one_in(5) { OnBroken::Cut } else { OnBroken::Blank };
        if random.one_in(2) {
            // Without drops and places in arrays the machine is told less.
            masks
                .rules
                .retain(|rule| !rule.field.steps.iter().any(|step| matches!(step, Step::Index(_) | Step::AnyIndex)));
            masks.rules.iter_mut().filter(|rule| rule.action == Drop).for_each(|rule| rule.action = Mask);
        }
        let mut object = if random.one_in(3) { random.object(format) } else { random.tenants() };
        if random.one_in(3) {
            random.mutate(&mut object);
        }
        machine::check(&plan(&masks), format, &object, &mut random);
    }
}

#[tokio::test]
async fn a_range_under_rows_is_the_slice_of_the_whole() {
    for seed in seeds(400) {
        let mut random = Random(seed);
        let (masks, _) = random.rows();
        let mut object = random.tenants();
        if random.one_in(3) {
            random.mutate(&mut object);
        }
        let plan = plan(&masks);
        let (all, ended, _) = at_once(&plan, Format::Jsonl, &object);
        if ended.is_err() || object.is_empty() {
            continue;
        }
        let source = ranges::InMemory::of(object, 1 + random.below(50));
        for _ in 0..8 {
            let first = random.below(all.len());
            let last = first + random.below(all.len() - first);
            let found = ranges::slice(&source, &plan, Format::Jsonl, first as u64, last as u64).await.unwrap();
            assert_eq!(text(&found), text(&all[first..=last]), "seed {seed} {first}-{last}");
        }
    }
}

/// Beyond the hold no more than the reference shows: and what is withheld or cut is so on any tier, in any pieces.
#[test]
fn records_beyond_the_hold_are_shown_only_if_the_reference_shows_them() {
    let (mut shown, mut withheld, mut cut) = (0, 0, 0);
    for seed in seeds(250) {
        let mut random = Random(seed);
        let path = vec![NAMES[random.below(3)]];
        let tree = match random.below(4) {
            0 => random.tree(1),
            _ => Tree::Test { path, how: How::In, with: TEXTS[..2].to_vec() },
        };
        let rows = Rows::parse(&tree.written()).unwrap();
        let masks =
            Masks { rows: RowFilter::of([&rows], &Claims::new()), ..masks(&[("** api_key", Mask), ("a b", Mask)]) };
        let record = random.long_tenant();
        let object = [b"{}\n", record.as_slice(), b"\n{}\n"].concat();
        let plan = plan(&masks);
        let (out, ended, tally) = at_once(&plan, Format::Jsonl, &object);
        if seed % 5 == 0 {
            machine::check(&plan, Format::Jsonl, &object, &mut random);
        }
        let shows = tree.shows(&without_odd_numbers(&text(&record)));
        let found = &out[out.len().min(3)..out.len().min(3 + record.len())];
        match ended {
            Ok(()) if found.starts_with(b"{}  ") => {
                // What fits is withheld only where it is not known in time.
                assert!(!shows || record.len() > limits::HOLD_BYTES_MAX, "seed {seed}");
                withheld += 1;
            }
            Ok(()) => {
                assert!(shows && found.len() == record.len(), "seed {seed}: {}", tree.written());
                shown += 1;
            }
            Err(_) => {
                assert!(!shows && found.len() > limits::HOLD_BYTES_MAX && tally.records == 1, "seed {seed}");
                cut += 1;
            }
        }
    }
    assert!(shown > 20 && withheld > 20 && cut > 20, "{shown} {withheld} {cut}");
}
