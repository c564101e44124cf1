//! Which order the store lists in, found out as cheaply as can be; and how far a page of it tells what S3 would list.
//!
//! S3 orders names by their bytes. A store that walks folders ([`super::folders`]) gives the same pages for most
//! questions, and others where a `start-after` passes over a folder, or where a page ends within a folder that has low
//! siblings. There its order is asked for: behind a place just before a folder that is known to exist, only a store that
//! orders by bytes goes on with that folder. That is one request for a whole listing, and none where a page shows it.
//! Where folders are walked, each page is cut to what is complete in the order of S3, and what it may have passed over
//! is asked for by name.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::folders;
use super::walk::Eyes;
use crate::backend::Ask;
use crate::limits;
use crate::policy::sight::Below;
use crate::s3::answer::{Batch, Item};
use crate::s3::order;

/// What is known of a store's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Nothing yet: what was seen fits both.
    Unknown,
    /// By bytes, as S3.
    Bytes,
    /// By folders.
    Folders,
}

/// Something to know about the store before a page of it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// Which order it has, told by a folder that exists and by at most that many names.
    Order(String, u32),
    /// Whether anything lies in that folder.
    Folder(String),
    /// Whether that folder has low siblings.
    Siblings(String),
}

impl Question {
    /// How the backend is asked; `prefix` is that of the whole listing.
    pub(super) fn ask(&self, prefix: &str) -> Ask {
        let (prefix, after, max) = match self {
            Question::Order(folder, most) => (prefix, Some(just_before(folder)), *most),
            Question::Folder(folder) => (folder.as_str(), None, 1),
            Question::Siblings(folder) => {
                let name = &folder[..folder.len() - 1];
                (name, Some(folders::over(name)), 1)
            }
        };
        Ask { prefix: prefix.to_owned(), after, delimiter: None, max }
    }
}

/// A place before a folder behind which, by bytes, only the folder can follow, or what begins as the place.
fn just_before(folder: &str) -> String {
    format!("{}.{}", &folder[..folder.len() - 1], char::MAX)
}

/// A page that was asked for, and from where.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) prefix: String,
    pub(super) after: Option<String>,
    pub(super) delimiter: Option<String>,
    /// Where the walk was.
    pub(super) place: String,
    /// Whether nothing visible lies behind the place that the store has before `after`.
    pub(super) safe: bool,
    /// Whether only the folder at the place was asked for.
    pub(super) narrow: bool,
    /// What was known of the order.
    pub(super) order: Order,
}

/// A page of the backend, in the order of S3.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) asked: Asked,
    pub(super) batch: Batch,
}

/// How far a page tells what S3 would list, and where to go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// All before it is in the page. `None`: nothing follows.
    pub(super) then: Option<String>,
    /// As [`Asked::safe`], of every place of the page.
    pub(super) safe: bool,
}

/// What a look at a page brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It tells this much.
    Extent(Extent),
    /// It does not tell anything until this is known.
    Ask(Question),
    /// It shows the store's order.
    Order(Order),
}

/// See the module.
pub(super) struct Survey {
    pub(super) order: Order,
    /// How many names are looked at for the order. Of a page of one name that is cut, also one that no key can have is
    /// told, so that is asked where such names may hide the folder.
    names: u32,
    folders: BTreeMap<String, bool>,
    siblings: BTreeMap<String, bool>,
}

impl Survey {
    pub(super) fn new(order: Order) -> Self {
        Self { order, names: limits::LIST_PROBE_KEYS, folders: BTreeMap::new(), siblings: BTreeMap::new() }
    }

    /// The answer to a question.
    pub(super) fn learn(&mut self, question: Question, answer: &Batch) {
        let first = answer.items.first().map(|item| item.name()).or(answer.more_after.as_deref());
        match question {
            Question::Order(folder, most) => {
                let place = just_before(&folder);
                let names = answer.items.iter().map(|item| item.name()).chain(answer.more_after.as_deref());
                let lands = names.skip_while(|name| name.starts_with(&place)).any(|name| name.starts_with(&folder));
                if lands {
                    self.order = Order::Bytes;
                } else if answer.unnameable == 0 || most == 1 {
                    self.order = Order::Folders;
                }
                self.names = 1;
            }
            Question::Folder(folder) => {
                self.folders.insert(folder, first.is_some() || answer.unnameable > 0);
            }
            Question::Siblings(folder) => {
                let low = first.map_or(answer.unnameable > 0, |name| name < folder.as_str());
                self.siblings.insert(folder.clone(), low);
                self.folders.insert(folder, true);
            }
        }
    }

    pub(super) fn look(&self, sheet: &Sheet, eyes: &impl Eyes) -> Finding {
        match self.order {
            Order::Unknown => doubt(self, sheet, eyes),
            Order::Bytes => Finding::Extent(sheet.whole()),
            Order::Folders => self.cut(sheet, eyes),
        }
    }

    /// How far a page of a store that walks folders is complete in the order of S3: up to the first folder that it
    /// passed over, and to the first place where low siblings of a folder belong that the store has yet to list.
    fn cut(&self, sheet: &Sheet, eyes: &impl Eyes) -> Finding {
        let mut passed = None;
        for folder in sheet.passed_over(eyes) {
            match self.folders.get(&folder) {
                None => return Finding::Ask(Question::Folder(folder)),
                Some(false) => {}
                Some(true) => {
                    passed = Some(folder);
                    break;
                }
            }
        }
        let mut extent = sheet.whole();
        if sheet.is_cut() {
            for folder in sheet.awaiting_siblings(eyes) {
                match self.siblings.get(folder) {
                    None => return Finding::Ask(Question::Siblings(folder.to_owned())),
                    Some(false) => {}
                    Some(true) => {
                        extent = Extent { then: Some(folders::low_siblings(folder)), safe: false };
                        break;
                    }
                }
            }
        }
        if let Some(folder) = passed {
            extent.safe = false;
            extent.then = Some(extent.then.map_or(folder.clone(), |then| then.min(folder)));
        }
        Finding::Extent(extent)
    }
}

