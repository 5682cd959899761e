//! Intended instants. Pure: computed from the plan and a seeded generator, never from a clock.
