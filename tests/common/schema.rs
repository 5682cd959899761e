//! JSON Schemas.

use serde_json::Value;

/// Checks documents against the text of a schema.
pub fn validator(schema: &str) -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
}

/// Fails with everything in which a document, called `name`, breaks a schema.
#[track_caller]
pub fn assert_fits(schema: &str, document: &Value, name: &str) {
    let validator = validator(schema);
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{name}");
}
