//! The process kernel, seen from outside.

mod smoke;
mod smoke2;
mod trap_exit;
