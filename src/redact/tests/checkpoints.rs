//! Going on from a checkpoint is as if nothing had been left out, wherever it was taken; and it is small.

use super::super::checkpoint::Checkpoint;
use super::super::machine::Instructions;
use super::super::machine::tests::tiers;
use super::*;
use crate::limits;

/// Bytes before what is random, so that nothing of it is held.
pub(super) const AHEAD: usize = limits::HOLD_BYTES_MAX + 100;

/// A document, or a record and what follows it, of which all but the first [`AHEAD`] bytes are random.
pub(super) fn object(random: &mut Random, format: Format) -> Vec<u8> {
    let mut object = format!("[\"{}\"", "x".repeat(AHEAD)).into_bytes();
    for _ in 0..=random.below(8) {
        object.push(b',');
        random.value(&mut object, 1, format == Format::Json);
    }
    object.push(b']');
    if format == Format::Jsonl {
        object.push(b'\n');
        object.extend(random.object(format));
    }
    if random.one_in(3) {
        let mut tail = object.split_off(AHEAD);
        random.mutate(&mut tail);
        object.extend(tail);
    }
    object
}

fn with(instructions: Instructions, plan: &Arc<Plan>, format: Format) -> Redactor {
    Redactor::new(plan.clone(), format, 0).with(instructions)
}

/// Behind every byte of the object from that one on: what it was resumed from, if there is anything.
fn check(instructions: Instructions, plan: &Arc<Plan>, format: Format, object: &[u8], random: &mut Random) -> usize {
    let (all, ended, _) = feed_to(with(instructions, plan, format), object, || usize::MAX);
    let (mut redactor, mut shown) = (with(instructions, plan, format), Shown::new());
    let mut taken = 0;
    let (ahead, rest) = object.split_at(AHEAD.min(object.len()));
    let mut written = redactor.write(Bytes::copy_from_slice(ahead), &mut shown);
    for (at, byte) in rest.iter().enumerate() {
        if written.is_err() {
            break;
        }
        if let Some(checkpoint) = redactor.checkpoint() {
            assert_eq!(checkpoint.input, (ahead.len() + at) as u64);
            let (out, found) = resumed(instructions, plan, format, &checkpoint, object, random);
            let from = checkpoint.output as usize;
            assert!(
                text(&all[from..]) == text(&out) && found == ended,
                "{instructions:?} {format:?} at {at} of {}:\n{}\n{}\n{found:?} {ended:?}",
                text(rest),
                text(&all[from..]),
                text(&out)
            );
            taken += 1;
        }
        written = redactor.write(Bytes::copy_from_slice(&[*byte]), &mut shown);
    }
    taken
}

fn resumed(
    instructions: Instructions,
    plan: &Arc<Plan>,
    format: Format,
    checkpoint: &Checkpoint,
    object: &[u8],
    random: &mut Random,
) -> (Vec<u8>, Result<(), Fault>) {
    let most = [1, 3, 70, 1000][random.below(4)];
    let redactor = with(instructions, plan, format).resumed(checkpoint);
    let (out, ended, _) = feed_to(redactor, &object[checkpoint.input as usize..], || 1 + random.below(most));
    (out, ended)
}

/// Documents and records, sound and damaged, under random rules, behind every byte, on every tier.
#[test]
fn going_on_from_a_checkpoint_is_as_if_all_was_read() {
    let (mut taken, mut bytes) = (0, 0);
    for seed in seeds(150) {
        let mut random = Random(seed);
        let (mut masks, format) = (random.masks(), random.format());
        if random.one_in(4) {
            masks.on_broken = OnBroken::Cut;
        }
        let (object, plan) = (object(&mut random, format), plan(&masks));
        for tier in tiers() {
            taken += check(tier, &plan, format, &object, &mut random);
            bytes += object.len().saturating_sub(AHEAD);
        }
    }
    assert!(taken * 3 > bytes, "{taken} of {bytes} places");
}

/// Within values that are hidden, and that would fill the object.
#[test]
fn a_checkpoint_within_a_hidden_value_shows_nothing_of_it() {
    let mut random = Random(3);
    for (action, places) in [(Mask, 300), (Drop, 300), (Hmac, 0)] {
        for length in [LengthRule::Field, LengthRule::Record] {
            let masks = Masks { length: Some(length), ..masks(&[("** k", action)]) };
            for value in ["\"S\\u0053\u{1F600}\\\\S\\\"\"", "{\"S\":[\"S\",{\"k\":\"S}\"}],\"S\":{}}"] {
                let value = value.replace('S', &"S".repeat(40));
                let object = format!("{{\"pad\":\"{}\",\"k\":{value},\"a\":1}}", "x".repeat(AHEAD));
                for tier in tiers() {
                    let plan = plan(&masks);
                    let taken = check(tier, &plan, Format::Json, object.as_bytes(), &mut random);
                    assert!(taken > places / 4, "{action:?} {length:?} {value} {taken}");
                    assert!(!text(&at_once(&plan, Format::Json, object.as_bytes()).0).contains('S'));
                }
            }
        }
    }
}

/// The sizes of the checkpoints behind all pieces of the object, in order.
fn sizes(masks: &Masks, object: &str) -> Vec<usize> {
    let (mut redactor, mut shown) = (Redactor::new(plan(masks), Format::Json, 0), Shown::new());
    let mut sizes = Vec::new();
    for piece in object.as_bytes().chunks(97) {
        redactor.write(Bytes::copy_from_slice(piece), &mut shown).unwrap();
        shown.by_ref().for_each(drop);
        sizes.extend(redactor.checkpoint().map(|checkpoint| checkpoint.bytes()));
    }
    sizes.sort_unstable();
    sizes
}

#[test]
fn a_checkpoint_is_small() {
    let record = "{\"id\":1,\"steps\":[{\"role\":\"user\",\"content\":\"a text of some words\",\"user_id\":\"u-123456789\",\
                  \"calls\":[{\"name\":\"f\",\"arguments\":{\"x\":[1,2,3],\"api_key\":\"sk-0123456789abcdef\"}}]}]},";
    let traces = format!("[{}0]", record.repeat(2000));
    let names = masks(&[("** user_id", Mask), ("** api_key", Mask), ("** email", Mask), ("** *_token", Mask)]);
    let paths = masks(&[("[*] steps [*] content", Mask), ("** customer ** email", Mask), ("** user_id", Drop)]);
    let many: Vec<_> = ["** a ** b", "** c ** d"].iter().cycle().take(12).map(|path| (*path, Mask)).collect();
    let deep = format!("{}{}", "[".repeat(limits::JSON_DEPTH_MAX), " ".repeat(limits::HOLD_BYTES_MAX + 999));
    for (masks, object, typical, most) in [
        (&names, &traces, 200, 300),
        (&paths, &traces, 200, 300),
        (&names, &deep, 512, 512),
        (&self::masks(&many), &deep, 8704, 8704),
    ] {
        let sizes = sizes(masks, object);
        let (found, largest) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
        assert!(found <= typical && largest <= most, "{found} {largest}");
    }
    let beyond: Vec<_> = many.iter().cycle().take(60).copied().collect();
    assert!(sizes(&self::masks(&beyond), &deep).is_empty(), "none is placed that is not small");
}
