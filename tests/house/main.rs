//! The house rules that a compiler does not hold: which stage may name which, how long files and functions are, what no
//! file may say, that what docker-compose.yml describes is there and works, and that the tests which documents name exist.

#[cfg(test)]
mod compose;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod files;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod stages;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
