//! The process kernel, seen from outside.

mod smoke;
