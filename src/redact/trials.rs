//! What is tried on any bytes: each function takes what a fuzzer makes up, and panics where a promise is broken.
//!
//! The first eight bytes seed what is not JSON: masks, framing, pieces. What follows is the object.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::machine::Instructions;
use super::output::Shown;
use super::plan::Plan;
use super::redactor::Redactor;
use super::stream::{Showing, Source, range};
use super::tally::TallyCell;
use super::tests::{Outcome, Random, at_once, feed, feed_to, key, masks, oracle, plan, text};
use crate::limits;
use crate::policy::mask::{Format, LengthRule, MaskAction, Masks, OnBroken};
use crate::s3::answer::{Body, BodyError, ContentRange};

pub(crate) use super::packed::trial::unpack;

/// Longer objects take the oracle too long.
const OBJECT_BYTES_MAX: usize = 4096;
const SECRET_NAMES: [&str; 2] = ["user_id", "api_key"];

/// One object, and what is to be done with it.
struct Trial<'a> {
    random: Random,
    masks: Masks,
    format: Format,
    object: &'a [u8],
}

impl<'a> Trial<'a> {
    /// `None` where there is too little or too much.
    fn of(data: &'a [u8]) -> Option<Self> {
        let (seed, object) = data.split_first_chunk::<8>()?;
        let mut random = Random(u64::from_le_bytes(*seed));
        let (mut masks, format) = (random.masks(), random.format());
        if random.one_in(4) {
            masks.on_broken = OnBroken::Cut;
        }
        (object.len() <= OBJECT_BYTES_MAX).then_some(Self { random, masks, format, object })
    }

    /// The same under masks that hide these names and nothing else, wherever they stand.
    fn hiding_secrets(mut self) -> Self {
        let action = [MaskAction::Mask, MaskAction::Drop][self.random.below(2)];
        let rules = SECRET_NAMES.map(|name| (format!("** {name}"), action));
        let rules: Vec<_> = rules.iter().map(|(path, action)| (path.as_str(), *action)).collect();
        self.masks = masks(&rules);
        self
    }

    /// In random pieces.
    fn in_pieces(&mut self, redactor: Redactor, object: &[u8]) -> Outcome {
        let most = [2, 65, 130, 1000][self.random.below(4)];
        feed_to(redactor, object, || 1 + self.random.below(most))
    }
}

/// The same bytes with one to three small damages; more than that by chance.
#[cfg(test)]
pub(crate) fn damaged(data: &[u8], seed: u64) -> Vec<u8> {
    let (mut random, mut damaged) = (Random(seed), data.to_vec());
    while random.one_in(2) {
        random.mutate(&mut damaged);
    }
    damaged
}

/// Seeds of the damages; `REDACT_SEEDS=100` tries a hundred times as many.
#[cfg(test)]
pub(crate) fn damages(count: u64) -> std::ops::Range<u64> {
    super::tests::seeds(count)
}

/// What comes out is byte for byte what the naive oracle says, and so is whether it is refused.
pub(crate) fn oracle(data: &[u8]) {
    let Some(mut trial) = Trial::of(data) else { return };
    let expected = oracle::redact(trial.object, trial.format, &trial.masks, &key());
    let redactor = Redactor::new(plan(&trial.masks), trial.format, 0);
    let (out, ended, _) = trial.in_pieces(redactor, trial.object);
    let found = ended.is_ok().then_some(out);
    assert_eq!(found.as_deref().map(text), expected.as_deref().map(text), "{:?} {:?}", trial.masks, trial.format);
}

/// A document is taken where `serde_json` takes it; but for what is ours alone: a mark at the start, Python's words for odd
/// numbers, and bounds.
pub(crate) fn accept(data: &[u8]) {
    let object = &data[..data.len().min(OBJECT_BYTES_MAX)];
    let lossy = text(object);
    if lossy.contains("NaN") || lossy.contains("Infinity") || object.starts_with(b"\xEF\xBB\xBF") {
        return;
    }
    let plan = plan(&masks(&[("** user_id", MaskAction::Mask)]));
    let (_, ended, _) = at_once(&plan, Format::Json, object);
    if ended.is_err_and(|fault| ["nested too deeply", "too long"].iter().any(|bound| fault.reason.contains(bound))) {
        return;
    }
    let sound =
        std::str::from_utf8(object).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    assert_eq!(ended.is_ok(), sound, "{ended:?}");
}

