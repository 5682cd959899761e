//! A histogram as text: V2 deflate in base64, as each line of a `.hlog` has it, for documents that hold one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    DeserializeError, Deserializer, Serializer, V2DeflateSerializeError, V2DeflateSerializer,
};

/// A histogram that cannot be written as text, or a text that is none.
#[derive(Debug, thiserror::Error)]
pub enum EncodedError {
    #[error("cannot encode a histogram: {0}")]
    Encode(#[source] V2DeflateSerializeError),
    #[error("the histogram is not base64: {0}")]
    Base64(#[source] base64::DecodeError),
    #[error("cannot decode the histogram: {0}")]
    Decode(#[source] DeserializeError),
}

/// The text of a histogram.
///
/// # Errors
/// When the encoder refuses it.
pub fn encode(histogram: &Histogram<u64>) -> Result<String, EncodedError> {
    let mut payload = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut payload)
        .map_err(EncodedError::Encode)?;
    Ok(STANDARD.encode(&payload))
}

/// The histogram of a text.
///
/// # Errors
/// When the text is none.
pub fn decode(text: &str) -> Result<Histogram<u64>, EncodedError> {
    let bytes = STANDARD.decode(text).map_err(EncodedError::Base64)?;
    Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(EncodedError::Decode)
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
