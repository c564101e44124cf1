//! Rules on text: by example, beside the oracle, in any pieces, from any checkpoint, in bounded memory.

use super::super::machine::tests::tiers;
use super::*;
use crate::limits;
use crate::policy::mask::ValueRule;
use crate::policy::shapes;
use crate::policy::values::ValuePattern;

/// These expressions under profiles of their own, and no other rule.
fn hiding(written: &[&str]) -> Masks {
    let rule = |(at, written): (usize, &&str)| ValueRule {
        profile: ["third", "fourth"][at % 2].into(),
        pattern: Arc::new(ValuePattern::parse(written).unwrap()),
    };
    Masks { values: written.iter().enumerate().map(rule).collect(), ..masks(&[]) }
}

/// Everything that is shipped.
fn shipped() -> Masks {
    let rule = |pattern| ValueRule { profile: "shapes".into(), pattern };
    Masks { values: shapes::of(shapes::ALL).unwrap().into_iter().map(rule).collect(), ..masks(&[]) }
}

/// What becomes of a document, which is the same in any pieces and as the oracle says.
fn check(masks: &Masks, object: &str, expected: &str) {
    let plan = plan(masks);
    assert_eq!(oracle::redact(object.as_bytes(), Format::Json, masks, &key()).map(|out| text(&out)).unwrap(), expected);
    for size in [usize::MAX, 1, 7] {
        let (out, ended, _) = feed(&plan, Format::Json, object.as_bytes(), || size);
        assert_eq!((text(&out).as_str(), ended), (expected, Ok(())), "{object} in pieces of {size}");
    }
}

