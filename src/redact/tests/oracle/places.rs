//! Paths, said naively: whole paths against whole places, by recursion.

use crate::policy::mask::Step;

/// One step from a value to one in it.
#[derive(Clone)]
pub(super) enum Place {
    Member(Vec<u8>),
    Element(u32),
}

/// Whether a path names that place.
pub(super) fn matches(steps: &[Step], path: &[Place]) -> bool {
    let Some((step, steps_after)) = steps.split_first() else { return path.is_empty() };
    let Some((place, path_after)) = path.split_first() else { return false };
    match (step, place) {
        (Step::Descend, _) => matches(steps_after, path) || matches(steps, path_after),
        (Step::Name(name), Place::Member(member)) => name.as_bytes() == member && matches(steps_after, path_after),
        (Step::Glob(glob), Place::Member(member)) => {
            let member: Vec<char> = String::from_utf8_lossy(member).chars().collect();
            globbed(&glob.chars().collect::<Vec<_>>(), &member) && matches(steps_after, path_after)
        }
        (Step::Name(_) | Step::Glob(_), Place::Element(_)) => matches(steps, path_after),
        (Step::Index(wanted), Place::Element(index)) => wanted == index && matches(steps_after, path_after),
        (Step::AnyIndex, Place::Element(_)) => matches(steps_after, path_after),
        (Step::Index(_) | Step::AnyIndex, Place::Member(_)) => false,
    }
}

/// Whether a path may find something in the array, or object, at that place.
pub(super) fn goes_on(steps: &[Step], path: &[Place], array: bool) -> bool {
    let Some((step, steps_after)) = steps.split_first() else { return false };
    let Some((place, path_after)) = path.split_first() else {
        return match step {
            Step::Descend | Step::Name(_) | Step::Glob(_) => true,
            Step::Index(_) | Step::AnyIndex => array,
        };
    };
    match (step, place) {
        (Step::Descend, _) => goes_on(steps_after, path, array) || goes_on(steps, path_after, array),
        (Step::Name(_) | Step::Glob(_), Place::Element(_)) => goes_on(steps, path_after, array),
        (Step::Name(_) | Step::Glob(_), Place::Member(_)) | (Step::Index(_) | Step::AnyIndex, _) => {
            matches(&steps[..1], &path[..1]) && goes_on(steps_after, path_after, array)
        }
    }
}

fn globbed(glob: &[char], name: &[char]) -> bool {
    match (glob.split_first(), name.split_first()) {
        (None, _) => name.is_empty(),
        (Some(('*', rest)), None) => globbed(rest, name),
        (Some(('*', rest)), Some((_, after))) => globbed(rest, name) || globbed(glob, after),
        (Some(('?', rest)), Some((_, after))) => globbed(rest, after),
        (Some((one, rest)), Some((other, after))) => one == other && globbed(rest, after),
        (Some(_), None) => false,
    }
}
