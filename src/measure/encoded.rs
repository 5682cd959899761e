//! A histogram as text: V2 deflate in base64, as each line of a `.hlog` has it, for documents that hold one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

/// The text of a histogram.
///
/// # Errors
/// When the encoder refuses it.
pub fn encode(histogram: &Histogram<u64>) -> Result<String, String> {
    let mut payload = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut payload)
        .map_err(|e| format!("cannot encode a histogram: {e}"))?;
    Ok(STANDARD.encode(&payload))
}

/// The histogram of a text.
///
/// # Errors
/// When the text is none.
pub fn decode(text: &str) -> Result<Histogram<u64>, String> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|e| format!("histogram is not base64: {e}"))?;
    Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|e| format!("cannot decode the histogram: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        let mut h = crate::measure::hist::layout().unwrap();
        (1..1000).for_each(|i| h.saturating_record(i * 1_000));
        assert_eq!(decode(&encode(&h).unwrap()).unwrap(), h);
        assert!(decode("*").is_err() && decode("AAAA").is_err());
    }
}