/// What a page says of the order while that is not known.
fn doubt(survey: &Survey, sheet: &Sheet, eyes: &impl Eyes) -> Finding {
    let witness = sheet.folder();
    if sheet.strays() {
        // LocalStack orders by bytes, and yet compares `start-after` as it is quoted in the URL.
        let ask = |witness: &str| Finding::Ask(Question::Order(witness.to_owned(), survey.names));
        return witness.map_or(Finding::Order(Order::Folders), ask);
    }
    if sheet.lands() {
        return Finding::Order(Order::Bytes);
    }
    for folder in sheet.passed_over(eyes) {
        match (witness, survey.folders.get(&folder)) {
            (Some(witness), _) => return Finding::Ask(Question::Order(witness.to_owned(), survey.names)),
            (None, Some(true)) => return Finding::Ask(Question::Order(folder, survey.names)),
            (None, None) => return Finding::Ask(Question::Folder(folder)),
            (None, Some(false)) => {}
        }
    }
    let late = || !sheet.is_monotone() || sheet.awaiting_siblings(eyes).next().is_some();
    match witness {
        Some(witness) if sheet.is_cut() && late() => Finding::Ask(Question::Order(witness.to_owned(), survey.names)),
        Some(_) | None => Finding::Extent(sheet.whole()),
    }
}

impl Sheet {
    pub(super) fn new(asked: Asked, mut batch: Batch) -> Self {
        batch.items.sort_by(|one, other| one.name().cmp(other.name()));
        Self { asked, batch }
    }

    /// Whether more follows.
    fn is_cut(&self) -> bool {
        self.batch.more_after.is_some()
    }

    /// Whether both orders have its names in the same order.
    pub(super) fn is_monotone(&self) -> bool {
        let ascending = |one: &&str, other: &&str| folders::compare(one, other) != Ordering::Greater;
        self.names().is_sorted_by(ascending)
    }

    /// Whether something of it lies before the place behind which it was asked for.
    fn strays(&self) -> bool {
        let Some(after) = self.asked.after.as_deref() else { return false };
        self.batch.items.iter().any(|item| match item {
            Item::Key(listed) => listed.key.as_str() <= after,
            // Keys behind `after` may lie in the same common prefix.
            Item::Common(common) => common.as_str() <= after && !after.starts_with(common.as_str()),
        })
    }

    /// Where it goes on, taken as a whole.
    fn whole(&self) -> Extent {
        let then = match self.last() {
            Some(last) => self.behind(last),
            None if self.asked.narrow => order::past(&self.asked.prefix),
            None => None,
        };
        Extent { then, safe: !self.asked.narrow && self.is_monotone() }
    }

    /// The last name that the store looked at, if more follows.
    fn last(&self) -> Option<&str> {
        let told = self.batch.more_after.as_deref()?;
        match self.asked.order {
            Order::Unknown | Order::Bytes => Some(told),
            Order::Folders => self.names().max_by(|one, other| folders::compare(one, other)),
        }
    }

    fn behind(&self, last: &str) -> Option<String> {
        let walks = self.asked.order == Order::Folders;
        if let Some(after) = self.asked.after.as_deref().filter(|after| walks && last < *after) {
            return Some(folders::left(after, last));
        }
        let delimiter = self.asked.delimiter.as_deref();
        match delimiter.and_then(|delimiter| order::common_prefix(last, &self.asked.prefix, delimiter)) {
            Some(common) => order::past(common),
            None => Some(order::just_behind(last)),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.batch.items.iter().map(|item| item.name()).chain(self.batch.more_after.as_deref())
    }

    /// Whether it has something of a folder that a store that walks folders would have passed over.
    fn lands(&self) -> bool {
        let Some(after) = self.asked.after.as_deref() else { return false };
        // Of the folder that is `after` and a slash, stores disagree.
        let over =
            folders::passed_over(after, &self.asked.prefix).into_iter().filter(|folder| folder.len() <= after.len());
        over.into_iter().any(|folder| self.batch.items.iter().any(|item| item.name().starts_with(&folder)))
    }

    /// The folders that the page may lack for where it was asked from, and in which something visible can lie.
    fn passed_over(&self, eyes: &impl Eyes) -> Vec<String> {
        let Some(after) = self.asked.after.as_deref().filter(|_| !self.asked.safe) else { return Vec::new() };
        let mut over = folders::passed_over(after, &self.asked.prefix);
        over.retain(|folder| *folder >= self.asked.place && eyes.below(folder) != Below::Nothing);
        over
    }

    /// Some folder that exists.
    fn folder(&self) -> Option<&str> {
        self.batch.items.iter().find_map(|item| order::common_prefix(item.name(), &self.asked.prefix, "/"))
    }

    /// The folders in which the page ends and that were entered in it, if visible low siblings of theirs can follow.
    fn awaiting_siblings(&self, eyes: &impl Eyes) -> impl Iterator<Item = &str> {
        let last = self.names().max_by(|one, other| folders::compare(one, other)).unwrap_or_default();
        let entered = folders::levels(last, &self.asked.prefix).filter(|folder| !self.asked.place.starts_with(folder));
        entered.filter(|folder| {
            let from = folders::low_siblings(folder).max(self.asked.place.clone());
            eyes.seek(&from).is_some_and(|to| to.as_str() < *folder)
        })
    }
}
