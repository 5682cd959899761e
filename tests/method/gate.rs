//! The gate by simulation: false alarms without a difference under four kinds of noise, and what is found with one.

use crate::noise::Noise;
use crate::simulations;
use etcdmark::measure::gate::{FIRST, SECOND, candidate, confirmed, stage};

/// Gating metrics of a simulated gate.
const METRICS: usize = 4;
const DELTA: f64 = 0.05;

/// What moves the trials of a metric beside their own noise.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Normal,
    /// One trial in ten is ten times as noisy.
    Outliers,
    /// The machine drifts: AR(1) over trials, ten times as large as the noise, ρ = 0.95.
    Drift,
    /// The first trial of a block is 20 % slower.
    FirstSlower,
}

struct Machine {
    noise: Noise,
    kind: Kind,
    sd: f64,
    drift: f64,
}

impl Machine {
    /// d of one block; the order alternates, so that each arm is first equally often.
    fn block(&mut self, number: usize, effect: f64) -> f64 {
        let base_first = number.is_multiple_of(2);
        let (first, second) = (self.trial(true), self.trial(false));
        let (base, head) = if base_first {
            (first, second)
        } else {
            (second, first)
        };
        head + effect - base
    }

    fn trial(&mut self, first: bool) -> f64 {
        let spread = match self.kind {
            Kind::Outliers if self.noise.uniform() < 0.1 => 10.0,
            _ => 1.0,
        };
        self.drift = 0.95 * self.drift + (1.0_f64 - 0.95 * 0.95).sqrt() * self.noise.normal();
        let shift = match self.kind {
            Kind::Drift => 10.0 * self.sd * self.drift,
            Kind::FirstSlower if first => 1.2_f64.ln(),
            _ => 0.0,
        };
        // A difference of two trials has √2 of the deviation of one.
        self.sd / 2.0_f64.sqrt() * spread * self.noise.normal() + shift
    }
}

/// Whether a gate alarms, and how many blocks it took. The effect is on the first metric.
fn gate(seed: u64, kind: Kind, sd: f64, effect: f64) -> (bool, usize) {
    let mut machines: Vec<Machine> = (0..METRICS as u64)
        .map(|metric| Machine {
            noise: Noise::new(seed * 1000 + metric),
            kind,
            sd,
            drift: 0.0,
        })
        .collect();
    let delta = DELTA.ln_1p();
    let mut blocks = |from: usize, n: usize| -> Vec<Vec<f64>> {
        let mut all = Vec::new();
        for (i, machine) in machines.iter_mut().enumerate() {
            let effect = if i == 0 { effect } else { 0.0 };
            all.push((from..from + n).map(|b| machine.block(b, effect)).collect());
        }
        all
    };
    let screened = blocks(0, FIRST);
    let candidates: Vec<usize> = (0..METRICS)
        .filter(|i| candidate(&stage(&screened[*i]).unwrap(), delta))
        .collect();
    if candidates.is_empty() {
        return (false, FIRST);
    }
    let fresh = blocks(FIRST, SECOND);
    let worse = |i: &usize| confirmed(&stage(&fresh[*i]).unwrap(), delta, METRICS);
    (candidates.iter().any(worse), FIRST + SECOND)
}

/// The share of alarms, and the mean number of blocks.
fn alarms(n: u64, kind: Kind, sd: f64, effect: f64) -> (f64, f64) {
    let all: Vec<(bool, usize)> = (1..=n).map(|seed| gate(seed, kind, sd, effect)).collect();
    let alarms = all.iter().filter(|(alarm, _)| *alarm).count() as f64;
    let blocks: usize = all.iter().map(|(_, blocks)| blocks).sum();
    (alarms / n as f64, blocks as f64 / n as f64)
}

#[test]
fn a_gate_without_a_difference_alarms_in_one_of_twenty_at_most() {
    let n = simulations(150, 2000);
    let bound = 0.05 + 2.0 * (0.05 * 0.95 / n as f64).sqrt();
    println!("noise            sd  alarms  blocks");
    for kind in [Kind::Normal, Kind::Outliers, Kind::Drift, Kind::FirstSlower] {
        for sd in [0.01, 0.05, 0.2] {
            let (share, blocks) = alarms(n, kind, sd, 0.0);
            println!(
                "{:12}  {sd:5}  {share:.4}  {blocks:6.1}",
                format!("{kind:?}")
            );
            assert!(share <= bound, "{kind:?}, sd {sd}: {share} > {bound}");
        }
    }
}

#[test]
fn a_gate_finds_what_it_promises() {
    let n = simulations(100, 1000);
    println!("effect    sd   found  blocks");
    for (effect, sd, least) in [
        (0.1, 0.01, 0.99),
        (0.1, 0.05, 0.9),
        (0.1, 0.1, 0.0),
        (0.2, 0.1, 0.9),
        (0.2, 0.2, 0.6),
        (0.4, 0.2, 0.95),
    ] {
        let (found, blocks) = alarms(n, Kind::Normal, sd, f64::ln_1p(effect));
        println!("{effect:6}  {sd:4}  {found:.4}  {blocks:6.1}");
        assert!(found >= least, "+{effect} at sd {sd}: {found}");
    }
}