#[test]
fn what_matches_is_written_over_and_the_rest_stays() {
    let masks = hiding(&["k-[a-z0-9]{3,}", "[a-z.]{1,8}@[a-z]+", r"\bid[0-9]{2}\b"]);
    for (object, expected) in [
        (r#"{"a":"use k-abc9, or not"}"#, r#"{"a":"use ******, or not"}"#),
        (r#"{"a":"k-ab","b":["k-abc",5]}"#, r#"{"a":"k-ab","b":["*****",5]}"#),
        // A member's name is text as well.
        (r#"{"k-abc":1,"x@y":{"k":2}}"#, r#"{"*****":1,"***":{"k":2}}"#),
        // No match goes from one string to the next, and numbers are no text.
        (r#"["k-a","bc",12,"@x","a","@"]"#, r#"["k-a","bc",12,"@x","a","@"]"#),
        // Of what overlaps everything goes.
        (r#"["k-k-abc@de"]"#, r#"["k-********"]"#),
        (r#"["abcdefghijkl@m"]"#, r#"["abcd**********"]"#),
        (r#"["id12 xid12 id123 id12"]"#, r#"["**** xid12 id123 ****"]"#),
        (r#"["id12"]"#, r#"["****"]"#),
        (r#"["é@k é k-abcé"]"#, r#"["é@k é *****é"]"#),
        (r#""k-abc""#, r#""*****""#),
    ] {
        check(&masks, object, expected);
    }
}

#[test]
fn escapes_hide_nothing() {
    let masks = hiding(&["k-[a-z0-9]{3,}", "[a-z.]{1,8}@[a-z]+"]);
    for (object, expected) in [
        (r#"["\u006b-abc."]"#, r#"["**********."]"#),
        (r#"["\u006B\u002Dab\u0063"]"#, r#"["********************"]"#),
        (r#"["k-a\u0062c"]"#, r#"["**********"]"#),
        (r#"["\u0061\u0040b"]"#, r#"["*************"]"#),
        (r#"["\nk-abc\n\"a@b\""]"#, r#"["\n*****\n\"***\""]"#),
        // In JSON within a string, and below that.
        (r#"["{\"a\":\"k-abc\"}"]"#, r#"["{\"a\":\"*****\"}"]"#),
        (r#"["{\"a\":\"\\u006b-abc\"}"]"#, r#"["{\"a\":\"***********\"}"]"#),
        (r#"["[\"[\\\"\\\\u006b-abc\\\"]\"]"]"#, r#"["[\"[\\\"*************\\\"]\"]"]"#),
        (r#"["\\u006b\\u002dab\\u0063"]"#, r#"["***********************"]"#),
        // Half an escape that would be left goes with it.
        (r#"["{\"a\":\"x\\nab@c\"}"]"#, r#"["{\"a\":\"x*******\"}"]"#),
        (r#"["{\"a\":\"x\\u00e9ab@c\"}"]"#, r#"["{\"a\":\"x***********\"}"]"#),
        // No escape at any level.
        (r#"["\\q\\u00zz k-abc"]"#, r#"["\\q\\u00zz *****"]"#),
    ] {
        check(&masks, object, expected);
    }
}

#[test]
fn a_key_is_hidden_up_to_where_it_ends() {
    let masks = shipped();
    let body = "MIIEvQ+/\\n".repeat(4);
    for (object, expected) in [
        (
            format!("[\"-----BEGIN RSA PRIVATE KEY-----\\n{body}-----END RSA PRIVATE KEY-----\\nx\"]"),
            format!("[\"{}-----END RSA PRIVATE KEY-----\\nx\"]", "*".repeat(31 + 2 + body.len())),
        ),
        (
            format!("[\"x -----BEGIN PRIVATE KEY-----\\n{body}\",\"x\"]"),
            format!("[\"x {}\",\"x\"]", "*".repeat(27 + 2 + body.len())),
        ),
        (
            "[\"-----BEGIN ENCRYPTED PRIVATE KEY-----\\nProc-Type: 4,ENCRYPTED\\nab--cd\\n-----END\"]".into(),
            format!("[\"{}-----END\"]", "*".repeat(37 + 34)),
        ),
        ("[\"-----BEGIN CERTIFICATE-----\\nab\"]".into(), "[\"-----BEGIN CERTIFICATE-----\\nab\"]".into()),
    ] {
        check(&masks, &object, &expected);
    }
}

/// Rules on fields have found them before.
#[test]
fn names_that_match_are_hidden_behind_all_rules() {
    let masks = Masks { values: hiding(&["k-[a-z]{3}"]).values, ..masks(&[("k-abc", Mask)]) };
    check(&masks, r#"{"k-abc":1234,"k-abd":"k-abe"}"#, r#"{"*****":null,"*****":"*****"}"#);
}

/// However long it is, and longer than anything that is held.
#[test]
fn what_is_certain_is_hidden_without_end() {
    let (masks, long) = (shipped(), "a1".repeat(100_000));
    let plan = plan(&masks);
    for (object, hidden) in [
        (format!("[\"x sk-{long} x\"]"), 200_003),
        (format!("[\"x eyJ{} x\"]", &long[..3000].replace("a1a1a1a1", "a1.eyJa1")), 0),
        (format!("[\"x eyJhbGciOiJI.eyJ{long}.{long} x\"]"), 13 + 3 + 400_001),
        (format!("[\"x -----BEGIN PRIVATE KEY-----{long}\"]"), 27 + 200_000),
    ] {
        let (out, ended, tally) = feed(&plan, Format::Json, object.as_bytes(), || 1000);
        let stars = out.iter().filter(|byte| **byte == b'*').count();
        assert_eq!(ended, Ok(()));
        assert!(hidden == 0 || stars == hidden, "{stars} of {hidden}: {}", &object[..40]);
        assert!(hidden == 0 || tally.fields == [1]);
        for size in [77, 65_536] {
            assert!(feed(&plan, Format::Json, object.as_bytes(), || size) == (out.clone(), ended, tally.clone()));
        }
    }
}

/// Stretches that lie side by side are one, for each profile that hides some of it.
#[test]
fn what_is_hidden_is_counted() {
    let plan = plan(&hiding(&["k-[a-z]{3}", "j-[a-z]{3}"]));
    for (object, counts) in
        [(r#"["k-abc","k-abc k-abc","j-abc"]"#, [3, 1]), (r#"["k-abck-abcj-abc"]"#, [1, 1]), (r#"["k-ab"]"#, [0, 0])]
    {
        for size in [1, 5, usize::MAX] {
            assert_eq!(feed(&plan, Format::Json, object.as_bytes(), || size).2.fields, counts, "{object} {size}");
        }
    }
}

const RULES: [&str; 9] = [
    "k-[a-z0-9]{2,}",
    "[a-z.]{1,8}@[a-z]+",
    r"\bab[0-9]?\b",
    r"(?s)=.{0,6}!",
    r"(?i)KeY[^ ]*",
    "[0-9]{3,4}",
    r"x\\n?u",
    r"(?u:[é-ü])[a-z]{2}",
    r"^9|9$",
];

/// Text in which much nearly matches, and may be escaped at some levels.
fn matching(random: &mut Random, out: &mut Vec<u8>) {
    let pieces = [
        "k",
        "-",
        "ab",
        "9",
        "90",
        "@",
        ".",
        " ",
        "\\",
        "\\\\",
        "\"",
        "u0041",
        "n",
        "=",
        "!",
        "é",
        "key",
        "KEY",
        "\u{1F600}",
        "x",
        "{",
        "\n",
        "k-",
        "\\u006b-",
        "/",
        "\\n",
        "\\\"",
        "u",
    ];
    let mut text: String = (0..random.below(12)).map(|_| *random.of(&pieces.iter().collect::<Vec<_>>())).collect();
    for _ in 0..random.below(4) {
        let mut quoted = Vec::new();
        random.quoted(&mut quoted, &text);
        text = String::from_utf8(quoted).unwrap();
        if random.one_in(2) {
            text = text[1..text.len() - 1].to_owned();
        }
    }
    random.quoted(out, &text);
}

/// A record, or document, of such texts, some of them names.
fn texts(random: &mut Random, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"a\":[");
    for at in 0..random.below(5) {
        out.extend_from_slice(if at > 0 { b"," } else { b"" });
        matching(random, out);
    }
    out.extend_from_slice(b"],");
    matching(random, out);
    out.extend_from_slice(b":\"k-90\",\"user_id\":");
    matching(random, out);
    out.push(b'}');
}

fn some_masks(random: &mut Random) -> Masks {
    let rules: Vec<&str> = (0..=random.below(3)).map(|_| RULES[random.below(RULES.len())]).collect();
    let mut masks = Masks { values: hiding(&rules).values, ..random.masks() };
    if random.one_in(2) {
        masks.rules.clear();
        masks.keeps.clear();
    }
    masks
}

#[test]
fn it_hides_what_the_oracle_hides() {
    for seed in seeds(3000) {
        let mut random = Random(seed);
        let (masks, format) = (some_masks(&mut random), random.format());
        let mut object = if random.one_in(4) { random.object(format) } else { Vec::new() };
        if object.is_empty() || (format == Format::Jsonl && object.ends_with(b"\n")) {
            texts(&mut random, &mut object);
        }
        let expected = oracle::redact(&object, format, &masks, &key());
        let plan = plan(&masks);
        let whole = at_once(&plan, format, &object);
        let found = whole.1.is_ok().then_some(&whole.0);
        let rules: Vec<&str> = masks.values.iter().map(|rule| rule.pattern.as_str()).collect();
        assert_eq!(
            found.map(|out| text(out)),
            expected.as_deref().map(text),
            "seed {seed}: {} {rules:?}",
            text(&object)
        );
        for tier in tiers() {
            let most = 1 + random.below(40);
            let redactor = Redactor::new(plan.clone(), format, 0).with(tier);
            assert_eq!(feed_to(redactor, &object, || 1 + random.below(most)), whole, "seed {seed}");
        }
    }
}

/// In one string, longer than what is held of it, in which much is found, in any pieces and from any checkpoint.
#[test]
fn any_split_of_a_long_string_gives_the_same() {
    let mut taken = 0;
    for seed in seeds(25) {
        let mut random = Random(seed);
        let masks = Masks { values: some_masks(&mut random).values, ..masks(&[]) };
        let mut object = format!("[{}\"", " ".repeat(limits::HOLD_BYTES_MAX)).into_bytes();
        while object.len() < limits::HOLD_BYTES_MAX + 12_000 {
            let mut piece = Vec::new();
            matching(&mut random, &mut piece);
            object.extend_from_slice(&piece[1..piece.len() - 1]);
            object.extend_from_slice(if random.one_in(20) { b" eyJ \\n 90 ab" } else { b"" });
        }
        object.extend_from_slice(if random.one_in(3) { b"\\x" } else { b"\"]" });
        let plan = plan(&masks);
        let whole = at_once(&plan, Format::Json, &object);
        if whole.1.is_ok() {
            assert!(Some(&whole.0) == oracle::redact(&object, Format::Json, &masks, &key()).as_ref(), "seed {seed}");
        }
        let most = [60, 2000, 70_000][random.below(3)];
        assert!(feed(&plan, Format::Json, &object, || 1 + random.below(most)) == whole, "seed {seed}");
        let (mut redactor, mut shown) = (Redactor::new(plan.clone(), Format::Json, 0), Shown::new());
        for piece in object.chunks(900) {
            if redactor.write(Bytes::copy_from_slice(piece), &mut shown).is_err() {
                break;
            }
            let Some(checkpoint) = redactor.checkpoint() else { continue };
            let resumed = Redactor::new(plan.clone(), Format::Json, 0).resumed(&checkpoint);
            let rest = &object[checkpoint.input as usize..];
            let (out, ended, _) = feed_to(resumed, rest, || 1 + random.below(3000));
            assert!(out == whole.0[checkpoint.output as usize..] && ended == whole.1, "seed {seed}");
            taken += usize::from(checkpoint.input > limits::HOLD_BYTES_MAX as u64 + 3000);
        }
    }
    assert!(taken > 50, "{taken}");
}

/// Whatever a string holds, what is kept of it is bounded, and so is what is read of it.
#[test]
fn a_string_full_of_beginnings_is_read_in_bounded_memory() {
    let plan = plan(&shipped());
    for unit in
        ["eyJ", "eyJhbGciOi.", "a@", "-----BEGIN ", "sk-", "\\u006b", "\\\\", "\\u0040", "a.", "AKIA", "sig=", "-"]
    {
        let object = format!("[\"{}\"]", unit.repeat(300_000 / unit.len()));
        let mut redactor = Redactor::new(plan.clone(), Format::Json, 0);
        let (mut shown, mut most) = (Shown::new(), 0);
        for piece in object.as_bytes().chunks(4096) {
            redactor.write(Bytes::copy_from_slice(piece), &mut shown).unwrap();
            shown.by_ref().for_each(drop);
            most = most.max(redactor.footprint());
        }
        assert!(most < 400 * 1024, "{most} bytes for {unit}");
        let at_once = at_once(&plan, Format::Json, object.as_bytes());
        assert_eq!((at_once.0.len(), at_once.1), (object.len(), Ok(())));
        assert!(feed(&plan, Format::Json, object.as_bytes(), || 3333) == at_once, "{unit}");
    }
}

/// So many matches may be open that it cannot be said: then what is left of the string is hidden.
#[test]
fn more_open_matches_than_are_read_hide_the_rest() {
    let plan = plan(&hiding(&["a[a-z]{0,200}!"]));
    let object = format!("[\"{}\",\"abc\"]", "a".repeat(5000));
    let (out, ended, tally) = at_once(&plan, Format::Json, object.as_bytes());
    assert_eq!((ended, tally.fields.as_slice()), (Ok(()), &[1][..]));
    assert_eq!(text(&out), format!("[\"{}\",\"abc\"]", "*".repeat(5000)));
    assert!(feed(&plan, Format::Json, object.as_bytes(), || 100) == (out, ended, tally));
}

/// What was hidden stays as it is.
#[test]
fn hiding_again_changes_nothing() {
    let plan = plan(&shipped());
    for seed in seeds(200) {
        let mut random = Random(seed);
        let mut object = Vec::new();
        texts(&mut random, &mut object);
        let once = at_once(&plan, Format::Json, &object);
        let again = at_once(&plan, Format::Json, &once.0);
        assert_eq!(text(&once.0), text(&again.0), "seed {seed}");
    }
}
