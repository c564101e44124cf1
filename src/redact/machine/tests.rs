//! Each tier against what a byte is, and the machine against the grammar, state by state.

use super::super::grammar::Roots;
use super::super::tests::{Random, seeds};
use super::*;
use crate::policy::mask::Format;

/// Every tier that this machine has.
pub(in crate::redact) fn tiers() -> Vec<Instructions> {
    let mut all = vec![Instructions::Portable];
    all.extend(Some(Instructions::detected()).filter(|best| !matches!(best, Instructions::Portable)));
    all
}

fn window(bytes: &[u8]) -> Window {
    let mut window = [0; LEAD + BLOCK];
    window[LEAD..].copy_from_slice(bytes);
    window
}

fn bits(bytes: &[u8], is: impl Fn(u8) -> bool) -> u64 {
    bytes.iter().enumerate().fold(0, |all, (at, byte)| all | u64::from(is(*byte)) << at)
}

fn check_classes<T: Tier>(tier: T, bytes: &[u8]) {
    let loaded = tier.load(&window(bytes));
    let (text, is) = (tier.text(loaded), tier.structure(loaded));
    let (digits, marks, escapes) = (tier.digits(loaded), tier.marks(loaded), tier.escapes(loaded));
    let brackets = bits(bytes, |byte| b"[]{}".contains(&byte));
    for (found, expected) in [
        (text.quote, bits(bytes, |byte| byte == b'"')),
        (text.backslash, bits(bytes, |byte| byte == b'\\')),
        (tier.backslashes(bytes.first_chunk().unwrap()), text.backslash),
        (text.control, bits(bytes, |byte| byte < 0x20)),
        (text.high, bits(bytes, |byte| byte >= 0x80)),
        (is.open, bits(bytes, |byte| matches!(byte, b'[' | b'{'))),
        (is.close, bits(bytes, |byte| matches!(byte, b']' | b'}'))),
        (is.curly & brackets, bits(bytes, |byte| matches!(byte, b'{' | b'}'))),
        (is.colon, bits(bytes, |byte| byte == b':')),
        (is.comma, bits(bytes, |byte| byte == b',')),
        (is.newline, bits(bytes, |byte| byte == b'\n')),
        (is.blank, bits(bytes, |byte| b" \t\r\n".contains(&byte))),
        (digits.digit, bits(bytes, |byte| byte.is_ascii_digit())),
        (digits.zero, bits(bytes, |byte| byte == b'0')),
        (marks.minus, bits(bytes, |byte| byte == b'-')),
        (marks.plus, bits(bytes, |byte| byte == b'+')),
        (marks.point, bits(bytes, |byte| byte == b'.')),
        (marks.exponent, bits(bytes, |byte| matches!(byte, b'e' | b'E'))),
        (escapes.legal, bits(bytes, |byte| br#""\/bfnrtu"#.contains(&byte))),
        (escapes.unit, bits(bytes, |byte| byte == b'u')),
        (tier.hex(loaded), bits(bytes, |byte| byte.is_ascii_hexdigit())),
    ] {
        assert_eq!(found, expected, "{bytes:?}");
    }
}

fn check_plain<T: Tier>(tier: T) {
    assert!(tier.is_plain(&[b'x'; BLOCK]));
    for (byte, at) in (0..=u8::MAX).flat_map(|byte| [0, 31, 32, 63].map(|at| (byte, at))) {
        let mut bytes = [b'~'; BLOCK];
        bytes[at] = byte;
        let plain = (b' '..0x80).contains(&byte) && !b"\"\\".contains(&byte);
        assert_eq!(tier.is_plain(&bytes), plain, "{byte} at {at}");
    }
}

#[test]
fn a_tier_knows_plain_text() {
    check_plain(Portable);
    #[cfg(target_arch = "x86_64")]
    if let Some(tier) = avx2::Avx2::detected() {
        check_plain(tier);
    }
}

/// Each byte in each place, among others.
#[test]
fn a_tier_says_of_every_byte_what_it_is() {
    for byte in 0..=u8::MAX {
        let bytes: Vec<u8> = (0..BLOCK).map(|at| byte.wrapping_add((at * at) as u8)).collect();
        check_classes(Portable, &bytes);
        #[cfg(target_arch = "x86_64")]
        if let Some(tier) = avx2::Avx2::detected() {
            check_classes(tier, &bytes);
        }
    }
}

fn check_numbers<T: Tier>(tier: T, random: &mut Random) {
    let word = random.next();
    let naive = (0..64).fold(0, |all, at| all | u64::from((word << (63 - at)).count_ones() % 2) << at);
    assert_eq!(tier.prefix_xor(word), naive);
    let filter = Filter::of([super::super::filter::Anchor::End(b'd', Some(b'i'))].into_iter());
    let bytes: Vec<u8> = (0..BLOCK).map(|_| *b"idd\xE9".get(random.below(5)).unwrap_or(&b'x')).collect();
    let window = window(&bytes);
    let pair = |at: &usize| filter.groups(window[LEAD + at - 1], window[LEAD + at]) != 0;
    let expected = (0..BLOCK).filter(pair).fold(0, |all, at| all | 1 << at);
    assert_eq!(tier.pairs(&window, &filter, word).ends & word, expected & word);
    let text: Vec<u8> = std::iter::repeat_with(|| ["a", "é", "\u{FFFD}", "\u{1F600}", "\u{D7FF}"][random.below(5)])
        .flat_map(str::bytes)
        .take(BLOCK)
        .collect();
    let mut text = <[u8; BLOCK]>::try_from(text).unwrap();
    if random.one_in(2) {
        text[random.below(BLOCK)] = [0xC0, 0xED, 0xF4, 0x80, 0x9F, 0xA0, 0xBF, 0x41, 0xE0, 0xF5][random.below(10)];
    }
    // One that begins no character is told by the last block's own rule.
    if !matches!(text[BLOCK - 1], 0xC0 | 0xC1 | 0xF5..) {
        let sound = std::str::from_utf8(&text).map_or_else(|fault| fault.error_len().is_none(), |_| true);
        assert_eq!(tier.not_utf8(&self::window(&text)) == 0, sound, "{text:?}");
    }
}

#[test]
fn a_tier_counts_as_one_counts_by_hand() {
    for seed in seeds(2000) {
        check_numbers(Portable, &mut Random(seed));
        #[cfg(target_arch = "x86_64")]
        if let Some(tier) = avx2::Avx2::detected() {
            check_numbers(tier, &mut Random(seed));
        }
    }
}

/// Whatever was read, in whatever pieces: both say the same of where they stand, and of where it is broken.
#[test]
fn behind_every_piece_the_machine_stands_where_the_grammar_stands() {
    let mut blocks = 0;
    for seed in seeds(1200) {
        let mut random = Random(seed);
        let format = random.format();
        let mut object = random.object(format);
        if random.one_in(3) {
            random.mutate(&mut object);
        }
        for tier in tiers() {
            let mut machine = Machine::with(tier, format == Format::Jsonl);
            let (mut grammar, mut name) = (Grammar::new(format == Format::Jsonl), Name::default());
            let (mut rest, mut offset) = (object.as_slice(), 0);
            let most = [3, 70, 200][random.below(3)];
            while !rest.is_empty() {
                let (piece, more) = rest.split_at((1 + random.below(most)).min(rest.len()));
                let read = machine.feed(piece, 0, offset, &Sight::Names(Filter::default()), &mut Deaf);
                let expected = grammar.feed(piece, 0, offset, &mut name, &mut Deaf);
                assert_eq!(read, expected, "seed {seed}");
                if read.is_err() {
                    break;
                }
                if grammar.state == State::InName {
                    name.goes_on(piece);
                }
                blocks += usize::from(machine.pace == Pace::Blocks);
                machine.hand_over(machine.lead, 0, &mut Deaf);
                let found = (machine.grammar.state, &machine.grammar.open, machine.grammar.text.checked());
                let expected = (grammar.state, &grammar.open, grammar.text.checked());
                // Outside of strings what was read of the last one does not count.
                let in_text = matches!(grammar.state, State::InName | State::InString);
                assert_eq!((found.0, found.1), (expected.0, expected.1), "seed {seed} at {offset}");
                let members = (machine.grammar.members, grammar.members);
                assert!(format == Format::Jsonl || members.0 == members.1, "seed {seed} at {offset}");
                assert!(!in_text || found.2 == expected.2, "seed {seed} at {offset}: {found:?} {expected:?}");
                offset += piece.len() as u64;
                rest = more;
            }
        }
    }
    assert!(blocks > 1000, "{blocks}");
}

/// Behind a broken record, whatever its last bytes and wherever a chunk ends, a sound one is read as by a machine that
/// never saw it: without a doubt, and not by the grammar.
#[test]
fn regression_what_a_broken_record_left_open_casts_no_doubt_on_the_next() {
    let (record, broken) = (b"{\"a\":\"\xC3\xA9\"}\n".repeat(20), b"\x01".as_slice());
    for open in ["\u{e9}", "\u{20ac}", "\u{1f600}"] {
        for cut in 1..open.len() {
            let before = [b"{\"a\":\"".as_slice(), &open.as_bytes()[..cut]].concat();
            for tier in tiers() {
                let mut machine = Machine::with(tier, true);
                machine.feed(&before, 0, 0, &Sight::Names(Filter::default()), &mut Deaf).unwrap();
                let at = before.len() as u64;
                machine.feed(broken, 0, at, &Sight::Names(Filter::default()), &mut Deaf).unwrap_err();
                machine.restart();
                assert_eq!(machine.lead, LINE_END);
                for (piece, offset) in record.chunks(7).zip((at + 100..).step_by(7)) {
                    machine.feed(piece, 0, offset, &Sight::Names(Filter::default()), &mut Deaf).unwrap();
                    assert!(machine.pace == Pace::Blocks && machine.judged == 0, "{open:?} cut at {cut}, {offset}");
                }
            }
        }
    }
}

/// Wants to know only whether reading goes on.
struct Deaf;

impl Events for Deaf {
    fn begin(&mut self, _at: usize, _kind: Kind) -> Result<(), Broken> {
        Ok(())
    }

    fn end(&mut self, _at: usize, _kind: Kind) {}

    fn root_ends(&mut self, _at: usize) {}

    fn name_begins(&mut self, _at: usize) -> Result<(), Broken> {
        Ok(())
    }

    fn name(&mut self, _written: &[u8]) {}

    fn comma(&mut self, _at: usize) {}

    fn lines_end(&mut self, _at: usize, _records: u64) {}

    fn attention(&self) -> Attention {
        Attention::Names
    }

    fn roots(&self) -> Roots {
        Roots::Owed
    }

    fn watches_texts(&self) -> bool {
        false
    }
}
