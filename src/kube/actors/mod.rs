//! One file per source of traffic. (Placeholder until the engine lands.)
