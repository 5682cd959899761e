//! YAML files with places: parsing, where a field stands, what a wrong word was meant to be, names, and errors that
//! name the field, the value and what would be right.

mod error;
mod header;
mod locate;
mod name;
mod nearest;
mod quoted;
mod read;
mod yaml;

pub use error::{DocumentError, FieldError};
pub use header::{ApiVersion, Metadata};
pub(crate) use locate::locate;
pub(crate) use name::check_name;
pub(crate) use nearest::hint;
pub use nearest::nearest;
pub(crate) use read::read_document;
pub(crate) use yaml::{describe, kind_of, parse as parse_yaml, parse_raw};
