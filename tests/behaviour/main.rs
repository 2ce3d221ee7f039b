//! The behaviours, seen from outside.

mod supervisor_smoke;
