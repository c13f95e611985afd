//! The report room: a schema, or what differs between two, as something to look at. Everything
//! here is a pure function from plain data to text: no I/O, no clock, same input, same bytes.
//!
//! ```text
//! data       what is shown: tables, links, changes, steps; the workflow fills it
//! graph      tables and links → Mermaid, Graphviz
//! boxes      a table → a box with rows;  layout: boxes and links → places and lines
//! picture    both together → inline SVG
//! annotations  what a check found → GitHub, JUnit
//! lanes      a chain with branches → characters
//! sql        SQL → the same with tags for highlighting
//! html       everything → one file that needs nothing from outside
//! ```

mod annotations;
mod boxes;
mod data;
mod graph;
mod html;
mod lanes;
mod layout;
mod lines;
mod picture;
mod sql;

pub use annotations::{Case, Note, github, junit};
pub use data::{
    Change, Column, Graph, Group, Hazard, Link, Part, Property, Relation, Report, State, Step,
    Table,
};
pub use graph::{dot, mermaid};
pub use html::html;
pub use lanes::{Row, lanes};
