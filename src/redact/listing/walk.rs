//! The walk through the backend's order: which page to ask for next, and what of it is shown. No I/O, no clock.
//!
//! The whole state that outlives a page is the *place*, a text: everything before it is settled. The backend is asked
//! in two ways. *Rolled* uses its delimiter: one page tells a thousand common prefixes. *Flat* does not, and rolls up
//! here: it finds out whether a visible key lies below a common prefix that the role's globs cannot answer for, and it
//! is used wherever the place lies inside a common prefix, since stores disagree on what `start-after` means there.
//!
//! The walk is in the order of S3, also where the store's is another: what a page of it tells is up to [`super::survey`].

use std::collections::VecDeque;

use super::folders;
use super::survey::{Asked, Extent, Finding, Order, Question, Sheet, Survey};
use crate::backend::Ask;
use crate::limits;
use crate::policy::sight::Below;
use crate::s3::answer::{Batch, Item, Listed};
use crate::s3::name::Prefix;
use crate::s3::operation::ListVersion;
use crate::s3::order;

/// What the caller's role sees of the bucket that is listed.
pub(in crate::redact) trait Eyes {
    /// The key as it is shown, with the tag and size of the view; `None` if it is not.
    fn shows(&self, listed: Listed) -> Option<Listed>;
    /// See [`crate::policy::sight::Sight::below`].
    fn below(&self, prefix: &str) -> Below;
    /// See [`crate::policy::sight::Sight::seek`].
    fn seek(&self, from: &str) -> Option<String>;
}

/// What is listed.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    /// Most keys and common prefixes of the page.
    pub(super) max: usize,
    /// Backend pages that it may cost, without questions about the store's order; at least 2, so that each page gets on.
    pub(super) budget: u32,
}

impl Query {
    /// The place from which a first page starts. `None` if nothing can lie behind it.
    ///
    /// As S3: keys behind `start_after` count, and are rolled up even if `start_after` lies inside their common prefix.
    /// A V1 marker that *is* a common prefix is behind all of it, since clients send the last one of a page as marker.
    pub(super) fn place(&self, version: ListVersion, start_after: Option<&str>) -> Option<Place> {
        let Some(start) = start_after.filter(|start| !start.is_empty()) else {
            return Some(Place::unknown(self.prefix.clone()));
        };
        let text = match version {
            ListVersion::V1 if self.common_prefix(start) == Some(start) => order::past(start),
            ListVersion::V1 | ListVersion::V2 => Some(order::just_behind(start)),
        };
        text.map(Place::unknown)
    }

    fn common_prefix<'a>(&self, name: &'a str) -> Option<&'a str> {
        order::common_prefix(name, &self.prefix, self.delimiter.as_deref()?)
    }
}

/// How far a listing has come, and what is known of the store: all that outlives a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Everything before it is settled.
    pub(super) text: String,
    /// The store's order.
    pub(super) order: Order,
    /// Whether the store has nothing visible before the place that S3 has behind it.
    pub(super) safe: bool,
}

impl Place {
    fn unknown(text: String) -> Self {
        Self { text, order: Order::Unknown, safe: false }
    }
}

/// What the walk wants next.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// This page of the backend; its answer goes to [`Walk::take`].
    Ask(Ask),
    /// Nothing: the page is done.
    Done,
}

/// The backend's listing does not follow the order of S3, or does not get on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Astray;

/// What a finished walk found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    /// Where the next page starts; `None` if nothing visible can follow.
    pub(super) more: Option<Place>,
    /// What was asked of the backend, questions about its order included.
    pub(super) pages: u32,
    pub(super) hidden: u64,
}

/// A page of the backend of which some is not settled.
struct Hand {
    items: VecDeque<Item>,
    /// Where the walk goes on behind it; `None` if nothing follows.
    then: Option<String>,
    monotone: bool,
}

/// What the backend was asked.
enum Pending {
    Page(Asked),
    Question(Question),
}

/// How far the walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More may follow, and there is room for it.
    Open,
    /// More follows, or cannot be ruled out, and the page is full or its budget spent.
    Cut,
    /// Nothing visible follows.
    Ended,
}

/// See the module.
pub(super) struct Walk<E> {
    eyes: E,
    query: Query,
    start: String,
    place: String,
    state: State,
    everything: bool,
    flat: Option<Hand>,
    rolled: Option<Hand>,
    survey: Survey,
    /// As [`Place::safe`], of the place.
    safe: bool,
    pending: Option<Pending>,
    /// A page that cannot be read before the question is answered.
    sheet: Option<Sheet>,
    question: Option<Question>,
    /// Whether the backend, rolling up, gave only what lies before the place. It cannot be told to pass over a common
    /// prefix below which keys go on behind a U+10FFFF; plain keys it always can.
    stuck: bool,
    items: Vec<Item>,
    pages: u32,
    questions: u32,
    probes: u32,
    hidden: u64,
}

