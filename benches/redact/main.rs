//! How fast one thread redacts, beside others that do the same to the same bytes in the same run.
//!
//! Bytes are those of the input, times those of the thread on a CPU. The sides take turns; the best round of each counts,
//! because anything else the machine does only makes a round slower. `--quick` is a smoke run on small texts.

#[path = "../common/mod.rs"]
mod common;
mod corpora;
mod peers;

use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tracegate::keyring::SecretKey;
use tracegate::policy::mask::{FieldPath, Format, KeepRule, MaskAction, MaskRule, Masks, Step, ValueRule};
use tracegate::policy::shapes;
use tracegate::redact::output::Shown;
use tracegate::redact::plan::Plan;
use tracegate::redact::redactor::Redactor;

use common::{figure, say, thread_cpu};
use corpora::{Corpus, corpus};

/// Size of each text, in bytes: more than any cache.
const CORPUS_BYTES: usize = 256 * 1024 * 1024;
const QUICK_BYTES: usize = 32 * 1024 * 1024;
/// Size of the pieces in which it is fed, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// What one Ethernet frame holds.
const FRAME_BYTES: usize = 1460;
const ROUNDS: usize = 5;
/// Of the slow ones.
const ROUNDS_OF_PEERS: usize = 2;
const HIDDEN: [&str; 3] = ["user_id", "api_key", "email"];

fn is_hidden(name: &str) -> bool {
    HIDDEN.contains(&name) || name.ends_with("_token")
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let bytes = if quick { QUICK_BYTES } else { CORPUS_BYTES };
    embedded(bytes);
    texts(bytes);
    // The others do not look into strings.
    let few = plan(&HIDDEN, &["*_token"], false);
    for name in ["traces", "long", "dense", "pretty"] {
        let corpus = corpus(name, bytes);
        say(&format!("{name}: {} bytes, {}", corpus.text.len(), if corpus.lines { "lines" } else { "one document" }));
        let text = Bytes::from(corpus.text.clone());
        assert_same(&few, &corpus);
        let ours = || redact(&few, corpus.lines, &text, PIECE_BYTES);
        let by_value = values(&corpus);
        let rate = best(ROUNDS, &corpus, ours);
        let jiter = best(ROUNDS, &corpus, || {
            peers::jiter(&by_value, |value| {
                black_box(value);
            })
        });
        let serde = best(ROUNDS_OF_PEERS, &corpus, || peers::serde(&by_value, |value| drop(black_box(value))));
        let rate = rate.max(best(ROUNDS, &corpus, ours));
        figure(&format!("redact_{name}_gbps"), rate, "GB/s");
        figure(&format!("redact_{name}_jiter_gbps"), jiter, "GB/s");
        figure(&format!("redact_{name}_serde_gbps"), serde, "GB/s");
        figure(&format!("redact_{name}_vs_jiter"), rate / jiter, "x");
        figure(&format!("redact_{name}_vs_serde"), rate / serde, "x");
        if name == "traces" {
            beside_itself(&few, &corpus, &text);
        }
    }
}

/// JSON in strings; and what it costs that strings may hold JSON, where few or none do.
fn embedded(bytes: usize) {
    let [deep, shallow] = [true, false].map(|embedded| plan(&HIDDEN, &["*_token"], embedded));
    for name in ["embedded", "traces", "long"] {
        let corpus = corpus(name, bytes);
        let text = Bytes::from(corpus.text.clone());
        let (mut read, mut passed) = (0_f64, 0_f64);
        for _ in 0..ROUNDS {
            read = read.max(best(1, &corpus, || redact(&deep, corpus.lines, &text, PIECE_BYTES)));
            passed = passed.max(best(1, &corpus, || redact(&shallow, corpus.lines, &text, PIECE_BYTES)));
        }
        if name == "embedded" {
            figure("redact_embedded_gbps", read, "GB/s");
        }
        figure(&format!("redact_{name}_read_vs_passed"), read / passed, "x");
    }
}

/// Every shipped shape in all text, beside the same rules without them.
fn texts(bytes: usize) {
    let rule = |pattern| ValueRule { profile: "bench".into(), pattern };
    let values: Vec<_> = shapes::of(shapes::ALL).expect("they are shipped").into_iter().map(rule).collect();
    let of = |values| Masks { values, ..masks(&HIDDEN, &["*_token"], false) };
    let [shaped, plain] = [of(values), of(Vec::new())].map(|masks| compiled(&masks));
    for name in ["traces", "long", "dense"] {
        let corpus = corpus(name, bytes);
        let text = Bytes::from(corpus.text.clone());
        let (mut with, mut without) = (0_f64, 0_f64);
        for _ in 0..ROUNDS {
            with = with.max(best(1, &corpus, || redact(&shaped, corpus.lines, &text, PIECE_BYTES)));
            without = without.max(best(1, &corpus, || redact(&plain, corpus.lines, &text, PIECE_BYTES)));
        }
        if name == "traces" {
            figure("redact_values_gbps", with, "GB/s");
        }
        figure(&format!("redact_{name}_values_vs_none"), with / without, "x");
    }
}

