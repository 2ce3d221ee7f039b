//! L3, the behaviours: what OTP gives a process to be.
//!
//! Imports the kernel and what is below it. Reading order: `gen_server`, `gen_statem`, `supervisor`,
//! `task`.

pub mod gen_server;
pub mod gen_statem;
mod request;
mod served;
pub mod supervisor;
pub mod task;
