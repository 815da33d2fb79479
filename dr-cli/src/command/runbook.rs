//! `dr runbook`: the bound plan as commands to type when `dr` itself cannot run.

use dr_core::Backends;
use dr_core::resource::{Class, Urgency};
use dr_core::time::show_duration;

use crate::args::PlanArgs;
use crate::bound::load;
use crate::exit::Exit;
use crate::problem::{Outcome, Problem};
use crate::snippet;

/// Prints it, as Markdown. Secrets stand as their references.
pub(crate) fn run(backends: &Backends, args: &PlanArgs) -> Outcome {
    let loaded = load(backends, &args.plan)?;
    let roles = loaded.roles(args, false)?;
    let (script, _) = loaded.check(&roles, Urgency::Unplanned).map_err(|findings| {
        snippet::show(&findings, &loaded.path, &loaded.plan.text);
        Problem::shown(Exit::Plan)
    })?;
    anstream::println!("# {}: {} → {} by hand\n", loaded.plan.name, roles.source, roles.target);
    anstream::println!("Note the time of each step: a run done by hand has to be told afterwards.");
    for phase in &script.phases {
        let share =
            phase.within.map_or(String::new(), |within| format!(" (within {})", show_duration(within)));
        anstream::println!("\n## {}{share}", phase.name);
        for step in script.steps.iter().filter(|step| step.phase == phase.name) {
            let local = step.id.as_str().split_once('/').map_or(step.id.as_str(), |(_, local)| local);
            let warning = match step.class {
                Class::PointOfNoReturn => "  **There is no way back from here on.**",
                Class::Fence => "  **Nobody can write from here on, until the promotion.**",
                Class::Read | Class::Reversible | Class::Irreversible => "",
            };
            anstream::println!("\n### {local}{warning}\n");
            let configured = step.resource.as_ref().and_then(|name| loaded.configured.get(name));
            let commands = configured.map(|one| one.by_hand(&step.verb, &step.call)).unwrap_or_default();
            if commands.is_empty() {
                anstream::println!("{}", in_words(step));
            } else {
                anstream::println!("```sh\n{}\n```", commands.join("\n"));
            }
        }
    }
    Ok(Exit::Success)
}

fn in_words(step: &dr_core::runbook::ScriptStep) -> String {
    match step.verb.as_str() {
        "wait" | "approve" => format!("{}: {}", step.verb, step.call),
        "check-roles" => {
            "Look at both sides: the source is the primary or silent, the target is its standby, and no \
                          other node takes writes. If both take writes, stop and fence one."
                .to_owned()
        }
        verb => format!("`{verb}` with {}: look at it with the system's own tools.", step.call),
    }
}
