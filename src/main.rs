//! The command line of tracegate.

fn main() {}