/// In small pieces, under many rules, and under an allow-list: each beside the plain case, in turns.
fn beside_itself(few: &Arc<Plan>, corpus: &Corpus, text: &Bytes) {
    let (many, kept) = (many_rules(), allow_list());
    let mut rates = [0_f64; 4];
    for _ in 0..ROUNDS {
        let plain = best(1, corpus, || redact(few, true, text, PIECE_BYTES));
        let frames = best(1, corpus, || redact(few, true, text, FRAME_BYTES));
        let ruled = best(1, corpus, || redact(&many, true, text, PIECE_BYTES));
        let listed = best(1, corpus, || redact(&kept, true, text, PIECE_BYTES));
        for (rate, new) in rates.iter_mut().zip([plain, frames, ruled, listed]) {
            *rate = rate.max(new);
        }
    }
    let [plain, frames, ruled, listed] = rates;
    figure("redact_frames_vs_pieces", frames / plain, "x");
    figure("redact_rules_100_vs_4", ruled / plain, "x");
    figure("redact_keep_vs_4", listed / plain, "x");
}

/// Three fields that alone are shown, one of them in each step.
fn allow_list() -> Arc<Plan> {
    let paths = [&["trace_id"][..], &["model"], &["steps", "n"]];
    let path = |names: &[&str]| FieldPath { steps: names.iter().map(|name| Step::Name((*name).into())).collect() };
    let keep = KeepRule { profile: "bench".into(), fields: paths.map(path).into() };
    let masks = Masks { keeps: vec![keep], embedded: false, ..Masks::of(Vec::new()) };
    Arc::new(Plan::compile(&masks, &SecretKey::from_bytes([0; 32])))
}

/// The four rules, and others up to a hundred that find nothing, a fifth of them globs.
fn many_rules() -> Arc<Plan> {
    let names: Vec<String> =
        (0..77).map(|at| format!("{}_{}", ["secret", "phone", "card", "home"][at % 4], at)).collect();
    let globs: Vec<String> = (0..19)
        .map(|at| [format!("*_key{at}"), format!("ssn{at}_*"), format!("*passw{at}*")][at % 3].clone())
        .collect();
    let names: Vec<&str> = HIDDEN.into_iter().chain(names.iter().map(String::as_str)).collect();
    let globs: Vec<&str> = ["*_token"].into_iter().chain(globs.iter().map(String::as_str)).collect();
    assert_eq!(names.len() + globs.len(), 100);
    plan(&names, &globs, false)
}

/// Gigabytes of the text in a second, in the best round.
fn best(rounds: usize, corpus: &Corpus, mut round: impl FnMut()) -> f64 {
    let fastest = (0..rounds)
        .map(|_| {
            let begun = now();
            round();
            (now() - begun).as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    corpus.text.len() as f64 / fastest / 1e9
}

/// This thread's time on a CPU, where it is counted; else the clock.
fn now() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    thread_cpu().unwrap_or_else(|| START.elapsed())
}

fn redact(plan: &Arc<Plan>, lines: bool, text: &Bytes, piece: usize) {
    let mut redactor = Redactor::new(plan.clone(), if lines { Format::Jsonl } else { Format::Json }, 0);
    let mut shown = Shown::new();
    for from in (0..text.len()).step_by(piece) {
        let piece = text.slice(from..text.len().min(from + piece));
        redactor.write(piece, &mut shown).expect("the corpus is sound");
        shown.by_ref().for_each(|bytes| drop(black_box(bytes)));
    }
    redactor.end(&mut shown).expect("the corpus is sound");
    shown.for_each(|bytes| drop(black_box(bytes)));
}

/// The values of a corpus, as the others want them.
fn values(corpus: &Corpus) -> Vec<&[u8]> {
    if corpus.lines { corpus.text.lines().map(str::as_bytes).collect() } else { vec![corpus.text.as_bytes()] }
}

/// All three hide the same: every hidden value of the corpora is a text of 12 bytes or more.
fn assert_same(plan: &Arc<Plan>, corpus: &Corpus) {
    const COMPARED: usize = 1 << 20;
    let small = corpora::corpus(corpus.name, COMPARED);
    let text = Bytes::from(small.text.clone());
    let mut redactor = Redactor::new(plan.clone(), if small.lines { Format::Jsonl } else { Format::Json }, 0);
    let (mut shown, mut out) = (Shown::new(), Vec::new());
    redactor.write(text, &mut shown).expect("the corpus is sound");
    redactor.end(&mut shown).expect("the corpus is sound");
    shown.for_each(|bytes| out.extend_from_slice(&bytes));
    let found: Vec<Value> = parsed(&out);
    let mut expected = Vec::new();
    peers::serde(&values(&small), |value| expected.extend(value));
    assert_eq!(found, parsed(&expected));
    let mut walked = Vec::new();
    peers::jiter(&values(&small), |value| walked.extend_from_slice(value));
    assert_eq!(found, parsed(&walked));
}

fn parsed(text: &[u8]) -> Vec<Value> {
    serde_json::Deserializer::from_slice(text).into_iter().map(|value| value.expect("sound JSON")).collect()
}

/// These rules, which hold in strings, too, if they are `embedded`.
fn plan(names: &[&str], globs: &[&str], embedded: bool) -> Arc<Plan> {
    compiled(&masks(names, globs, embedded))
}

fn compiled(masks: &Masks) -> Arc<Plan> {
    Arc::new(Plan::compile(masks, &SecretKey::from_bytes([0; 32])))
}

fn masks(names: &[&str], globs: &[&str], embedded: bool) -> Masks {
    let names = names.iter().map(|name| Step::Name((*name).into()));
    let globs = globs.iter().map(|glob| Step::Glob((*glob).into()));
    let rule = |step| MaskRule {
        profile: "bench".into(),
        field: FieldPath { steps: vec![Step::Descend, step] },
        action: MaskAction::Mask,
    };
    Masks { embedded, ..Masks::of(names.chain(globs).map(rule).collect()) }
}