/// On every tier and in any pieces it is the same, faults, counts and what left before a fault included.
pub(crate) fn split(data: &[u8]) {
    let Some(mut trial) = Trial::of(data) else { return };
    let (plan, format) = (plan(&trial.masks), trial.format);
    let with = |instructions| Redactor::new(plan.clone(), format, 0).with(instructions);
    let expected = feed_to(with(Instructions::Bytes), trial.object, || usize::MAX);
    for instructions in [Instructions::Portable, Instructions::detected()] {
        let size = [1, 63, 64, 65][trial.random.below(4)];
        let ways = [usize::MAX, size].map(|size| feed_to(with(instructions), trial.object, || size));
        let pieces = trial.in_pieces(with(instructions), trial.object);
        for found in ways.into_iter().chain([pieces]) {
            assert_eq!(found, expected, "{instructions:?}, {size}");
        }
    }
}

/// What stands under a hidden name does not leave: not where all is sound, nor before a fault, nor beyond the hold.
///
/// Around a record whose secrets alone hold `Z`, the bytes are any others; one within is cut off or made a zero byte.
pub(crate) fn leak(data: &[u8]) {
    let Some(mut trial) = Trial::of(data).map(Trial::hiding_secrets) else { return };
    let around: Vec<u8> = trial.object.iter().copied().filter(|byte| !b"Z5".contains(byte)).collect();
    let (before, behind) = around.split_at(trial.random.below(around.len() + 1));
    let mut record = secret_record(&mut trial.random);
    if trial.random.one_in(2) {
        let at = trial.random.below(record.len());
        if trial.random.one_in(2) { record[at] = 0 } else { record.truncate(at) }
    }
    let pad = trial.random.one_in(8).then(|| format!("[\"{}\",", "x".repeat(limits::HOLD_BYTES_MAX)));
    let object = [pad.unwrap_or_default().as_bytes(), before, &record, behind].concat();
    let redactor = Redactor::new(plan(&trial.masks), trial.format, 0);
    let (out, ..) = trial.in_pieces(redactor, &object);
    let shown = text(&out);
    assert!(!shown.contains('Z') && !shown.contains("5a") && !shown.contains("5A"), "{} gave {shown}", text(&object));
}

/// A record of a few levels of strings.
fn secret_record(random: &mut Random) -> Vec<u8> {
    let nonce = random.next();
    let secrets = [
        format!("\"Z{nonce:o}Z\""),
        "\"\\u005aZ\\u005A\"".to_owned(),
        "{\"a\":[\"ZZ\",{\"Z\":null}],\"Z\":\"\\\"Z\"}".to_owned(),
        "[[\"Z\"],\"\u{1F600}Z\"]".to_owned(),
    ];
    let secret = &secrets[random.below(secrets.len())];
    let name = ["user_id", "\\u0075ser_i\\u0064", "api_key", "api\\u005fkey"][random.below(4)];
    let mut json = format!("{{\"a\":1,\"{name}\" : {secret},\"b\":[{{\"{name}\":{secret}}},1]}}");
    for _ in 0..random.below(limits::EMBEDDED_LEVELS_MAX + 2) {
        let written = serde_json::to_string(&json).unwrap_or_default();
        json = format!("{{\"a\":{written}}}");
    }
    json.into_bytes()
}

/// A range is the slice of the whole, and going on from a checkpoint is as if nothing had been left out.
pub(crate) fn slices(data: &[u8]) {
    let Some(mut trial) = Trial::of(data) else { return };
    let (plan, format) = (plan(&trial.masks), trial.format);
    let (all, ended, _) = at_once(&plan, format, trial.object);
    if ended.is_ok() && !all.is_empty() {
        let first = trial.random.below(all.len());
        let last = first + trial.random.below(all.len() - first);
        let found = slice(&plan, format, trial.object, first as u64, last as u64);
        assert_eq!(text(&found), text(&all[first..=last]), "{first}-{last} {:?}", trial.masks);
    }
    if trial.random.one_in(4) {
        resume(&plan, &mut trial);
    }
}

