//! What stands in place of a value that is hidden, and where its slack goes.

use super::{Editor, Spot};
use crate::policy::mask::{LengthRule, MaskAction};
use crate::redact::grammar::Kind;
use crate::redact::partial::Tail;
use crate::redact::reading::Reading;
use crate::redact::token;

/// A value that is not looked into: hidden, or shown as it is.
#[derive(Debug, Clone)]
pub(super) struct Hidden {
    /// Brackets open within it, its own included.
    pub(super) open: u32,
    /// Whether it is between the name of a dropped member and its value.
    pub(super) due: bool,
    /// Where the input that it replaces begins.
    pub(super) offset: u64,
    /// Bytes in its place that were made before it is over.
    pub(super) made: u64,
    pub(super) kind: Kind,
    /// Strings around it.
    pub(super) texts: usize,
    pub(super) with: With,
}

#[derive(Debug, Clone)]
pub(super) enum With {
    /// It passes.
    Itself,
    Nothing,
    Null,
    Token,
    /// That of a record.
    Blank,
    /// What is left of the text of a string.
    Rest,
    Pseudonym(Box<Reading<blake3::Hasher>>),
    Partial(Box<Reading<Tail>>),
}

impl Hidden {
    /// One that begins at that offset, within no string.
    pub(super) fn new(offset: u64, kind: Kind, with: With) -> Self {
        Self { open: 1, due: false, offset, made: 0, kind, texts: 0, with }
    }
}

impl With {
    /// Reads what of the hidden value stands before that index of the chunk, or of the text that it lies in.
    pub(super) fn read(&mut self, chunk: &[u8], until: usize, kind: Kind) {
        match self {
            With::Itself | With::Nothing | With::Null | With::Token | With::Blank | With::Rest => {}
            With::Pseudonym(hashed) => hashed.read(chunk, until, kind),
            With::Partial(tail) => tail.read(chunk, until, kind),
        }
    }

    /// What is to be read comes from that index on.
    pub(super) fn go_on(&mut self, from: usize) {
        match self {
            With::Itself | With::Nothing | With::Null | With::Token | With::Blank | With::Rest => {}
            With::Pseudonym(hashed) => hashed.go_on(from),
            With::Partial(tail) => tail.go_on(from),
        }
    }
}

impl Editor {
    /// Hides the value that begins there by that rule.
    pub(super) fn hide(&mut self, spot: Spot, kind: Kind, rule: usize) {
        let with = match self.plan.rule(rule).action {
            MaskAction::Mask => With::Token,
            // Within a string no more is shown than that it is hidden: its end would have to be escaped anew.
            MaskAction::Partial if kind == Kind::String && self.texts == 0 => {
                With::Partial(Box::new(Reading::new(Tail::default(), spot.text, kind)))
            }
            MaskAction::Partial => With::Token,
            MaskAction::Drop => With::Null,
            MaskAction::Hmac => token::domain(kind).map_or(With::Token, |domain| {
                let mut hasher = self.plan.pseudonym_hasher();
                hasher.update(domain);
                With::Pseudonym(Box::new(Reading::new(hasher, spot.text, kind)))
            }),
        };
        self.count(rule);
        self.hide_with(spot.chunk, kind, with);
    }

    pub(super) fn hide_with(&mut self, at: usize, kind: Kind, with: With) {
        self.flush(at);
        self.passing = None;
        self.hidden = Some(Hidden { texts: self.texts, ..Hidden::new(self.offset(at), kind, with) });
    }

    /// Where white space stands in place of a value, it is made as the value passes: of one that is as long as the object
    /// nothing has to be waited for. Not within a string, where what is hidden may yet become the string's rest.
    pub(super) fn hide_until(&mut self, at: usize) {
        let end = self.offset(at);
        let Some(hidden) = &mut self.hidden else { return };
        let width = end.saturating_sub(hidden.offset);
        if self.length != LengthRule::Field || hidden.due || hidden.texts > 0 || width < token::SETTLED_BYTES {
            return;
        }
        if hidden.made == 0 {
            let token = match &hidden.with {
                With::Nothing => b"",
                With::Blank => token::BLANK_RECORD,
                With::Null => token::null(width),
                With::Token => token::constant(hidden.kind, width),
                With::Itself | With::Rest | With::Pseudonym(_) | With::Partial(_) => return,
            };
            self.output.copy(token);
            hidden.made = token.len() as u64;
        }
        self.output.spaces(width - hidden.made);
        hidden.made = width;
    }

    pub(super) fn count(&mut self, rule: usize) {
        self.count_for(self.plan.rule(rule).profile);
    }

    pub(super) fn count_for(&mut self, profile: usize) {
        self.fields[profile] += 1;
        self.any_fields = true;
    }

    /// The hidden value ended: its token, and its slack.
    pub(super) fn show_token(&mut self, at: usize, mut hidden: Hidden) {
        if matches!(hidden.with, With::Itself) {
            return;
        }
        let width = self.offset(at) - hidden.offset;
        // What lies in a string was read as the string's text was.
        if hidden.texts == 0 {
            hidden.with.read(&self.chunk, at, hidden.kind);
        }
        let quotes = token::quotes(hidden.texts);
        let bare = if hidden.kind == Kind::String { width.saturating_sub(quotes) } else { width };
        let usual = token::constant(hidden.kind, bare);
        let written = match &hidden.with {
            _ if hidden.made > 0 => hidden.made,
            With::Itself | With::Nothing => 0,
            With::Blank => self.token(token::BLANK_RECORD),
            With::Null => self.token(token::null(width)),
            With::Rest => self.token(token::rest(width)),
            With::Pseudonym(hashed) if width >= token::PSEUDONYM_BYTES + quotes => {
                self.quoted(&token::pseudonym(&hashed.sink), hidden.texts)
            }
            With::Partial(tail) => match tail.sink.token() {
                Some(token) => self.token(token.as_bytes()),
                None => self.token(usual),
            },
            With::Token | With::Pseudonym(_) => self.quoted(usual, hidden.texts),
        };
        self.owe(width - written);
        self.passing = Some(at);
    }

    /// Writes it, and tells how many bytes it has.
    pub(super) fn token(&mut self, token: &[u8]) -> u64 {
        self.output.copy(token);
        token.len() as u64
    }

    /// The same as it stands within so many strings.
    fn quoted(&mut self, token: &[u8], texts: usize) -> u64 {
        let before = self.output.len();
        token::write(token, texts, &mut self.output);
        self.output.len() - before
    }

    pub(super) fn owe(&mut self, spaces: u64) {
        match self.length {
            LengthRule::Record => self.slack += spaces,
            LengthRule::Field => self.output.spaces(spaces),
            // All of it follows at the object's end.
            LengthRule::Hidden => {}
        }
    }
}