impl<E: Eyes> Walk<E> {
    /// A walk from that place, or from the prefix if it lies before it.
    pub(super) fn new(eyes: E, query: Query, place: Option<Place>) -> Self {
        let state = if query.max == 0 || place.is_none() { State::Ended } else { State::Open };
        let Place { text, order, safe } = place.unwrap_or_else(|| Place::unknown(String::new()));
        let place = text.max(query.prefix.clone());
        let everything = eyes.below(&query.prefix) == Below::Everything;
        Self {
            eyes,
            query,
            start: place.clone(),
            place,
            state,
            everything,
            flat: None,
            rolled: None,
            survey: Survey::new(order),
            safe,
            pending: None,
            sheet: None,
            question: None,
            stuck: false,
            items: Vec::new(),
            pages: 0,
            questions: 0,
            probes: 0,
            hidden: 0,
        }
    }

    /// Settles what is at hand, and says what is needed to go on.
    pub(super) fn step(&mut self) -> Step {
        if let Some(question) = self.question.take() {
            if self.questions < limits::LIST_ORDER_QUESTIONS_MAX {
                self.questions += 1;
                let ask = question.ask(&self.query.prefix);
                self.pending = Some(Pending::Question(question));
                return Step::Ask(ask);
            }
            self.state = State::Cut;
        }
        self.settle_flat();
        self.settle_rolled();
        if self.state == State::Open {
            self.seek();
        }
        if self.state == State::Open && (self.full() || self.pages >= self.query.budget) {
            self.state = State::Cut;
        }
        match self.state {
            State::Open => Step::Ask(self.ask()),
            State::Cut | State::Ended => Step::Done,
        }
    }

    /// The backend's answer to the last [`Step::Ask`].
    pub(super) fn take(&mut self, batch: Batch) -> Result<(), Astray> {
        match self.pending.take().ok_or(Astray)? {
            Pending::Page(asked) => self.sheet = Some(Sheet::new(asked, batch)),
            Pending::Question(question) => self.survey.learn(question, &batch),
        }
        self.read()
    }

    /// What was found, once [`Walk::step`] said that it is done.
    pub(super) fn finish(self) -> Result<Found, Astray> {
        let more = (self.state == State::Cut).then_some(self.place);
        if self.items.is_empty() && more.as_ref() == Some(&self.start) {
            return Err(Astray);
        }
        let more = more.map(|text| Place { text, order: self.survey.order, safe: self.safe });
        Ok(Found { items: self.items, more, pages: self.pages + self.questions, hidden: self.hidden })
    }

    /// Takes the sheet in hand, as far as it tells what follows, or finds out what must be asked first.
    fn read(&mut self) -> Result<(), Astray> {
        while let Some(sheet) = self.sheet.take() {
            if self.survey.order != sheet.asked.order && self.survey.order == Order::Folders {
                // What was taken for the order of S3 is asked for again. Once per listing: it takes nothing of the budget.
                self.rolled = None;
                self.safe = false;
                self.pages -= 1;
                return Ok(());
            }
            match self.survey.look(&sheet, &self.eyes) {
                Finding::Extent(extent) => return self.accept(sheet, extent),
                Finding::Order(order) => self.survey.order = order,
                Finding::Ask(question) => {
                    self.sheet = Some(sheet);
                    self.question = Some(question);
                    return Ok(());
                }
            }
            self.sheet = Some(sheet);
        }
        Ok(())
    }

    /// Takes of a page what it tells in the order of S3.
    fn accept(&mut self, sheet: Sheet, extent: Extent) -> Result<(), Astray> {
        let monotone = sheet.is_monotone();
        let Sheet { asked, batch } = sheet;
        let Extent { then, safe } = extent;
        let mut items = VecDeque::from(batch.items);
        items.retain(|item| then.as_deref().is_none_or(|then| item.name() < then));
        let ahead = |item: &Item| item.name() >= self.place.as_str() || self.place.starts_with(item.name());
        if then.as_ref().is_some_and(|then| *then <= self.place) && !items.iter().any(ahead) {
            // Once per place: then the flat page must get on.
            self.stuck = asked.delimiter.is_some() && !self.stuck;
            return if self.stuck { Ok(()) } else { Err(Astray) };
        }
        self.hidden += u64::from(batch.unnameable);
        self.safe = safe && self.rolled.as_ref().is_none_or(|hand| hand.monotone);
        let hand = Some(Hand { items, then, monotone });
        match asked.delimiter {
            Some(_) => self.rolled = hand,
            None => self.flat = hand,
        }
        Ok(())
    }

    fn full(&self) -> bool {
        self.items.len() >= self.query.max
    }

    /// Moves to where the next visible key can be.
    fn seek(&mut self) {
        let to = self.eyes.seek(&self.place);
        self.jump(to);
        if !self.place.starts_with(&self.query.prefix) {
            self.state = State::Ended;
        }
    }

    /// Moves over what is not looked at.
    fn jump(&mut self, to: Option<String>) {
        self.safe &= to.as_ref().is_none_or(|to| *to <= self.place);
        self.advance(to);
    }

    fn advance(&mut self, to: Option<String>) {
        match to {
            Some(to) if to > self.place => {
                self.place = to;
                self.stuck = false;
            }
            Some(_) => {}
            None => self.state = State::Ended,
        }
    }

