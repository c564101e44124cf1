//! The embedded bucket, in memory.
