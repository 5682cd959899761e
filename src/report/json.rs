//! `result.json` and its schema.

use super::result::RunResult;

/// The result as pretty JSON with a final newline. The same result gives the same bytes.
pub fn render(result: &RunResult) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(result)?;
    text.push('\n');
    Ok(text)
}

/// The JSON Schema (draft 2020-12) of `result.json`, pretty, with a final newline.
pub fn schema() -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(RunResult))?;
    text.push('\n');
    Ok(text)
}
