//! L3, the behaviours: what OTP gives a process to be.
//!
//! Imports the kernel and what is below it. Reading order: `gen_server`, `gen_statem`, `supervisor`, `task`, `agent`,
//! `sys`.

pub mod agent;
pub mod gen_server;
pub mod gen_statem;
mod request;
mod served;
pub mod supervisor;
pub mod sys;
pub mod task;