    fn ask(&mut self) -> Ask {
        let (prefix, place) = (self.query.prefix.as_str(), self.place.as_str());
        // What begins with a folder's name and its slash is in order in either order.
        let narrow = self.survey.order == Order::Folders && place.len() > prefix.len() && place.ends_with('/');
        let inside = self.query.common_prefix(place).is_some_and(|common| place > common);
        let probes = self.query.delimiter.is_some() && (inside || narrow || self.stuck || self.rolled.is_some());
        let after = match self.survey.order {
            _ if narrow || place <= prefix => None,
            Order::Folders if !self.safe || !place.ends_with('\0') => folders::before(place),
            Order::Folders | Order::Unknown | Order::Bytes => order::before(place),
        };
        let asked = Asked {
            prefix: if narrow { place } else { prefix }.to_owned(),
            after,
            delimiter: self.query.delimiter.clone().filter(|_| !probes),
            place: place.to_owned(),
            safe: self.safe,
            narrow,
            order: self.survey.order,
        };
        let max = if probes {
            self.probes += 1;
            limits::LIST_PROBE_KEYS.saturating_mul(4u32.saturating_pow(self.probes - 1)).min(limits::PAGE_KEYS_MAX)
        } else if self.everything {
            u32::try_from(self.query.max - self.items.len()).unwrap_or(u32::MAX).min(limits::PAGE_KEYS_MAX)
        } else {
            limits::PAGE_KEYS_MAX
        };
        self.pages += 1;
        let ask =
            Ask { prefix: asked.prefix.clone(), after: asked.after.clone(), delimiter: asked.delimiter.clone(), max };
        self.pending = Some(Pending::Page(asked));
        ask
    }

    /// Shows an item, if there is room: else the walk is cut before it.
    fn show(&mut self, item: Item, then: Option<String>) {
        if self.full() {
            self.state = State::Cut;
        } else {
            self.items.push(item);
            self.advance(then);
        }
    }

    fn hide(&mut self, then: Option<String>) {
        self.hidden += 1;
        self.advance(then);
    }

    /// Goes through a page of plain keys, rolling them up here.
    fn settle_flat(&mut self) {
        let Some(hand) = self.flat.take() else { return };
        for item in hand.items {
            if self.state != State::Open {
                return;
            }
            if item.name() < self.place.as_str() {
                continue;
            }
            match item {
                Item::Key(listed) => self.settle_key(listed),
                Item::Common(common) => self.hide(order::past(common.as_str())),
            }
        }
        if self.state == State::Open {
            self.advance(hand.then);
        }
    }

    fn settle_key(&mut self, listed: Listed) {
        let behind = Some(order::just_behind(listed.key.as_str()));
        let Some(listed) = self.eyes.shows(listed) else { return self.hide(behind) };
        match self.query.common_prefix(listed.key.as_str()).map(|text| (text.parse::<Prefix>(), order::past(text))) {
            None => self.show(Item::Key(listed), behind),
            Some((Ok(common), past)) => self.show(Item::Common(common), past),
            Some((Err(_), past)) => self.hide(past),
        }
    }

    /// Goes through a page that the backend rolled up, as far as the globs can answer.
    fn settle_rolled(&mut self) {
        while self.state == State::Open {
            let Some(hand) = &mut self.rolled else { return };
            let Some(item) = hand.items.pop_front() else {
                let then = hand.then.take();
                self.rolled = None;
                return self.advance(then);
            };
            match item {
                Item::Key(listed) if listed.key.as_str() < self.place.as_str() => {}
                Item::Key(listed) => self.settle_key(listed),
                Item::Common(common) if self.has_passed(&common) => {}
                Item::Common(common) => {
                    if let Some(undecided) = self.settle_common(common) {
                        if let Some(hand) = &mut self.rolled {
                            hand.items.push_front(Item::Common(undecided));
                        }
                        return;
                    }
                }
            }
        }
    }

    fn has_passed(&self, common: &Prefix) -> bool {
        self.place.as_str() > common.as_str() && !self.place.starts_with(common.as_str())
    }

    /// Settles a common prefix, or gives it back with the place moved to where below it a visible key can be.
    fn settle_common(&mut self, common: Prefix) -> Option<Prefix> {
        let text = common.as_str();
        let past = order::past(text);
        let below = if is_nameless(text) { Below::Nothing } else { self.eyes.below(text) };
        match below {
            Below::Nothing => self.hide(past),
            Below::Everything => self.show(Item::Common(common), past),
            Below::Perhaps if self.full() => self.state = State::Cut,
            Below::Perhaps => {
                let from = self.place.as_str().max(text);
                match self.eyes.seek(from).map(|to| to.max(from.to_owned())) {
                    None => self.state = State::Ended,
                    Some(to) if to.starts_with(text) => {
                        self.jump(Some(to));
                        return Some(common);
                    }
                    Some(_) => self.hide(past),
                }
            }
        }
        None
    }
}

/// Whether no key below can be named: a whole segment of the prefix is `.` or `..`.
fn is_nameless(common: &str) -> bool {
    common.rsplit('/').skip(1).any(|segment| segment == "." || segment == "..")
}
