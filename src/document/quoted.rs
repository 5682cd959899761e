//! Numbers in quotes: the YAML reader takes them, editors that follow the schema do not.

use serde_json::Value;

/// The first field that is a text in the file and a number to its reader: its path below the document, and the text.
pub(super) fn quoted_number(written: &Value, read: &Value) -> Option<(String, String)> {
    match (written, read) {
        (Value::String(text), Value::Number(_)) => Some((String::new(), text.clone())),
        (Value::Object(written), Value::Object(read)) => written.iter().find_map(|(key, value)| {
            let (path, text) = quoted_number(value, read.get(key)?)?;
            Some((format!(".{key}{path}"), text))
        }),
        (Value::Array(written), Value::Array(read)) => {
            let mut items = written.iter().zip(read).enumerate();
            items.find_map(|(i, (value, read))| {
                let (path, text) = quoted_number(value, read)?;
                Some((format!(".{i}{path}"), text))
            })
        }
        _ => None,
    }
}
