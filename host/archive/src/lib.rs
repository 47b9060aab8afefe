//! The course archive's rules: who sees which rows, what a request may hold, what creating and updating do.
//!
//! The rules are pure functions ([`query`], [`body`], [`draft`], [`rules`]); [`Archive`] runs them inside one
//! transaction of the store, for requests and, in [`plugin`], for plugins. There is no HTTP here and no SQL text. The behaviour is that of the Django sample plugin
//! for Open edX behind Django REST Framework; where that one crashes, a refusal says so instead.

pub mod body;
pub mod draft;
pub mod plugin;
pub mod python;
pub mod query;
mod refusal;
mod row;
pub mod rules;
mod service;

pub use refusal::{Act, Invalid, Refusal};
pub use row::Row;
pub use service::{Archive, Caller, Page};
