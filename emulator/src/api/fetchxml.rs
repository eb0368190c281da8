//! `GET` of a set with `fetchXml`: a query in XML, with joins and aggregates.

mod aggregate;
mod condition;
mod joined;
mod pairs;
mod parse;
mod run;
mod xml;

pub(super) use run::get;
