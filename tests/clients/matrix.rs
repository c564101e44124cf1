//! The tests, made from the catalogue: for each client the quick ways, every way, and the page's block.

use std::collections::BTreeMap;

use libtest_mimic::{Failed, Trial};

use super::catalogue::{self, Client};
use super::crowd;
use super::ingest;
use super::limits::Sign;
use super::page;
use super::probe::{self, How, Seen, Step, Truth};
use super::ways::{Door, Way};

/// All of them. Those that take long, or install much, are marked as ignored: they wait until they are asked for.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("page::every_client_is_published".to_owned(), page::every_client_is_published),
        trial("page::limits_are_those_of_the_clients".to_owned(), page::limits_are_published),
    ];
    for client in &catalogue::ALL {
        let quick = !client.quick.is_empty();
        if quick {
            trials.push(trial(format!("{}::quick_ways_are_as_published", client.slug), || quick_ways(client)));
        }
        let name = format!("{}::every_way_is_as_published", client.slug);
        trials.push(trial(name, || every_way(client)).with_ignored_flag(true));
        if client.has_a_block() {
            let name = format!("{}::its_block_runs", client.slug);
            trials.push(trial(name, || block(client)).with_ignored_flag(!quick));
        }
    }
    trials.extend(ingest::trials());
    trials.extend(crowd::trials());
    trials
}

/// A test by this name.
pub(crate) fn trial(name: String, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, || {
        test();
        Ok::<(), Failed>(())
    })
}

fn quick_ways(client: &Client) {
    let cells = page::cells(client);
    let truth = Truth::of(client);
    for way in client.quick {
        let seen = probe::run(client, *way, &truth);
        let done = went_well(client, *way, &seen);
        let titles = Step::ALL.map(|step| done.get(&step).map_or("–", |how| how.title()));
        assert_eq!(titles[..], cells[2 + Door::ALL.len()..], "{way:?}");
        assert_eq!(seen.version, cells[1], "its version");
        let door = &cells[2 + Door::ALL.iter().position(|door| *door == way.0).unwrap()];
        assert!(door.split(", ").any(|open| open == way.1.title()), "{way:?} is open: {door}");
    }
}

fn every_way(client: &Client) {
    let (mut version, mut has, truth) = (String::new(), None, Truth::of(client));
    for way in Way::all() {
        let Some(limit) = client.limits.iter().find(|limit| limit.closes(way)) else {
            let seen = probe::run(client, way, &truth);
            let done = went_well(client, way, &seen);
            assert_eq!(has.get_or_insert_with(|| done.clone()), &done, "it has the same steps on each way: {way:?}");
            version = if client.is_the_older() { page::cells(client)[1].clone() } else { seen.version };
            continue;
        };
        match limit.seen {
            Sign::Says(words) => fails_as_said(client, way, &truth, words),
            Sign::NotTried => {}
        }
    }
    let open = |way| !client.limits.iter().any(|limit| limit.closes(way));
    let has = has.expect("some way is open");
    page::hold(client, &page::row(client, &version, open, &has));
}

/// The steps that it has; all must have gone well.
fn went_well(client: &Client, way: Way, seen: &Seen) -> BTreeMap<Step, How> {
    assert!(!seen.steps.is_empty(), "{} by {way:?}: it did nothing", client.name);
    let went = seen.steps.iter().map(|(step, outcome)| match outcome {
        Ok(how) => (*step, *how),
        Err(error) => panic!("{} by {way:?}: {step:?}: {error}", client.name),
    });
    went.collect()
}

/// The first step that fails says why; what follows from it may say less. A limit that is gone is an error, too: the
/// page would say less than there is.
fn fails_as_said(client: &Client, way: Way, truth: &Truth, words: &str) {
    let seen = probe::run(client, way, truth);
    let error = seen.steps.values().find_map(|outcome| outcome.as_ref().err());
    let error = error.unwrap_or_else(|| panic!("{} by {way:?}: it works now", client.name));
    assert!(error.contains(words), "{} by {way:?} fails otherwise: {error}", client.name);
}

/// The block as it stands, beside a demo, in an empty folder.
fn block(client: &Client) {
    let block = page::block(client);
    let place = tempfile::tempdir().unwrap();
    let done = page::run(client, &block.text, place.path());
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{}: {}\n{}\n{out}\n{error}", block.place(), done.status, block.text);
    assert!(!out.trim().is_empty(), "{}: it shows nothing", block.place());
    assert!(!out.contains("PLANTED-"), "{}: it shows a secret\n{out}", block.place());
}
