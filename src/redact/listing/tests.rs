//! The walk against a plain reference: any bucket, any role, any query, on stores of two dialects.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::survey::Order;
use super::token::{Binding, open, seal};
use super::walk::{Eyes, Found, Place, Query, Step, Walk};
use super::{ListError, Page, folders, page};
use crate::audit::Intent;
use crate::backend::memory::{Content, Memory};
use crate::backend::{Ask, Backend};
use crate::keyring::KeyRing;
use crate::limits;
use crate::policy::permit::Permit;
use crate::policy::sight::Below;
use crate::s3::answer::{Batch, Item, Listed};
use crate::s3::name::Bucket;
use crate::s3::operation::{ETag, ListObjects, ListVersion};
use crate::s3::order::{common_prefix, past};

/// A role that sees a set of keys, and globs that tell more or less of it.
#[derive(Clone)]
struct Naive<'a> {
    all: &'a BTreeSet<String>,
    visible: &'a BTreeSet<String>,
    /// How many characters of a seek's answer are told; `usize::MAX` is all of them.
    told: usize,
    /// Whether `below` answers `Perhaps` to everything that is not plain `Nothing`.
    unsure: bool,
}

impl Eyes for Naive<'_> {
    fn shows(&self, listed: Listed) -> Option<Listed> {
        self.visible.contains(listed.key.as_str()).then(|| Listed { etag: ETag("shown".into()), ..listed })
    }

    fn below(&self, prefix: &str) -> Below {
        let count = |set: &BTreeSet<String>| set.iter().filter(|key| key.starts_with(prefix)).count();
        match (count(self.visible), count(self.all)) {
            (0, _) if self.told == 0 => Below::Perhaps,
            (0, _) => Below::Nothing,
            (visible, all) if visible == all && !self.unsure => Below::Everything,
            _ => Below::Perhaps,
        }
    }

    fn seek(&self, from: &str) -> Option<String> {
        let exact = self.visible.iter().find(|key| key.as_str() >= from)?;
        let told: String = exact.chars().take(self.told).collect();
        Some(told.max(from.to_owned()))
    }
}

fn listed(key: &str) -> Option<Item> {
    let key = key.parse().ok()?;
    let etag = ETag("original".into());
    Some(Item::Key(Listed { key, size: 1, etag, last_modified: Timestamp::UNIX_EPOCH, storage_class: None }))
}

/// In which order a store lists, and what `start-after` means there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// By bytes, as AWS.
    Bytes,
    /// The same, and it passes over the whole common prefix in which `start-after` lies.
    Skipping,
    /// By folders: a slash is less than all else.
    Folders,
    /// The same, and `start-after` the name of a folder passes over all of it, as in SeaweedFS.
    Entries,
}

impl Dialect {
    fn walks_folders(self) -> bool {
        matches!(self, Self::Folders | Self::Entries)
    }

    /// Keys that such a store can hold together, in its order.
    fn sorted(self, keys: &BTreeSet<String>) -> Vec<&String> {
        let is_folder = |key: &str| {
            let folder = format!("{key}/");
            keys.range(folder.clone()..).next().is_some_and(|other| other.starts_with(&folder))
        };
        let mut sorted: Vec<&String> = keys.iter().filter(|key| self != Self::Entries || !is_folder(key)).collect();
        if self.walks_folders() {
            sorted.sort_by(|one, other| folders::compare(one, other));
        }
        sorted
    }

    fn is_behind(self, key: &str, after: &str, common: Option<&str>) -> bool {
        match self {
            Self::Bytes => key > after,
            Self::Skipping => key > after && !common.is_some_and(|common| after.starts_with(common)),
            Self::Folders => folders::compare(key, after).is_gt(),
            Self::Entries => folders::compare(key, after).is_gt() && !key.starts_with(&format!("{after}/")),
        }
    }
}

