//! What of a plan's needs can be proven without setting anything off.

use aws_sdk_cloudwatch::types::StateValue;
use dr_core::resource::{Call, Cx, Proof, Proves, Trigger, Wanted};
use dr_core::{Error, Region, Side, async_trait};

use super::bells::Bells;
use super::config::AlarmSide;
use super::history::told;
use crate::asking::Op;
use crate::together::{each, unoffered};

/// What makes an alarm's name that of one that is nowhere: setting it is authorised and then finds nothing. A policy
/// that names the alarms by the beginning of their names holds for it as well.
const NOWHERE: &str = ".dr-ready";

#[async_trait]
impl Proves for Bells {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let lost: Option<&Region> = gone.and_then(|side| self.plan.sides.get(side)).map(|side| &side.region);
        let there =
            self.plan.sides.iter().filter(|(side, at)| Some(*side) != gone && Some(&at.region) != lost);
        let triggers = |side: &Side| {
            let of_it = |wanted: &&Wanted| wanted.verb == Trigger::VERB;
            wanted.iter().filter(of_it).any(|wanted| wanted.side.as_ref().is_none_or(|on| on == side))
        };
        let proving = there.map(|(side, at)| self.prove_side(cx, side, at, triggers(side))).collect();
        each(proving).await.into_iter().flatten().chain(unoffered(wanted, &[Trigger::VERB])).collect()
    }
}

impl Bells {
    async fn prove_side(&self, cx: &Cx, side: &Side, at: &AlarmSide, triggers: bool) -> Vec<Proof> {
        let mut proofs = Vec::new();
        match self.look(cx, side).await {
            Err(error) => proofs.push(Proof::failed(format!("cloudwatch:DescribeAlarms ({side})"), &error)),
            Ok(alarms) => {
                for (name, seen) in alarms {
                    let what = format!("alarm {name} ({side})");
                    proofs.push(match seen.as_ref().map(|seen| (seen, seen.unheard())) {
                        None => Proof::missing(what, "there is no such alarm"),
                        Some((_, Some(why))) if triggers => Proof::missing(what, why),
                        Some((seen, _)) => {
                            Proof::proven(what, format!("it reaches {}", seen.actions.join(", ")))
                        }
                    });
                }
            }
        }
        if triggers {
            proofs.push(self.prove_history(cx, side, at).await);
            proofs.push(self.prove_setting(cx, side, at).await);
        }
        proofs
    }

    async fn prove_history(&self, cx: &Cx, side: &Side, at: &AlarmSide) -> Proof {
        let what = format!("cloudwatch:DescribeAlarmHistory ({side})");
        let Some(name) = at.names.first() else {
            return Proof::unknown(what, "there is no alarm to ask for");
        };
        match told(cx, &self.aws, &at.region, name, "[dr ready]", &[]).await {
            Ok(_) => Proof::proven(what, format!("the history of {name} can be read")),
            Err(error) => Proof::failed(what, &error),
        }
    }

    async fn prove_setting(&self, cx: &Cx, side: &Side, at: &AlarmSide) -> Proof {
        let what = format!("cloudwatch:SetAlarmState ({side})");
        let Some(name) = at.names.first() else {
            return Proof::unknown(what, "there is no alarm to ask for");
        };
        let nowhere: String = name.chars().take(200).chain(NOWHERE.chars()).collect();
        let cloudwatch = self.aws.cloudwatch(&at.region);
        let asked = Op::changes("cloudwatch:SetAlarmState")
            .at(&at.region)
            .ask(cx, || {
                cloudwatch
                    .set_alarm_state()
                    .alarm_name(&nowhere)
                    .state_value(StateValue::Ok)
                    .state_reason("dr ready: this alarm does not exist")
                    .send()
            })
            .await;
        match asked {
            Ok(_) => Proof::unknown(what, format!("there is an alarm called {nowhere}: rename it")),
            Err(error) if error.is_not_found() => Proof::proven(
                what,
                format!("asked of {nowhere}, which does not exist: allowed, and nothing to do"),
            ),
            Err(error) if error.is_denied() => Proof::missing(
                what,
                format!(
                    "denied for {nowhere}, which does not exist ({error}); whether it is allowed for the alarms alone \
                     shows: aws iam simulate-principal-policy --action-names cloudwatch:SetAlarmState"
                ),
            ),
            Err(error) => Proof::failed(what, &Error::from(error)),
        }
    }
}
