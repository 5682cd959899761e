//! The fields that a kind of actor has of its own, and their values. The workload reads, checks and documents them from
//! this alone.

use crate::kube::Cluster;
use std::time::Duration;

/// A field of one kind of actor.
#[derive(Debug)]
pub struct Field {
    /// In a workload file.
    pub name: &'static str,
    /// What it means: a clause without a full stop, which follows the kind's name.
    pub about: &'static str,
    /// What may be written.
    pub accepts: Accepts,
    /// Its value when the file says nothing.
    pub default: fn(&Cluster) -> Value,
    /// The same in words.
    pub default_text: &'static str,
}

/// What may be written into a field.
#[derive(Clone, Copy, Debug)]
pub enum Accepts {
    /// A number.
    Number {
        /// Whether it may be this one.
        holds: fn(f64) -> bool,
        /// Which may be, after "use a number ".
        range: &'static str,
    },
    /// A whole number.
    Whole {
        /// At least.
        low: u64,
        /// At most.
        high: u64,
    },
    /// A duration.
    Duration {
        /// At least.
        low: Duration,
    },
    /// True or false.
    Flag,
    /// One of these words.
    Choice {
        /// They.
        of: &'static [&'static str],
        /// What is said of another word: `cannot be listed`.
        refusal: &'static str,
    },
}

impl Accepts {
    /// Whether a value is of the same type.
    pub fn same_type(&self, other: &Accepts) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A whole number.
    Whole(u64),
    /// A duration.
    Duration(Duration),
    /// True or false.
    Flag(bool),
    /// A word.
    Choice(String),
}

/// The values of an actor's own fields. Those of a plan are complete and checked; what is missing reads as zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    values: Vec<(&'static str, Value)>,
}

impl Settings {
    /// The value of the field of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// Gives a field a value.
    pub fn set(&mut self, name: &'static str, value: Value) {
        match self.values.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name, value)),
        }
    }

    /// The fields that have a value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.values.iter().map(|(name, value)| (*name, value))
    }

    /// A number's.
    pub fn number(&self, field: &Field) -> f64 {
        match self.get(field.name) {
            Some(Value::Number(n)) => *n,
            _ => 0.0,
        }
    }

    /// A whole number's.
    pub fn whole(&self, field: &Field) -> u64 {
        match self.get(field.name) {
            Some(Value::Whole(n)) => *n,
            _ => 0,
        }
    }

    /// A duration's.
    pub fn duration(&self, field: &Field) -> Duration {
        match self.get(field.name) {
            Some(Value::Duration(d)) => *d,
            _ => Duration::ZERO,
        }
    }

    /// A flag's.
    pub fn flag(&self, field: &Field) -> bool {
        matches!(self.get(field.name), Some(Value::Flag(true)))
    }

    /// A word's.
    pub fn choice(&self, field: &Field) -> &str {
        match self.get(field.name) {
            Some(Value::Choice(word)) => word,
            _ => "",
        }
    }
}
