//! The house rules that a compiler does not hold: which stage may name which, how long files and functions are, what no
//! file may say, and that what docker-compose.yml describes is there and works.

#[cfg(test)]
mod compose;
#[cfg(test)]
mod files;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod stages;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
