//! The journal as a whole, with receivers that do as they are told and a real database.

mod backlog;
mod clocks;
mod failures;
mod order;
mod plugins;
mod replays;
mod restarts;
mod support;