/// The same beyond the hold, where checkpoints are.
fn resume(plan: &Arc<Plan>, trial: &mut Trial<'_>) {
    let format = trial.format;
    let head = format!("[\"{}\",", "x".repeat(limits::HOLD_BYTES_MAX));
    let object = [head.as_bytes(), trial.object].concat();
    let (all, ended, _) = at_once(plan, format, &object);
    let mut redactor = Redactor::new(plan.clone(), format, 0);
    let mut shown = Shown::new();
    let mut at = 0;
    while at < object.len() {
        let step = if at == 0 { head.len() } else { 1 + trial.random.below(trial.object.len() / 4 + 1) };
        let until = object.len().min(at + step);
        if redactor.write(Bytes::copy_from_slice(&object[at..until]), &mut shown).is_err() {
            return;
        }
        at = until;
        let Some(checkpoint) = redactor.checkpoint() else { continue };
        let resumed = Redactor::new(plan.clone(), format, 0).resumed(&checkpoint);
        let (out, found, _) = trial.in_pieces(resumed, &object[at..]);
        assert_eq!((text(&out), found), (text(&all[checkpoint.output as usize..]), ended), "at {at}");
    }
}

struct InMemory(Bytes);

#[async_trait]
impl Source for InMemory {
    async fn read(&self, first: u64, last: u64) -> Result<Body, BodyError> {
        let bytes = self.0.slice(first as usize..=last as usize);
        Ok(stream::iter([Ok(bytes)]).boxed())
    }
}

fn slice(plan: &Arc<Plan>, format: Format, object: &[u8], first: u64, last: u64) -> Vec<u8> {
    let source = Arc::new(InMemory(Bytes::copy_from_slice(object)));
    let showing = Showing { plan: plan.clone(), format, tally: TallyCell::new(plan), track: None };
    let window = ContentRange { first, last };
    futures::executor::block_on(async {
        let body = range(None, source, object.len() as u64, window, showing).await.expect("the whole is sound");
        let pieces: Vec<Bytes> = body.map(|piece| piece.expect("the whole is sound")).collect().await;
        pieces.concat()
    })
}

/// Of what we show `serde_json` reads nothing under a hidden name but a token: each occurrence of a name, and in strings
/// whatever is JSON in them.
pub(crate) fn reader(data: &[u8]) {
    let Some(mut trial) = Trial::of(data).map(Trial::hiding_secrets) else { return };
    trial.masks.length = [None, Some(LengthRule::Record), Some(LengthRule::Hidden)][trial.random.below(3)];
    let (out, ended, _) = feed(&plan(&trial.masks), trial.format, trial.object, || 1 + trial.random.below(90));
    let (Ok(()), Ok(shown)) = (ended, std::str::from_utf8(&out)) else { return };
    let shown = shown.strip_prefix('\u{FEFF}').unwrap_or(shown);
    match trial.format {
        Format::Json => look(shown, 0),
        Format::Jsonl => shown.split('\n').for_each(|line| look(line, 0)),
    }
}

/// One text, of so many levels of strings around it; what is no JSON is nothing to look at.
fn look(shown: &str, level: usize) {
    let mut documents = serde_json::Deserializer::from_str(shown).into_iter::<Seen>();
    let values: Vec<Seen> = documents.by_ref().map_while(Result::ok).collect();
    values.iter().take_while(|value| !matches!(value, Seen::Other { .. })).for_each(|value| find(value, level));
}

fn find(value: &Seen, level: usize) {
    match value {
        Seen::Object(members) => {
            for (name, value) in members {
                if SECRET_NAMES.contains(&&**name) {
                    assert!(value.is_token(), "{name} at level {level}: {value:?}");
                } else {
                    find(value, level);
                }
            }
        }
        Seen::Array(elements) => elements.iter().for_each(|element| find(element, level)),
        Seen::Text(held) if level < 2 * limits::EMBEDDED_LEVELS_MAX => look(held, level + 1),
        Seen::Text(_) | Seen::Other { .. } => {}
    }
}

/// A value with every occurrence of a name.
#[derive(Debug)]
enum Seen {
    Object(Vec<(String, Seen)>),
    Array(Vec<Seen>),
    Text(String),
    Other { token: bool },
}

impl Seen {
    fn is_token(&self) -> bool {
        match self {
            Seen::Text(held) => matches!(held.as_str(), "[REDACTED]" | "***" | ""),
            Seen::Other { token } => *token,
            Seen::Object(_) | Seen::Array(_) => false,
        }
    }
}

impl<'de> serde::Deserialize<'de> for Seen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> serde::de::Visitor<'de> for Look {
    type Value = Seen;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Seen::Object(members))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Seen, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Seen::Array(elements))
    }

    fn visit_str<E>(self, held: &str) -> Result<Seen, E> {
        Ok(Seen::Text(held.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Other { token: true })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen::Other { token: false })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Seen, E> {
        Ok(Seen::Other { token: number == 0 })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Other { token: false })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Other { token: false })
    }
}
