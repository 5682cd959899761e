//! Names in files.

use super::FieldError;

/// Lowercase letters, digits and dashes.
pub(crate) fn check_name(path: &str, value: &str) -> Result<(), FieldError> {
    let ok = value.len() <= 63
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && value
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if ok {
        return Ok(());
    }
    let rule = "use up to 63 lowercase letters, digits and dashes, starting with a letter";
    Err(FieldError::at(
        path,
        format!("{value:?} is not a valid name; {rule}"),
    ))
}
