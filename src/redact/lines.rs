//! Which lines of JSONL may be shown: what one line says about the next.
//!
//! A line is a *record* if it is, by itself, one object or array. But the inside of a bigger value can look like records:
//! of a document that was stored under a name of JSONL, with a line break here and there, the line `{"content":"…"}` may
//! lie within `messages`, and rules that begin there would not find it. So **a record is shown only if the nearest line
//! before it that is not blank is a record, too, or if there is none.**
//!
//! This suffices. Within an open bracket of JSON only an opening bracket, a comma or a colon can come before a value, and a
//! line that ends with one of these is no record. So two records that follow each other both lie within nothing, or no
//! reader of JSON finds anything around them. It is also all that a range has to look at: one line before its own.
//!
//! A record right behind a broken line, as where a writer crashed and the next one went on below, is thus not shown, but
//! the one behind it is. What is not covered: text that is no JSON, in which a lenient reader finds a value around lines
//! that no comma separates, or a string that goes on over line ends.

use super::filter::Filter;
use super::grammar::{Attention, Broken, Events, Kind, Roots};
use super::machine::{Machine, Sight};

const BOM: [u8; 3] = *b"\xEF\xBB\xBF";

/// A line, and what is known of the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// Offset of its first byte.
    pub(super) start: u64,
    /// Whether the nearest line before it that is not blank is a record, or there is none.
    pub(super) behind_record: bool,
}

/// Reads lines, from any offset of an object on, up to the one that is sought. Constant memory.
pub(super) struct Lines {
    machine: Machine,
    found: Starts,
    broken: bool,
    /// Bytes of a byte order mark that were seen; 3 also where there is none.
    bom: usize,
}

impl Lines {
    /// Begins at that offset, within any line.
    pub(super) fn new(offset: u64) -> Self {
        let first = offset == 0;
        Self {
            machine: Machine::new(true),
            found: Starts { at: offset, start: first.then_some(0), behind_record: first.then_some(true) },
            broken: false,
            bom: if first { 0 } else { BOM.len() },
        }
    }

    /// Takes the next bytes.
    pub(super) fn read(&mut self, chunk: &[u8]) {
        let mut index = 0;
        while index < chunk.len() {
            index = if self.found.start.is_none() || self.broken {
                match chunk[index..].iter().position(|&byte| byte == b'\n') {
                    Some(run) => self.broken_ends(index + run),
                    None => chunk.len(),
                }
            } else if self.bom < BOM.len() {
                self.byte_order_mark(chunk, index)
            } else {
                match self.machine.feed(chunk, index, self.found.at, &Sight::Names(Filter::default()), &mut self.found)
                {
                    Ok(()) => chunk.len(),
                    Err(Broken { at, .. }) => {
                        self.broken = true;
                        at
                    }
                }
            };
        }
        self.found.at += chunk.len() as u64;
    }

    /// Where the line began that the next byte belongs to, if that is known.
    pub(super) fn start(&self) -> Option<u64> {
        self.found.start
    }

    /// The line that the next byte belongs to, if enough was read.
    pub(super) fn line(&self) -> Option<Line> {
        Some(Line { start: self.found.start?, behind_record: self.found.behind_record? })
    }

    fn byte_order_mark(&mut self, chunk: &[u8], index: usize) -> usize {
        if chunk[index] == BOM[self.bom] {
            self.bom += 1;
            return index + 1;
        }
        self.broken = std::mem::replace(&mut self.bom, BOM.len()) > 0;
        index
    }

    /// The line that is no record, or not read from its start, ends at that newline: gives the index behind it.
    fn broken_ends(&mut self, newline: usize) -> usize {
        if self.found.start.is_some() {
            self.found.behind_record = Some(false);
        }
        self.found.start = Some(self.found.at + newline as u64 + 1);
        self.broken = false;
        self.machine.restart();
        newline + 1
    }
}

/// What is known of where lines begin. Listens for their ends only.
struct Starts {
    /// Offset of the chunk's first byte.
    at: u64,
    /// Where the line began that is read; `None` while that was before the first byte read.
    start: Option<u64>,
    /// As [`Line::behind_record`], once known.
    behind_record: Option<bool>,
}

impl Events for Starts {
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

    fn lines_end(&mut self, at: usize, records: u64) {
        if records > 0 {
            self.behind_record = Some(true);
        }
        self.start = Some(self.at + at as u64 + 1);
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(object: &str, from: usize, to: usize, piece: usize) -> Option<Line> {
        let mut lines = Lines::new(from as u64);
        object.as_bytes()[from..to].chunks(piece).for_each(|chunk| lines.read(chunk));
        lines.line()
    }

    #[test]
    fn one_line_tells_of_the_next() {
        for (object, behind_record) in [
            ("", true),
            (" \r\n\n", true),
            ("\u{FEFF}\n", true),
            ("{}\n", true),
            ("\u{FEFF}[1]\r\n \n", true),
            ("{\"messages\":[\n", false),
            ("{}\n1\n", false),
            ("\"text\"\n\n", false),
            ("{},\n", false),
            ("{\"a\":\"torn\n{\"a\":1}\n", true),
            ("{}\n{\"a\":\n\t\n", false),
            ("{}\n\u{FEFF}{}\n", false),
        ] {
            let start = object.len() as u64;
            for piece in [1, 2, 100] {
                let found = line(object, 0, object.len(), piece);
                assert_eq!(found, Some(Line { start, behind_record }), "{object:?} {piece}");
                let longer = format!("{object}{{\"a\":");
                assert_eq!(line(&longer, 0, longer.len(), piece), found, "{object:?} {piece}");
            }
        }
    }

    /// What is told from the middle on is what is told from the start on.
    #[test]
    fn a_look_back_never_guesses() {
        let object = "\u{FEFF}{\"a\":1}\n[\n{\"b\":[2]}\n]\n\n{\"c\":\"é\"}\r\n{}\n \n\n{\"d\":\"[1]\"}\n7\n[8]\n[9]";
        let mut known = 0;
        for to in 0..object.len() {
            let whole = line(object, 0, to, 7);
            for from in 0..=to {
                let found = line(object, from, to, 3);
                assert!(found.is_none() || found == whole, "{from} {to} {found:?} {whole:?}");
                known += usize::from(found.is_some());
            }
            assert!(whole.is_some());
        }
        assert!(known > 400, "{known}");
    }
}
