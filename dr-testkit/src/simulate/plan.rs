//! A random plan that `dr check` would let pass.

use std::fmt::Write as _;

use rand::RngExt as _;
use rand::rngs::StdRng;

/// What a plan is, and what it accepts: the promises are held against it.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) phases: String,
    /// Insists on losing nothing.
    pub(super) planned: bool,
    pub(super) promotes: bool,
    pub(super) routes: bool,
    /// A failure before the point of no return is undone.
    pub(super) undoes: bool,
}

pub(super) fn choose(random: &mut StdRng) -> Chosen {
    let planned = random.random_bool(0.55);
    let undoes = random.random_bool(if planned { 0.9 } else { 0.3 });
    let promotes = random.random_bool(0.85);
    let accepts_silence = promotes && random.random_bool(0.3);
    let routes = random.random_bool(0.7);
    let mut phases = String::from("phases:\n");
    let mut phase = |name: &str, within: u32, steps: &[String]| {
        let _ = writeln!(phases, "  - name: {name}\n    within: {within}s\n    steps:");
        for step in steps {
            let _ = writeln!(phases, "      - {{ {step} }}");
        }
    };
    let sometimes = |random: &mut StdRng, chance: f64, step: &str| -> Vec<String> {
        if random.random_bool(chance) { vec![step.to_owned()] } else { Vec::new() }
    };
    let look = "observe: orders, in: target, expect: { lag: '<= 10s' }, when: planned";
    let looks = sometimes(random, 0.5, look);
    if !looks.is_empty() {
        phase("preflight", 20, &looks);
    }
    let replicas = random.random_range(1..=6);
    let mut room = sometimes(random, 0.7, &format!("scale: services, in: target, replicas: {replicas}"));
    let told = "configure: services, in: target, set: { env/DATABASE: west }";
    room.extend(sometimes(random, 0.4, told));
    if !room.is_empty() {
        phase("scale_up", random.random_range(10..60), &room);
    }
    if promotes {
        let silence = if accepts_silence { ", when_unreachable: { accept_after: 10s }" } else { "" };
        let loss = ["", ", accept_loss: 10s", ", accept_loss: 1h", ", accept_loss: unknown"];
        let loss = loss[random.random_range(0..loss.len())];
        let steps = [format!("fence: orders{silence}"), format!("promote: orders{loss}")];
        phase("promote", random.random_range(10..60), &steps);
    }
    if routes {
        phase("dns", 30, &["route: entry".to_owned()]);
    }
    if promotes && routes && random.random_bool(0.6) {
        phase("verify", 10, &["probe: shop, served_by: target, write: true, healthy_for: 1s".to_owned()]);
    }
    if random.random_bool(0.3) {
        let optional = if random.random_bool(0.5) { ", optional: true" } else { "" };
        let step = format!("id: down, scale: services, in: source, replicas: 1, after_drain: true{optional}");
        phase("scale_down", 60, &[step]);
    }
    if promotes && random.random_bool(0.4) {
        phase("protect", 60, &["follow: orders".to_owned()]);
    }
    if phases == "phases:\n" {
        return choose(random);
    }
    Chosen { phases, planned, promotes, routes, undoes }
}