/// A store: pages of at most `page` names, in the order of S3 in themselves, as our backends bring them.
fn store(keys: &BTreeSet<String>, ask: &Ask, page: usize, dialect: Dialect) -> Batch {
    let mut names: Vec<(String, bool)> = Vec::new();
    let mut batch = Batch::default();
    for key in dialect.sorted(keys).into_iter().filter(|key| key.starts_with(&ask.prefix)) {
        let common = ask.delimiter.as_deref().and_then(|delimiter| common_prefix(key, &ask.prefix, delimiter));
        if ask.after.as_ref().is_some_and(|after| !dialect.is_behind(key, after, common)) {
            continue;
        }
        let name = (common.unwrap_or(key).to_owned(), common.is_some());
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    let max = page.min(ask.max as usize);
    let more = names.len() > max;
    names.truncate(max);
    names.sort();
    batch.more_after = names.last().map(|(name, _)| name.clone()).filter(|_| more);
    for (name, is_common) in names {
        let item = if is_common { name.parse().ok().map(Item::Common) } else { listed(&name) };
        match item {
            Some(item) => batch.items.push(item),
            None => batch.unnameable += 1,
        }
    }
    batch
}

/// What S3 would list of a bucket that holds only the visible keys.
fn reference(visible: &BTreeSet<String>, query: &Query, version: ListVersion, start: Option<&str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for key in visible.iter().filter(|key| key.starts_with(&query.prefix)) {
        let common = query.delimiter.as_deref().and_then(|delimiter| common_prefix(key, &query.prefix, delimiter));
        let name = common.unwrap_or(key);
        let marked = version == ListVersion::V1 && common.is_some() && start == common;
        if start.is_none_or(|start| key.as_str() > start) && !marked && names.last().map(String::as_str) != Some(name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[derive(Debug, Clone)]
struct Case {
    keys: BTreeSet<String>,
    visible: BTreeSet<String>,
    prefix: String,
    delimiter: Option<String>,
    start: Option<String>,
    version: ListVersion,
    max: usize,
    budget: u32,
    page: usize,
    dialect: Dialect,
    told: usize,
    unsure: bool,
}

fn walk(case: &Case, query: &Query, place: Option<Place>) -> Found {
    let eyes = Naive { all: &case.keys, visible: &case.visible, told: case.told, unsure: case.unsure };
    let mut walk = Walk::new(eyes, query.clone(), place);
    while let Step::Ask(ask) = walk.step() {
        walk.take(store(&case.keys, &ask, case.page, case.dialect)).unwrap();
    }
    walk.finish().unwrap()
}

fn check(case: &Case) {
    let (ring, binding) = (KeyRing::ephemeral(), Binding::over(&["test"]));
    let query =
        Query { prefix: case.prefix.clone(), delimiter: case.delimiter.clone(), max: case.max, budget: case.budget };
    let want = reference(&case.visible, &query, case.version, case.start.as_deref());
    let mut names = Vec::new();
    let mut place = query.place(case.version, case.start.as_deref());
    for _ in 0..4 * (case.keys.len() + 2) {
        let found = walk(case, &query, place.take());
        let most = case.budget + limits::LIST_ORDER_QUESTIONS_MAX;
        assert!(found.items.len() <= case.max && found.pages <= most, "{found:?}");
        for item in &found.items {
            if let Item::Key(listed) = item {
                assert_eq!(&*listed.etag.0, "shown");
            }
            names.push(item.name().to_owned());
        }
        let Some(more) = found.more else {
            assert_eq!(names, want, "{case:?}");
            return;
        };
        let token = seal(&ring, &binding, &more);
        place = Some(open(&ring, &binding, &token).unwrap());
    }
    panic!("never ends: {case:?}");
}

fn text(most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("a"), 3 => Just("b"), 5 => Just("/"), 2 => Just("-"), 1 => Just("!"), 1 => Just("~"), 1 => Just("."),
        1 => Just(" "), 1 => Just("é"), 1 => Just("\u{FFFD}"), 1 => Just("😀"), 1 => Just("--"), 1 => Just("\u{10FFFF}"),
    ];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

fn cases() -> impl Strategy<Value = Case> {
    let bucket = prop::collection::vec((text(7), any::<bool>()), 0..40);
    let delimiter = prop_oneof![
        3 => Just(None), 6 => Just(Some("/")), 1 => Just(Some("-")), 1 => Just(Some("--")), 1 => Just(Some("a/")),
    ];
    let version = prop_oneof![Just(ListVersion::V1), Just(ListVersion::V2)];
    let query = (prop_oneof![2 => Just(String::new()), 1 => text(3)], delimiter, prop::option::of(text(5)), version);
    let eyes = (prop_oneof![Just(0), 1..4usize, Just(usize::MAX)], any::<bool>());
    let dialects = prop::sample::select(vec![Dialect::Bytes, Dialect::Skipping, Dialect::Folders, Dialect::Entries]);
    (bucket, query, (1..8usize, 2..6u32, 4..12usize, dialects), eyes).prop_map(|(bucket, query, sizes, eyes)| {
        let named = |key: &String| key.parse::<crate::s3::name::Key>().is_ok();
        let all = bucket.iter().map(|(key, _)| key.clone()).filter(|key| !key.is_empty()).collect();
        let keys: BTreeSet<String> = sizes.3.sorted(&all).into_iter().cloned().collect();
        let seen = bucket.into_iter().filter(|(key, seen)| *seen && named(key) && keys.contains(key));
        Case {
            visible: seen.map(|(key, _)| key).collect(),
            keys,
            prefix: query.0,
            delimiter: query.1.map(str::to_owned),
            start: query.2,
            version: query.3,
            max: sizes.0,
            budget: sizes.1,
            page: sizes.2,
            dialect: sizes.3,
            told: eyes.0,
            unsure: eyes.1,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn pages_add_up_to_the_listing_of_what_is_visible(case in cases()) {
        check(&case);
    }
}

/// A case in which globs tell nothing and pages are small.
fn small(keys: &[&str], visible: &[&str], delimiter: Option<&str>, dialect: Dialect) -> Case {
    let set = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    Case {
        keys: set(keys),
        visible: set(visible),
        prefix: String::new(),
        delimiter: delimiter.map(str::to_owned),
        start: None,
        version: ListVersion::V1,
        max: 1,
        budget: 2,
        page: 4,
        dialect,
        told: 0,
        unsure: false,
    }
}

#[test]
fn regression_a_store_cannot_be_told_to_pass_over_a_key_behind_the_highest_character() {
    let keys = ["/\u{10FFFF}a", "é"];
    check(&small(&keys, &keys, Some("/"), Dialect::Bytes));
}

#[test]
fn regression_what_begins_as_the_place_before_a_folder_says_nothing_of_the_order() {
    let keys = [".\u{10FFFF}-", "/", "/-", "//", "/a", "/b", "é"];
    check(&small(&keys, &["é"], Some("-"), Dialect::Bytes));
    let keys = ["./-", "/", "//", "/aa", "a"];
    check(&small(&keys, &["/"], Some("-"), Dialect::Bytes));
}

#[test]
fn regression_behind_a_folder_its_low_siblings_are_passed_over_too() {
    let keys = ["-!", "--", ".", ".a", "/é", "/é--", "/é/", "a"];
    check(&small(&keys, &["/é", "/é--", "a"], Some("--"), Dialect::Folders));
    let keys = [" ", "/", "/!", "/-", "//", "/a", "/~"];
    check(&Case { told: 1, ..small(&keys, &[" "], None, Dialect::Folders) });
}

#[test]
fn a_folder_longer_than_a_page_stands_behind_its_low_siblings() {
    let many = (0..40).flat_map(|run| ["gpt/4/", "gpt/4-turbo/", "gpt/4o/"].map(|model| format!("{model}{run}")));
    let keys: Vec<String> = many.chain(["gpt/4.json".to_owned()]).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for dialect in [Dialect::Bytes, Dialect::Folders, Dialect::Entries] {
        for delimiter in [None, Some("/")] {
            for prefix in ["", "gpt/", "gpt/4"] {
                for start in [None, Some("gpt/4"), Some("gpt/4-turbo/9"), Some("gpt/4.json"), Some("gpt/4/9")] {
                    let case = small(&keys, &keys, delimiter, dialect);
                    let (prefix, start) = (prefix.to_owned(), start.map(str::to_owned));
                    check(&Case { prefix, start, max: 3, told: usize::MAX, ..case });
                }
            }
        }
    }
}

/// Globs of a role over `model-0000/run-0000` to `model-0399/run-0999`.
#[derive(Clone, Copy)]
enum Globs {
    /// `model-N/*` for these models.
    Models(&'static [&'static str]),
    /// `*0`: nothing that a listing could skip.
    Tail(&'static str),
}

impl Eyes for Globs {
    fn shows(&self, listed: Listed) -> Option<Listed> {
        let key = listed.key.as_str();
        let seen = match self {
            Globs::Models(models) => models.iter().any(|model| key.starts_with(model)),
            Globs::Tail(tail) => key.ends_with(tail),
        };
        seen.then_some(listed)
    }

    fn below(&self, prefix: &str) -> Below {
        match self {
            Globs::Models(models) if models.iter().any(|model| prefix.starts_with(model)) => Below::Everything,
            Globs::Models(models) if !models.iter().any(|model| model.starts_with(prefix)) => Below::Nothing,
            Globs::Models(_) | Globs::Tail(_) => Below::Perhaps,
        }
    }

    fn seek(&self, from: &str) -> Option<String> {
        match self {
            Globs::Models(models) => {
                let model = models.iter().find(|model| past(model).unwrap().as_str() > from)?;
                Some(from.max(model).to_owned())
            }
            Globs::Tail(_) => Some(from.to_owned()),
        }
    }
}

/// All pages of a listing of a bucket of 400,000 keys: names, our pages, backend pages.
fn cost(memory: &Memory, bucket: &Bucket, globs: Globs, delimiter: Option<&str>) -> (usize, u64, u64) {
    let query = Query {
        prefix: String::new(),
        delimiter: delimiter.map(str::to_owned),
        max: limits::PAGE_KEYS_MAX as usize,
        budget: limits::LIST_BACKEND_PAGES_MAX,
    };
    let before = memory.pages_served();
    let (mut names, mut pages) = (0, 0);
    let mut place = query.place(ListVersion::V2, None);
    while place.is_some() {
        let mut walk = Walk::new(globs, query.clone(), place.take());
        while let Step::Ask(ask) = walk.step() {
            walk.take(memory.page_for_test(bucket, &ask)).unwrap();
        }
        let found = walk.finish().unwrap();
        assert!(found.pages <= query.budget + limits::LIST_ORDER_QUESTIONS_MAX);
        (names, pages, place) = (names + found.items.len(), pages + 1, found.more);
    }
    (names, pages, memory.pages_served() - before)
}

#[test]
fn the_cost_grows_with_what_is_visible() {
    let (memory, bucket) = (Memory::new(), "traces".parse().unwrap());
    let content = Arc::new(Content::new("", Timestamp::UNIX_EPOCH));
    for model in 0..400 {
        for run in 0..1000 {
            memory.put(&bucket, &format!("model-{model:04}/run-{run:04}"), content.clone());
        }
    }
    let four = Globs::Models(&["model-0007/", "model-0100/", "model-0101/", "model-0399/"]);
    let (names, pages, asked) = cost(&memory, &bucket, four, None);
    assert_eq!((names, pages), (4000, 4));
    assert!(asked < 20, "{asked}");
    assert_eq!(cost(&memory, &bucket, four, Some("/")), (4, 1, 1));
    let deep = Globs::Models(&["model-0007/run-0500", "model-0300/run-05"]);
    assert_eq!(cost(&memory, &bucket, deep, Some("/")), (2, 1, 2));

    // Globs without a literal beginning scan, within the bound of each page.
    let (names, _, asked) = cost(&memory, &bucket, Globs::Tail("run-0999"), None);
    assert!(names == 400 && asked <= 401, "{names} {asked}");
    let (names, _, asked) = cost(&memory, &bucket, Globs::Tail("run-0000"), Some("/"));
    assert!(names == 400 && asked <= 500, "{names} {asked}");
}

/// The requests for a whole listing of 5,000 keys of 100 folders, 100 to a page.
fn requests(globs: Globs, dialect: Dialect) -> (usize, u32) {
    let keys = (0..5000).map(|run| format!("model-{:04}/run-{:04}", run / 50, run % 50)).collect();
    let query = Query { prefix: String::new(), delimiter: None, max: 1000, budget: limits::LIST_BACKEND_PAGES_MAX };
    let (mut names, mut asked) = (0, 0);
    let mut place = query.place(ListVersion::V2, None);
    while place.is_some() {
        let mut walk = Walk::new(globs, query.clone(), place.take());
        while let Step::Ask(ask) = walk.step() {
            walk.take(store(&keys, &ask, 100, dialect)).unwrap();
        }
        let found = walk.finish().unwrap();
        (names, asked, place) = (names + found.items.len(), asked + found.pages, found.more);
    }
    (names, asked)
}

#[test]
fn a_store_that_walks_folders_costs_a_few_questions_more() {
    let apart = Globs::Models(&["model-0007/", "model-0040/", "model-0041/", "model-0099/"]);
    for (dialect, most) in [(Dialect::Bytes, 4), (Dialect::Folders, 6), (Dialect::Entries, 6)] {
        let (names, asked) = requests(apart, dialect);
        assert!(names == 200 && asked <= most, "{dialect:?} {names} {asked}");
        let (names, asked) = requests(Globs::Tail("0"), dialect);
        // Globs without a literal beginning scan: folders in which a page ends are asked for their low siblings.
        let most = if dialect.walks_folders() { 102 } else { 52 };
        assert!(names == 500 && (50..=most).contains(&asked), "{dialect:?} {names} {asked}");
    }
}

#[test]
fn a_backend_that_does_not_get_on_is_an_error() {
    let query = Query { prefix: "a".into(), delimiter: None, max: 10, budget: 3 };
    let mut walk = Walk::new(Globs::Tail("x"), query.clone(), query.place(ListVersion::V2, Some("b")));
    assert_eq!(walk.step(), Step::Done, "nothing lies behind the prefix");

    let query = Query { prefix: String::new(), delimiter: None, max: 10, budget: 3 };
    let place = Place { text: "b".to_owned(), order: Order::Bytes, safe: false };
    let mut walk = Walk::new(Globs::Tail("x"), query, Some(place));
    let Step::Ask(ask) = walk.step() else { panic!("there is something to ask") };
    let stuck = Batch { more_after: ask.after, ..Batch::default() };
    assert!(walk.take(stuck).is_err());
}

#[test]
fn a_name_before_its_place_is_settled_where_the_order_is_that_of_bytes() {
    let query = Query { prefix: String::new(), delimiter: None, max: 10, budget: 3 };
    let mut walk = Walk::new(Globs::Tail(""), query.clone(), query.place(ListVersion::V2, Some("m/b")));
    let batch =
        |names: &[&str]| Batch { items: names.iter().filter_map(|name| listed(name)).collect(), ..Batch::default() };
    assert!(matches!(walk.step(), Step::Ask(_)));
    walk.take(batch(&["m/a", "m/c"])).unwrap();
    let Step::Ask(ask) = walk.step() else { panic!("nothing is known of the order yet") };
    assert_eq!(ask.after.as_deref(), Some("m.\u{10FFFF}"));
    walk.take(batch(&["m/a", "m/c"])).unwrap();
    assert_eq!(walk.step(), Step::Done);
    let found = walk.finish().unwrap();
    assert_eq!(found.items.iter().map(Item::name).collect::<Vec<_>>(), ["m/c"]);
}

#[test]
fn no_keys_asked_for_are_no_keys_and_no_request() {
    let query = Query { prefix: String::new(), delimiter: None, max: 0, budget: 3 };
    let mut walk = Walk::new(Globs::Tail(""), query.clone(), query.place(ListVersion::V2, None));
    assert_eq!(walk.step(), Step::Done);
    let found = walk.finish().unwrap();
    assert!(found.items.is_empty() && found.more.is_none() && found.pages == 0);
}

/// A page can be waited for on any thread.
#[expect(dead_code, reason = "compiling is the test")]
fn page_is_send<'a>(
    backend: &'a dyn Backend,
    intent: Intent<'a, Permit<ListObjects>>,
    ring: &'a KeyRing,
) -> impl Future<Output = Result<Page, ListError>> + Send + 'a {
    page(backend, intent, ring, Timestamp::UNIX_EPOCH)
}
