//! An experiment's result in the formats of other programs. JUnit and GitHub's annotations are made of [`suite`] by
//! [`crate::report::export`].

mod benchstat;
mod checks;
mod csv;
mod markdown;

pub use benchstat::render as benchstat;
pub use checks::suite;
pub use csv::render as csv;
pub use markdown::render as markdown;
