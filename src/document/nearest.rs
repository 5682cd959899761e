//! "Did you mean …?"

/// The candidate that is nearest to a misspelt word, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|c| {
            let lower = c.to_lowercase();
            let score = strsim::jaro_winkler(&word, &lower)
                .max(strsim::normalized_damerau_levenshtein(&word, &lower));
            (c, score)
        })
        .filter(|(_, score)| *score >= 0.75)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(c, _)| c)
}

/// `; did you mean "nodes"?`, else `; known: a, b, c`.
pub(crate) fn hint(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(c) => format!("; did you mean {c:?}?"),
        None => format!("; known: {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        let names = ["nodes", "namespaces", "podsPerNode", "services"];
        assert_eq!(nearest("nods", names), Some("nodes"));
        assert_eq!(nearest("podspernode", names), Some("podsPerNode"));
        assert_eq!(nearest("zebra", names), None);
        assert_eq!(hint("zebra", &["a", "b"]), "; known: a, b");
    }
}
