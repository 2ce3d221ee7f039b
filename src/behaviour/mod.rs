//! L3, the behaviours: what OTP gives a process to be.
//!
//! Imports the kernel and what is below it. Reading order: `gen_server`, `supervisor`, `task`, `agent`, `sys`.

pub mod agent;
pub mod gen_server;
pub mod supervisor;
pub mod sys;
pub mod task;
